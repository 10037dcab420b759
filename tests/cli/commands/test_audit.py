"""``vanbench audit``: what is printed, the document, the exit codes, and that torch is not needed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.arranged import arrange, write_zoo
from tests.support.command_line import ROOT, run
from tests.support.faultserver import FaultServer
from tests.support.models import randomized
from tests.support.verifying import Shell, claim
from vanbench.report import record_files

NAMES = ("van_nano.digits", "van_micro.digits")


@pytest.fixture(scope="module")
def verified(tmp_path_factory):
    results = tmp_path_factory.mktemp("verified") / "results"
    run("verify", "--all", "--zoo", "demo", "--device", "cpu", "--workers", 0, "-q",
        "--results", results)  # fmt: skip
    return results


@pytest.fixture
def results(verified, tmp_path):
    return Path(shutil.copytree(verified, tmp_path / "results"))


def edit(results, name=NAMES[0], **changes):
    path = results / "demo" / f"{name}.json"
    document = json.loads(path.read_text())
    document["accuracy"] |= changes
    path.write_text(json.dumps(document))
    return path


def audit(results, *arguments, code=0):
    return run("audit", "--results", results, *arguments, code=code)


def test_the_demo_zoo_is_confirmed(results):
    text = audit(results).stdout
    assert "van_nano.digits   demo  fp32          360  ✓ 95.833  ✓ 99.722   ✓ follows" in text
    assert "2 of 2 accuracies follow from their evidence." in text
    assert text.rstrip().endswith(f"Next: vanbench table --results {results}")


def test_the_document(results):
    document = json.loads(audit(results, "--json").stdout)
    assert document["ok"] is True
    assert document["unused"] == []
    assert [one["name"] for one in document["records"]] == sorted(NAMES)
    nano = document["records"][1]["accuracies"][0]
    assert (nano["correct1"], nano["correct5"], nano["images"]) == (345, 359, 360)
    assert (nano["top1_verdict"], nano["status"]) == ("reproduced", "follows")
    assert (results / nano["file"]).exists()


def test_a_number_cannot_be_typed_in(results):
    path = edit(results, correct1=346)
    outcome = audit(results, code=1)
    assert f"✗ {path}: accuracy.correct1: expected 345, found 346." in outcome.stdout
    assert "✗ contradicted" in outcome.stdout
    assert "1 of 2 accuracies follow from their evidence." in outcome.stdout
    again = f"Next: vanbench verify van_nano.digits --zoo demo --results {results}"
    assert outcome.stdout.rstrip().endswith(again)
    document = json.loads(audit(results, "--json", code=1).stdout)
    assert document["ok"] is False
    found = {one["name"]: one["accuracies"][0]["findings"] for one in document["records"]}
    finding = {"what": "accuracy.correct1", "expected": "345", "found": "346"}
    assert found == {NAMES[0]: [finding], NAMES[1]: []}


def test_one_record_by_its_file(results):
    edit(results, correct1=346)
    audit(results, results / "demo/van_micro.digits.json")
    audit(results, results / "demo/van_nano.digits.json", code=1)
    audit(results, results / "demo/nothing.json", code=2)


def test_the_zoo_that_was_asked_for(results):
    edit(results, correct1=346)
    assert "No record was found." in audit(results, "--zoo", "openmmlab").stdout
    audit(results, "--zoo", "demo", code=1)


def test_an_old_record_is_not_checked(results):
    edit(results, evidence=None, date="2026-01-01")
    outcome = audit(results, code=3)
    assert "○ no evidence" in outcome.stdout
    assert "1 of 2 accuracies follow from their evidence; 1 older than evidence." in outcome.stdout
    assert json.loads(audit(results, "--json", code=3).stdout)["ok"] is False
    run("verify", NAMES[0], "--zoo", "demo", "--device", "cpu", "--workers", 0, "-q",
        "--results", results)  # fmt: skip
    audit(results)


def test_evidence_that_was_removed_is_found(results):
    edit(results, evidence=None, date="2026-12-01")
    text = audit(results, code=1).stdout
    assert "accuracy.evidence: expected files of evidence, as every accuracy has since" in text
    assert "run vanbench verify again" in text


def test_files_that_no_record_names_are_told(results):
    name = "evidence/demo/van_nano.digits.fp32.0123456789abcdef.top5"
    (results / name).write_bytes(b"")
    assert f"No record names {name}: it can be deleted." in audit(results).stdout
    assert json.loads(audit(results, "--json").stdout)["unused"] == [name]


def test_another_run_replaces_the_evidence_of_its_model_alone(results):
    before = {p.name for p in (results / "evidence/demo").iterdir()}
    run("verify", NAMES[0], "--zoo", "demo", "--reference", "--device", "cpu", "--workers", 0,
        "-q", "--results", results)  # fmt: skip
    assert {p.name for p in (results / "evidence/demo").iterdir()} == before
    audit(results)


def test_an_interrupted_run_leaves_no_record_without_evidence(results, monkeypatch):
    """The new files of evidence are there, the record is still the old one."""
    edit(results, evidence=None, date="2026-01-01", correct1=300)
    before = (results / "demo" / f"{NAMES[0]}.json").read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(record_files, "write", interrupted)
    run("verify", NAMES[0], "--zoo", "demo", "--device", "cpu", "--workers", 0, "-q",
        "--results", results, code=130)  # fmt: skip
    assert (results / "demo" / f"{NAMES[0]}.json").read_bytes() == before
    audit(results, code=3)


def test_images_are_predicted_again(results):
    outcome = audit(results, "--zoo", "demo", "--sample", 5, "--offline")
    text = "van_nano.digits in fp32: 5 random images predicted again on cpu: 5 as recorded, 0 not."
    assert text in outcome.stdout
    document = json.loads(audit(results, "--sample", 5, "--json").stdout)
    assert document["records"][0]["accuracies"][0]["sample"] == {
        "images": 5, "same": 5, "ties": 0, "device": "cpu",
    }  # fmt: skip


def test_a_sample_that_cannot_be_predicted(results, tmp_path):
    other = tmp_path / "other/digit-1"
    other.mkdir(parents=True)
    (other / "x.jpg").write_bytes(b"x")
    outcome = audit(results, "--data", other.parent, "--sample", 5, code=3)
    assert "Error: van_micro.digits in fp32, van_nano.digits in fp32: " in outcome.stderr
    assert "expected the images of the record, found 1 others among 1" in outcome.stderr


def test_a_sample_needs_images(results, tmp_path):
    shutil.copytree(results / "demo", results / "mine")
    shutil.rmtree(results / "demo")
    for path in (results / "mine").glob("*.json"):
        document = json.loads(path.read_text())
        path.write_text(json.dumps(document | {"zoo": "mine"}))
    outcome = audit(results, "--sample", 5, code=2)
    assert "Where are the images? Give --data PATH" in outcome.stderr


def test_unreadable_and_equal_images_are_in_the_evidence(tmp_path):
    """Broken images count as wrong, one whose bytes cannot be read too, and each copy counts."""
    model = randomized()
    data = arrange(tmp_path / "data", model, [f"class-{i}" for i in range(10)], 13, 6, 5)
    folders = sorted(data.iterdir())
    image = next(folders[0].iterdir())
    shutil.copy(image, folders[0] / "copy.jpg")
    shutil.copy(image, folders[1] / "copy_in_another_class.jpg")
    (folders[0] / "broken.jpg").write_bytes(image.read_bytes()[:200])
    (folders[0] / "empty.jpg").write_bytes(b"")
    (folders[0] / "gone.jpg").symlink_to(tmp_path / "nothing")
    shell = Shell(tmp_path, data)
    with FaultServer() as server:
        write_zoo(shell.zoo, [f"class-{i}" for i in range(10)], claim(server, model))
        shell.verify("--on-error", "count-wrong", code=1)
    document = json.loads(shell("audit", "--json").stdout)
    (accuracy,) = document["records"][0]["accuracies"]
    recorded = json.loads(shell.record().read_text())["accuracy"]
    assert accuracy["status"] == "follows"
    assert accuracy["images"] == recorded["images"] == 29
    assert len(recorded["data"]["unreadable"]) == 3
    assert accuracy["correct1"] == recorded["correct1"]
    rows = (shell.results / accuracy["labels_file"]).read_bytes().partition(b"\n")[2]
    assert len(rows) == 29 * 34
    assert rows.startswith(bytes(32))


def test_torch_is_not_imported(results):
    code = (
        "import sys\nfrom vanbench.cli.group import main\n"
        f"try: main(['audit', '--results', {str(results)!r}])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "print({'torch', 'torchvision', 'numpy', 'pandas'} & sys.modules.keys())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "2 of 2 accuracies" in found.stdout
    assert found.stdout.splitlines()[-1] == "set()"


def test_the_script_of_the_documentation_counts_the_same(results, tmp_path):
    page = (ROOT / "docs/evidence.md").read_text(encoding="utf-8")
    script = page.split("```python\n")[1].split("```")[0]
    (top5,) = (results / "evidence/demo").glob("van_nano.*.top5")
    (labels,) = (results / "evidence/demo").glob("*.labels")
    found = subprocess.run([sys.executable, "-c", script, top5, labels], capture_output=True,
                           text=True, check=True)  # fmt: skip
    assert found.stdout == "345 of 360\n"


def test_the_projects_own_results_pass(monkeypatch):
    monkeypatch.chdir(ROOT)
    run("audit")


def test_records_without_an_accuracy(results):
    for name in NAMES:
        path = results / "demo" / f"{name}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"accuracy": None}))
    text = audit(results).stdout
    assert "No accuracy is on record; 2 records without an accuracy." in text
