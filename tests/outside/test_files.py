"""Only regular files are opened, and never more than the limit is read."""

import os
import socket

import pytest

from tests.support.special_files import device, huge, looping_link, named_pipe
from vanbench.errors import RecordError
from vanbench.outside.files import check_regular, open_regular, read_bytes


def problem(path, most=100):
    with pytest.raises(RecordError) as caught:
        read_bytes(path, most=most, error=RecordError, remedy="Do this.")
    assert caught.value.where == path
    assert caught.value.remedy == "Do this."
    return caught.value.problem


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_file_up_to_the_limit(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert read_bytes(path, most=100, error=RecordError) == b"x" * size
    assert check_regular(path, RecordError).st_size == size


def test_a_link_to_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "link", most=3, error=RecordError) == b"abc"


def test_a_file_beyond_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1234)
    assert problem(path) == "expected at most 100 bytes, found 1,234"


def test_a_huge_file_is_not_read(tmp_path):
    huge(tmp_path / "sparse")
    assert problem(tmp_path / "sparse") == "expected at most 100 bytes, found 1,099,511,627,776"


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
def test_a_file_that_claims_to_be_empty():
    assert os.stat("/proc/self/status").st_size == 0
    assert problem("/proc/self/status", 10) == "expected at most 10 bytes, found more"
    assert read_bytes("/proc/self/status", most=1 << 16, error=RecordError).startswith(b"Name:")


def test_a_folder(tmp_path):
    assert problem(tmp_path) == "expected a file, found a folder"


def test_a_named_pipe_is_not_opened(tmp_path):
    named_pipe(tmp_path / "pipe")
    assert problem(tmp_path / "pipe") == "expected a file, found a named pipe (FIFO)"


def test_a_device_behind_a_link(tmp_path):
    device(tmp_path / "zero")
    assert problem(tmp_path / "zero") == "expected a file, found a character device"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets on this system")
def test_a_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path may have about 100 characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert problem("socket") == "expected a file, found a socket"


def test_looping_and_broken_links(tmp_path):
    looping_link(tmp_path / "a")
    (tmp_path / "broken").symlink_to("nothing")
    assert problem(tmp_path / "a") == "cannot be read: a loop of symbolic links"
    assert problem(tmp_path / "broken") == "there is no such file"


def test_what_is_absent_can_be_told_apart(tmp_path):
    with pytest.raises(RecordError, match="there is no such file") as caught:
        check_regular(tmp_path / "nothing", RecordError)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_that_no_file_can_have(name):
    assert problem(name) == "no file can have this name"


def test_a_name_that_is_too_long(tmp_path):
    found = problem(tmp_path / ("x" * 5000))
    assert found in ("cannot be read: File name too long", "there is no such file")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read all files")
def test_a_file_without_permission(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    path.chmod(0)
    assert problem(path) == "cannot be read: Permission denied"


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "nothing", "."])
def test_both_checks_agree(name):
    with pytest.raises(RecordError) as of_check:
        check_regular(name, RecordError)
    assert of_check.value.problem == problem(name)


def test_a_file_is_opened_or_an_os_error_says_why(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    named_pipe(tmp_path / "pipe")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"abc"
    with pytest.raises(OSError, match=r"expected a file, found a named pipe \(FIFO\)"):
        open_regular(tmp_path / "pipe")
    with pytest.raises(OSError, match="no file can have this name"):
        open_regular("a\0b")
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nothing")


def test_a_pipe_that_replaces_the_file_is_not_waited_for(tmp_path, monkeypatch):
    named_pipe(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"abc")
    earlier = os.stat(tmp_path / "file")
    monkeypatch.setattr(os, "stat", lambda path: earlier)
    with pytest.raises(OSError, match="expected a file, found a named pipe"):
        open_regular(tmp_path / "pipe")
