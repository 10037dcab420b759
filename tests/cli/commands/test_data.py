"""``vanbench data``: the report as text and JSON, and its exit codes."""

import json

import pytest
from click.testing import CliRunner

from tests.support import drawing
from vanbench.cli.group import main
from vanbench.zoo.class_ids import imagenet_1k


@pytest.fixture
def few():
    return drawing.pictures(per_class=3, classes=imagenet_1k()[:4])


@pytest.fixture
def folders(few, tmp_path):
    return drawing.class_folders(tmp_path / "val", few)


def run(*arguments):
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def test_the_verdict_comes_first_and_the_next_command_last(folders):
    result = run(folders)
    assert result.exit_code == 0
    first, missing, few_images, *details, _, last = result.stdout.splitlines()
    assert first == "subset: 12 images, in 4 of 1,000 classes, without a fault."
    assert missing.startswith("  note: 996 of 1,000 classes have no images (")
    assert few_images.startswith("  note: 4 classes have fewer than 50 images (")
    assert details == [
        "",
        f"data         {folders}",
        "layout       class folders",
        "checked      headers (--decode for the rest)",
        f"fingerprint  {json.loads(run(folders, '--json').stdout)['data']['fingerprint']}",
    ]
    assert last == f"Next: vanbench validate --all --data {folders} (a partial result)"


def test_a_set_of_its_own_classes():
    result = run("--zoo", "demo")
    assert result.stdout.startswith("custom: 360 images, in 10 of 10 classes, without a fault.\n")
    assert result.stdout.splitlines()[-1] == "Next: vanbench verify --all --zoo demo"


def test_an_altered_set_names_its_faults_and_what_to_do(folders, few):
    (folders / few[0].wnid / few[0].name).write_bytes(b"")
    result = run(folders)
    assert result.exit_code == 1
    first, fault, *_, last = result.stdout.splitlines()
    assert first == "altered: 12 images, in 4 of 1,000 classes, with a fault."
    assert fault.startswith("  fault: 1 file is empty (zero bytes) (")
    assert last == f"Next: vanbench data {folders} (when the faults are repaired)"


def test_an_interruption_says_that_nothing_was_written(folders, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("vanbench.data.inspect.inspect", interrupt)
    result = run(folders)
    assert result.exit_code == 130
    assert result.stderr == "Interrupted. Nothing was written. The same command starts again.\n"


def test_the_command_says_altered_with_its_exit_code(folders, few):
    (folders / few[0].wnid / few[0].name).write_bytes(b"")
    result = run(folders, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)["data"]
    assert document["verdict"] == "altered"
    assert document["of_classes"] == 1000
    assert document["sentence"] == "altered: 12 images, in 4 of 1,000 classes, with a fault"
    assert document["problems"][0]["examples"] == [f"{few[0].wnid}/{few[0].name}"]


def test_the_command_complains_in_one_line(tmp_path):
    result = run(tmp_path)
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "found an empty folder" in result.stderr
    assert run(tmp_path / "nowhere").exit_code == 3
