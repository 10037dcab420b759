"""A file's hash, the name that zoos expect, and whose file it is."""

import hashlib
import shutil

import pytest

from tests.support.command_line import demo_checkpoint
from vanbench.download.identify import expected_name, identify
from vanbench.errors import MissingError, UnreadableError
from vanbench.files import hash_file
from vanbench.zoo.reader import load_zoo

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
DIGITS = SHA256[:8]
ZOOS = [load_zoo("openmmlab"), load_zoo("demo")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("van.pth", f"van-{DIGITS}.pth"),
        ("van.pth.tar", f"van-{DIGITS}.pth.tar"),
        ("van", f"van-{DIGITS}"),
        (".pth", f"-{DIGITS}.pth"),
        ("van-20240101.pth", f"van-20240101-{DIGITS}.pth"),
        ("van-0123abcd.pth", f"van-{DIGITS}.pth"),
        (f"van-{DIGITS}.safetensors", f"van-{DIGITS}.safetensors"),
        (f"van-{SHA256[:12]}.pth", f"van-{SHA256[:12]}.pth"),
        ("a.b c.pth", f"a.b c-{DIGITS}.pth"),
    ],
)
def test_the_expected_name(name, expected):
    assert expected_name(name, SHA256) == expected


@pytest.mark.parametrize(
    ("name", "digits"),
    [("van.pth", "none"), (f"van-{DIGITS}.pth", "own"), ("van-0123abcd.pth", "other")],
)
def test_what_the_present_name_says(name, digits, tmp_path):
    path = tmp_path / name
    path.write_bytes(CONTENT)
    found = identify(path, ZOOS)
    assert (found.digits, found.file.sha256, found.models) == (digits, SHA256, ())


def test_a_published_file_is_recognised_by_its_hash_alone(tmp_path):
    copy = tmp_path / "x"
    shutil.copy(demo_checkpoint(), copy)
    assert identify(copy, ZOOS).models == (("demo", "van_nano.digits"),)


def test_another_file_with_a_published_name_is_a_namesake(tmp_path):
    path = tmp_path / "van-tiny_8xb128_in1k_20220501-385941af.pth"
    path.write_bytes(CONTENT)
    found = identify(path, ZOOS)
    assert (found.models, found.namesakes) == ((), (("openmmlab", "van_b0.in1k"),))
    assert found.name == f"van-tiny_8xb128_in1k_20220501-{DIGITS}.pth"


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(MissingError, match="there is no such file"):
        identify(tmp_path / "absent", ZOOS)
    with pytest.raises(UnreadableError, match="expected a file, found a folder"):
        identify(tmp_path, ZOOS)


def test_a_large_file_is_hashed_in_pieces_with_progress(tmp_path):
    path = tmp_path / "large"
    content = bytes(range(256)) * 4096 * 3 + b"end"
    path.write_bytes(content)
    steps = []
    found = hash_file(path, lambda done, total: steps.append((done, total)))
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert [done for done, _ in steps] == [1 << 20, 2 << 20, 3 << 20, (3 << 20) + 3]
    assert {total for _, total in steps} == {len(content)}
