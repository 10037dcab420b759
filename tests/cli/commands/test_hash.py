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
