"""Files: their hash, whether they changed, and writing them completely or not at all."""

import hashlib
import os

import pytest

from tests.support.special_files import device, named_pipe
from vanbench import files
from vanbench.files import hash_file, sha256_of, write_atomically


def test_the_hash_is_that_of_the_content(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    hashed = hash_file(path)
    assert hashed.sha256 == sha256_of(path) == hashlib.sha256(b"some bytes").hexdigest()
    assert (hashed.path, hashed.bytes) == (path, 10)


@pytest.mark.parametrize("change", ["written", "replaced", "deleted"])
def test_a_change_after_hashing_is_seen(tmp_path, change):
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    hashed = hash_file(path)
    assert hashed.is_unchanged()
    if change == "written":
        os.utime(path, ns=(1, 1))
    elif change == "replaced":
        (tmp_path / "other").write_bytes(b"more bytes")
        os.replace(tmp_path / "other", path)
    else:
        path.unlink()
    assert not hashed.is_unchanged()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_an_existing_files_mode_is_kept(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_line_ends_are_written_as_they_are(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "one\r\ntwo\nthree\r")
    assert path.read_bytes() == b"one\r\ntwo\nthree\r"


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path, exists):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    if exists:
        target.write_text("old")
        target.chmod(0o640)
    link.symlink_to(target.relative_to(tmp_path))
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert not exists or target.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["target"]


@pytest.mark.parametrize("refusals", [0, 2, 4])
def test_windows_refuses_while_another_program_has_the_target_open(tmp_path, monkeypatch, refusals):
    """It is tried again; elsewhere a refusal is about permissions, and final."""
    path, really, asked = tmp_path / "file", os.replace, []

    def busy(source, target):
        asked.append(target)
        if len(asked) <= refusals:
            raise PermissionError(13, "Access is denied")
        really(source, target)

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(files, "_WINDOWS", True)
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert len(asked) == refusals + 1
    asked.clear()
    monkeypatch.setattr(files, "_WINDOWS", False)
    if refusals:
        with pytest.raises(PermissionError):
            write_atomically(path, "newer")
        assert (len(asked), path.read_text()) == (1, "new")


def test_a_file_that_changes_while_it_is_hashed_is_not_unchanged(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")

    def change(done, total):
        path.write_bytes(b"other byte")
        os.utime(path, ns=(1, 1))

    assert not hash_file(path, change).is_unchanged()


def test_what_is_no_regular_file_is_not_hashed(tmp_path):
    named_pipe(tmp_path / "pipe")
    device(tmp_path / "zero")
    for name, kind in (("pipe", "a named pipe"), ("zero", "a character device")):
        with pytest.raises(OSError, match=f"expected a file, found {kind}"):
            hash_file(tmp_path / name)
