"""``vanbench verify``."""

import shutil

import pytest

from tests.support.command_line import DEMO_IMAGES, run


def test_a_results_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    outcome = run(
        "verify", "van_b0", "--offline", "--cache", tmp_path, "--results", tmp_path / "file" / "r",
        code=3,
    )  # fmt: skip
    assert "Error:" in outcome.stderr


@pytest.fixture
def images(tmp_path):
    """Some of the demo's images, in a folder whose name the shell needs in quotes."""
    folder = tmp_path / "my images"
    shutil.copytree(DEMO_IMAGES, folder)
    for path in sorted(folder.glob("*/*"))[::2]:
        path.unlink()
    return folder


@pytest.fixture
def following(tmp_path):
    """The next command after a ``verify``, without the options that it always has here."""
    options = ["--cache", str(tmp_path / "cache"), "--results", str(tmp_path / "results")]

    def after(*arguments, **kwargs):
        outcome = run("verify", *arguments, *options, "--workers", 0, "-q", **kwargs)
        line = outcome.stdout.splitlines()[-1]
        return line.removeprefix("Next: vanbench ").removesuffix(" ".join(["", *options]))

    return after


DEMO = ("van_nano", "--zoo", "demo")


def test_the_next_command_has_the_data_that_was_given(images, following):
    data = ("--data", images)
    assert following(*DEMO, *data, code=1) == (
        f"diagnose van_nano.digits --data '{images}' --zoo demo"
    )
    assert following(*DEMO, *data, "--limit", 20) == (
        f"verify van_nano.digits --data '{images}' --zoo demo"
    )
    assert following("van_b0", "--offline", *data, code=3) == (
        f"verify van_b0.in1k --data '{images}' --mirror 'URL|FOLDER'"
    )


def test_what_the_next_command_finds_itself_is_not_repeated(images, following):
    assert following(*DEMO, "--limit", 20) == "verify van_nano.digits --zoo demo"
    environment = {"VANBENCH_DATA": str(images)}
    assert following(*DEMO, code=1, env=environment) == "diagnose van_nano.digits --zoo demo"


def test_a_path_is_asked_for_where_none_was_given(tmp_path, following):
    zoo = tmp_path / "mine.toml"
    zoo.write_text("""schema = 1
name = "mine"
title = "Mine"
source = "https://example.org"
counting = { resolution = 32, num_classes = 10 }
[protocol]
classes = ["digit-0", "digit-1", "digit-2", "digit-3", "digit-4", "digit-5", "digit-6", "digit-7",
  "digit-8", "digit-9"]
""")
    with zoo.open("a") as file:
        (checkpoint,) = DEMO_IMAGES.parent.glob("van-nano*.pth")
        file.write('[models."van_mine.digits"]\nreported = { top1 = "95.00" }\n')
        file.write("architecture = { embed_dims = [12, 24, 36, 48], depths = [1, 1, 1, 1] }\n")
        file.write(f'url = "{checkpoint.as_uri()}"\n')
    assert following("--all", "--zoo", zoo) == f"verify --all --data PATH --zoo {zoo}"


def test_a_set_that_gives_no_accuracy_is_inspected(tmp_path, following):
    empty = tmp_path / "no images"
    empty.mkdir()
    assert following(*DEMO, "--data", empty, code=3) == f"data '{empty}' --zoo demo"
