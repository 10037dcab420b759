"""``vanbench hash``."""

import hashlib
import json
import shutil

from tests.support.command_line import demo_checkpoint, run


def test_the_name_that_zoos_expect_is_printed(tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"weights")
    digits = hashlib.sha256(b"weights").hexdigest()
    outcome = run("hash", path)
    assert digits in outcome.stdout
    assert f"mine-{digits[:8]}.pth" in outcome.stdout


def test_a_published_file_is_recognised_whatever_its_name(tmp_path):
    copy = tmp_path / "other.pth"
    shutil.copy(demo_checkpoint(), copy)
    (found,) = json.loads(run("hash", copy, "--zoo", "demo", "--json").stdout)["files"]
    assert found["bytes"] == copy.stat().st_size
    assert found["models"], "the demo zoo has this file"


def test_a_name_with_other_digits_exits_with_1(tmp_path):
    path = tmp_path / "van-0123abcd.pth"
    path.write_bytes(b"weights")
    run("hash", path, code=1)


def test_a_file_that_is_missing_is_one_message(tmp_path):
    outcome = run("hash", tmp_path / "absent.pth", code=3)
    assert "absent.pth" in outcome.stderr


def test_what_is_printed_of_each_file(tmp_path):
    own = tmp_path / f"van-{hashlib.sha256(b'weights').hexdigest()[:8]}.pth"
    namesake = tmp_path / demo_checkpoint().name
    for path in (own, namesake):
        path.write_bytes(b"weights")
    outcome = run("hash", own, namesake, tmp_path / "absent", code=1)
    lines = [line.strip() for line in outcome.stdout.splitlines()]
    assert f"name     {own.name} (its own)" in lines
    assert "not      van_nano.digits of demo, whose published file has this name" in lines
    assert lines.count("✗ its present name ends in the digits of another hash") == 1
    assert lines[-1] == (
        "0 of 3 files known as a model's file, 1 with the name of another file, 1 not readable."
    )
    assert outcome.stderr == f"Error: {tmp_path / 'absent'}: there is no such file.\n"


def test_only_the_zoo_that_is_asked_for_is_looked_at():
    found = {
        zoo: json.loads(run("hash", demo_checkpoint(), "--zoo", zoo, "--json").stdout)["files"]
        for zoo in ("demo", "openmmlab")
    }
    assert [m["zoo"] for m in found["demo"][0]["models"]] == ["demo"]
    assert found["openmmlab"][0]["models"] == []
