"""``vanbench zoo import`` and ``vanbench zoo check``."""

import json

import pytest

from tests.support.command_line import ROOT, run
from tests.support.faultserver import FaultServer
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


METAFILE = ROOT / "tests/fixtures/zoo/metafile.yml"


def test_an_existing_file_is_replaced_with_force(tmp_path):
    target = tmp_path / "mine.toml"
    target.write_text("old")
    outcome = run("zoo", "import", METAFILE, "-o", target, "--force")
    assert load_zoo(str(target)).name == "mine"
    assert outcome.stdout == ""
    assert f"Next: vanbench zoo check {target}" in outcome.stderr


def test_a_url_is_downloaded_and_is_the_source(tmp_path):
    target = tmp_path / "mine.toml"
    with FaultServer() as server:
        url = server.put("/van/metafile.yml?token=secret", METAFILE.read_bytes())
        run("zoo", "import", url, "-o", target)
        missing = run("zoo", "import", server.url + "/none.md", code=3)
    assert load_zoo(str(target)).source == url.partition("?")[0]
    assert "secret" not in target.read_text()
    assert "404" in missing.stderr


def test_the_architecture_of_an_unknown_name_is_asked_for(tmp_path):
    path, target = tmp_path / "metafile.yml", tmp_path / "mine.toml"
    weights = "https://example.org/mine-385941af.pth"
    path.write_text(f"Models:\n- Name: VAN-X\n  Weights: {weights}\n")
    outcome = run("zoo", "import", path, "-o", target, code=2)
    assert "--architecture VAN-X=van_b0" in outcome.stderr
    assert not target.exists()
    run("zoo", "import", path, "-o", target, "--architecture", "VAN-X=van_b2")
    (entry,) = load_zoo(str(target)).entries
    assert (entry.arch, entry.urls) == ("van_b2", (weights,))
    outcome = run("zoo", "import", path, "--architecture", "van_b2", code=2)
    assert "expected MODEL=ARCH, found 'van_b2'" in outcome.stderr


def test_check_says_what_an_imported_page_lacks(page, tmp_path):
    target = tmp_path / "mine.toml"
    run("zoo", "import", page, "-o", target)
    outcome = run("zoo", "check", target, code=1)
    assert outcome.stdout.startswith(f"{target}: can be used, but not every verdict would be safe.")
    assert outcome.stdout.count("no protocol, so that the default applies") == 1
    assert "van_b0.in1k, van_b1.in1k, van_b2.in1k, van_b3.in1k, van_b4.in1k" in outcome.stdout
    assert "van_b6.in21k [params_m]: 283.9 M parameters reported" in outcome.stdout


def test_the_same_page_with_what_it_lacks_is_safe(page, tmp_path):
    """The comments of the written file, without their marks, are the keys that are missing."""
    target = tmp_path / "mine.toml"
    run("zoo", "import", page, "-o", target)
    lines = target.read_text("utf-8").splitlines()
    start = lines.index("# [protocol]")
    lines[start : start + 8] = [line.removeprefix("# ") for line in lines[start : start + 8]]
    text = "\n".join(lines)
    erratum = '[models."van_b6.in21k".erratum]\nreason = "a misprint"\n'
    text += f'\n{erratum}corrected = {{ params_m = "199.83", flops_g = "38.91" }}\n'
    target.write_text(text, encoding="utf-8")
    outcome = run("zoo", "check", target)
    assert "verdicts on 8 models are safe" in outcome.stdout
    assert outcome.stdout.rstrip().endswith(f"Next: vanbench verify --all --zoo {target}")


def test_what_check_does_not_find_is_one_message(tmp_path):
    outcome = run("zoo", "check", tmp_path / "absent.toml", code=2)
    assert outcome.stderr == f"Error: {tmp_path}/absent.toml: there is no such file.\n"
