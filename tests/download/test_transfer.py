"""One transfer: retried, resumed, and given up."""

import errno
import os
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from tests.support.downloads import CONTENT, NAME, QUICK, failure
from vanbench.download.cache import fetch
from vanbench.download.partial import Origin, Part
from vanbench.download.transfer import local_path, resume_headers
from vanbench.download.wanted import Wanted
from vanbench.errors import StorageError
from vanbench.interrupts import Interrupted


def test_a_path_in_the_home_folder():
    assert local_path("~/x") == Path.home() / "x"
    assert local_path("file:///a%20b") == Path("/a b")
    assert local_path("https://host/x") is None


def test_a_host_that_answered_before_is_tried_again(server, cache, monkeypatch):
    connect, tries = socket.socket.connect, []

    def sometimes(sock, address):
        tries.append(address)
        if len(tries) == 2:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        return connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", sometimes)
    url = server.put(f"/{NAME}", CONTENT, ["closes_after_a_quarter", "right"])
    assert fetch(Wanted(NAME, (url,)), cache, policy=QUICK).status == "verified"
    assert len(tries) == 3


def test_a_page_is_named_with_its_title(server, cache):
    url = server.put(f"/{NAME}", CONTENT, ["page_with_status_200"])
    error = failure(Wanted(NAME, (url,)), cache)
    assert error.kinds == ("page",)
    assert 'an HTML or XML page ("Down for maintenance")' in str(error)


def test_a_page_does_not_delete_the_part(server, cache):
    url = server.put(f"/{NAME}", CONTENT, ["closes_after_a_quarter", "page_with_status_200"])
    failure(Wanted(NAME, (url,)), cache)
    assert Part(cache / ".vanbench", NAME).size == len(CONTENT) // 4
    server.put(f"/{NAME}", CONTENT)
    fetch(Wanted(NAME, (url,)), cache)
    assert server.requests[-1].sent == len(CONTENT) - len(CONTENT) // 4


def test_a_wait_that_is_too_long_is_reported_instead(server, cache):
    url = server.put(f"/{NAME}", CONTENT, ["throttles_for_an_hour"])
    error = failure(Wanted(NAME, (url,)), cache)
    assert error.kinds == ("busy",)
    assert "asks to wait 3600 s" in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("origin", "url", "hashed", "headers"),
    [
        (None, "u", True, {}),
        (Origin("u", '"e"', "date"), "u", False, {"Range": "bytes=9-", "If-Range": '"e"'}),
        (Origin("u", 'W/"e"', "date"), "u", False, {"Range": "bytes=9-", "If-Range": "date"}),
        (Origin("u", 'W/"e"'), "u", False, {}),
        (Origin("u"), "u", True, {"Range": "bytes=9-"}),
        (Origin("v", '"e"'), "u", True, {"Range": "bytes=9-"}),
        (Origin("v", '"e"'), "u", False, {}),
    ],
)
def test_the_headers_that_resume(origin, url, hashed, headers):
    assert resume_headers(origin, 9, url, hashed) == headers


def test_without_bytes_nothing_is_resumed():
    assert resume_headers(Origin("u", '"e"'), 0, "u", True) == {}


def test_a_second_source_continues_the_bytes_of_the_first(server, cache):
    first = server.put("/first", CONTENT, ["closes_after_a_quarter", "gone"])
    second = server.put("/second", CONTENT, etag='"elsewhere"')
    fetched = fetch(Wanted(NAME, (first, second)), cache, policy=QUICK)
    assert fetched.url == second
    assert server.sent("/first") + server.sent("/second") == len(CONTENT)


def test_an_interrupt_keeps_the_part(server, cache):
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    url = server.put(f"/{NAME}", CONTENT, ["in_pieces", "right"])
    with pytest.raises(Interrupted) as interrupted:
        fetch(Wanted(NAME, (url,)), cache, progress=interrupt)
    part = Part(cache / ".vanbench", NAME)
    kept = part.size
    assert kept > 0
    assert str(interrupted.value) == (
        f"{kept} bytes of the file are kept in {part.path}. The same command resumes the download."
    )
    fetch(Wanted(NAME, (url,)), cache)
    assert server.requests[-1].sent == len(CONTENT) - kept


def test_a_full_disk_is_noticed_before_the_transfer(server, cache, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**6, 10**6 - 100, 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)
    assert isinstance(error, StorageError)
    assert "the disk is full" in str(error)
    assert "--cache DIR" in str(error)


def test_a_disk_that_fills_up_during_the_transfer(server, cache, monkeypatch):
    """/dev/full answers every write as a full disk does."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(Part, "append", lambda self: full)
        error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)
    assert isinstance(error, StorageError)
    assert "the disk is full" in str(error)


@pytest.mark.skipif(os.name != "nt", reason="paths of Windows")
def test_a_path_of_windows():
    assert local_path("file:///C:/a%20b/x.pth") == Path("C:\\a b\\x.pth")


def test_the_note_of_a_part_has_no_secret(server, cache):
    secret = server.put(f"/{NAME}?token=S3CR3T", CONTENT, ["closes_after_a_quarter", "gone"])
    failure(Wanted(NAME, (secret,)), cache)
    part = Part(cache / ".vanbench", NAME)
    assert part.size == len(CONTENT) // 4
    assert "S3CR3T" not in part.note.read_text()
    server.put(f"/{NAME}?token=S3CR3T", CONTENT)
    assert fetch(Wanted(NAME, (secret,)), cache).path.read_bytes() == CONTENT
    assert server.requests[-1].headers["if-range"] == '"right"'
    assert server.sent(f"/{NAME}?token=S3CR3T") == len(CONTENT)


def test_without_a_hash_the_bytes_of_another_source_are_not_completed(server, cache):
    """A part that is complete is one source's; another source's file may be another one."""
    first = server.put("/a/weights.pth", CONTENT)
    second = server.put("/b/weights.pth", bytes(len(CONTENT)))
    wanted = Wanted("weights.pth", (second, first))
    part = Part(cache / ".vanbench", wanted.cache_name)
    part.path.parent.mkdir(parents=True)
    part.begin(Origin(first, '"right"', length=len(CONTENT)))
    part.path.write_bytes(CONTENT)
    assert fetch(wanted, cache).path.read_bytes() == bytes(len(CONTENT))
