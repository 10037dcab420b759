"""A claim without a file: what can be counted is judged, and nothing that is missing is a failure."""

import json
import re

import pytest

from tests.support.arranged import Claim, arrange, write_zoo
from tests.support.faultserver import FaultServer
from tests.support.models import randomized
from tests.support.verifying import Shell, claim

CLASSES = [f"class-{i}" for i in range(10)]
REASON = "no file is published"


@pytest.fixture(scope="module")
def model():
    return randomized()


@pytest.fixture(scope="module")
def data(model, tmp_path_factory):
    return arrange(tmp_path_factory.mktemp("data"), model, CLASSES, 3, 2, 1)


@pytest.fixture
def shell(tmp_path, data, model):
    shell = Shell(tmp_path, data)
    write_zoo(shell.zoo, CLASSES, Claim("van_paper.in1k", None, model, top1="50.00", top5="83.33"))
    return shell


def test_its_counts_are_judged_and_its_accuracy_is_not_measured(shell):
    """With images at hand too: no file could be scored, so nothing that was asked for is missing."""
    (row,) = shell.verify()["models"]
    assert row["checkpoint"]["status"] == "no file"
    assert (row["checkpoint"]["reason"], row["checkpoint"]["url"]) == (REASON, None)
    assert [row[n]["verdict"] for n in ("params", "flops")] == ["reproduced", "reproduced"]
    assert row["params"]["source"] == "architecture"
    assert [row[n]["verdict"] for n in ("top1", "top5")] == ["not measured", "not measured"]
    assert (row["top1"]["reason"], row["error"]) == (REASON, None)
    record = json.loads(shell.record("van_paper.in1k").read_text())
    assert record["checkpoint"] is None
    assert record["counts"]["source"] == "architecture"


def test_a_digit_that_is_off_by_one_deviates(shell):
    text = shell.zoo.read_text()
    shell.zoo.write_text(re.sub(r'params_m = "0\.(\d{3})(\d)"', _off_by_one, text))
    (row,) = shell.verify(code=1)["models"]
    assert row["params"]["verdict"] == "deviates"
    assert row["flops"]["verdict"] == "reproduced"


def _off_by_one(match):
    return f'params_m = "0.{match[1]}{(int(match[2]) + 1) % 10}"'


def test_other_models_are_verified_beside_it(shell, model):
    paper = Claim("van_paper.in1k", None, model, top1="50.00", top5="83.33")
    with FaultServer() as server:
        here = claim(server, model, top1="50.00", top5="83.33")
        write_zoo(shell.zoo, CLASSES, paper, here)
        first, second = shell.verify()["models"]
    assert (first["verdict"], second["verdict"]) == ("not measured", "reproduced")
    said = shell("verify", "--all", "--data", shell.data, "--workers", "0", "--offline").stdout
    assert "1 of 1 file verified" in said
    assert f"van_paper.in1k: Top-1 and Top-5 not measured: {REASON}." in said


def test_it_can_be_reproduced_if_no_accuracy_is_claimed(shell):
    text = shell.zoo.read_text()
    shell.zoo.write_text(re.sub(', top1 = "50.00", top5 = "83.33"', "", text))
    assert (
        "REPRODUCED: 2 of 2 published numbers reproduced, 0 deviate."
        in shell("verify", "--all").stdout
    )


def test_there_is_nothing_to_download_or_to_import(shell):
    said = shell("download", "--all").stdout
    assert f"1 model without a file: {REASON}." in said
    (model,) = json.loads(shell("download", "--all", "--json").stdout)["models"]
    assert model["checkpoint"]["status"] == "no file"
    assert model["error"] is None
    (model,) = json.loads(shell("import", shell.data, "--json", code=3).stdout)["models"]
    assert (model["status"], model["reason"]) == ("no file", REASON)


def test_list_says_so(shell):
    said = shell("list").stdout
    assert "no file" in said
    assert "1 model, no files." in said
    (model,) = json.loads(shell("list", "--json").stdout)["models"]
    assert (model["url"], model["file"], model["no_file"]) == (None, None, REASON)
    assert model["in_cache"] is False


def test_what_needs_the_file_fails_with_the_reason(shell):
    """``validate`` and ``diagnose`` ask for nothing but the accuracy."""
    for command in (["validate", "--all"], ["diagnose", "van_paper"]):
        outcome = shell(*command, "--data", shell.data, "--workers", "0", code=3)
        assert f"there is no file to download: {REASON}." in outcome.output


def test_tables_and_reports_show_it(shell):
    shell("verify", "--all")
    table = shell("table").stdout
    assert f"van_paper.in1k: Top-1 and Top-5 not measured: {REASON}." in table
    assert "files verified" not in table
    page = shell.folder / "report.html"
    shell("report", "-o", page)
    assert f"none: {REASON}" in page.read_text(encoding="utf-8")
    for name in ("csv", "junit", "metafile", "latex", "model-index", "timm-csv"):
        shell("table", "--format", name)
