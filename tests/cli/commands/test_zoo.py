"""``vanbench zoo import`` and ``vanbench zoo check``."""

import json

import pytest

from tests.support.command_line import run
from vanbench.zoo.reader import load_zoo

PUBLISHED = load_zoo("openmmlab")
HEADER = "| Model | Pretrain | resolution | Params(M) | Flops(G) | Top-1 (%) | Top-5 (%) | Config | Download |"
PRETRAINED = "| Model | Pretrain | resolution | Params(M) | Flops(G) | Download |"


def line(entry):
    """A row of OpenMMLab's page, in its form."""
    claims = entry.claims
    cells = [f"VAN-{entry.arch[-2:].upper()}\\*", "From scratch", "224x224"]
    cells += [str(claims.params_m), str(claims.flops_g)]
    if claims.top1:
        cells += [str(claims.top1), str(claims.top5), f"[config]({entry.config})"]
    return f"| {' | '.join(cells)} | [model]({entry.urls[0]}) |"


@pytest.fixture
def page(tmp_path):
    """A page with the two tables of OpenMMLab's, with its figures."""
    lines = ["# Visual Attention Network", "", "### ImageNet-1k", ""]
    for header, reported in ((HEADER, True), (PRETRAINED, False)):
        rows = [line(e) for e in PUBLISHED.entries if bool(e.claims.top1) is reported]
        lines += ["", "### ImageNet-21k" if not reported else "", "", header]
        lines += ["| " + " | ".join([":-:"] * header.count(" | ")) + " | :-: |", *rows]
    path = tmp_path / "README.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_published_tables_come_out_exactly(page, tmp_path):
    target = tmp_path / "mine.toml"
    run("zoo", "import", page, "-o", target)
    found = load_zoo(str(target))
    facts = [
        [(e.arch, e.urls, e.claims, e.architecture.embed_dims, e.architecture.depths)
         for e in zoo.entries]
        for zoo in (found, PUBLISHED)
    ]  # fmt: skip
    assert facts[0] == facts[1]


def test_a_file_is_not_replaced(page, tmp_path):
    target = tmp_path / "mine.toml"
    target.write_text("kept")
    outcome = run("zoo", "import", page, "-o", target, code=2)
    assert "mine.toml exists" in outcome.stderr
    assert target.read_text() == "kept"


def test_without_a_file_the_zoo_is_printed(page):
    assert 'reported = { params_m = "4.11"' in run("zoo", "import", page).stdout


def test_a_page_without_a_table_is_refused(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("# Nothing\n")
    outcome = run("zoo", "import", path, code=2)
    assert "README.md: expected a Markdown table" in outcome.stderr


def test_the_shipped_zoo_is_safe():
    assert "verdicts on 8 models are safe" in run("zoo", "check", "openmmlab").stdout


def test_counts_that_fit_no_convention_are_explained(page, tmp_path):
    target = tmp_path / "mine.toml"
    page.write_text(page.read_text().replace("| 4.11 |", "| 5.11 |"))
    run("zoo", "import", page, "-o", target)
    outcome = run("zoo", "check", target, "--json", code=1)
    texts = json.dumps(json.loads(outcome.stdout))
    assert "5.11" in texts


def test_a_file_that_cannot_be_used_exits_with_2(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("schema = 1\nname = 7\n")
    outcome = run("zoo", "check", path, code=2)
    assert "name" in outcome.output
