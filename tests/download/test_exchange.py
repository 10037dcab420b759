"""One response: what a server may say in it, and how much of it is read."""

import gzip
import tracemalloc
from contextlib import suppress

import pytest

from tests.support.downloads import CONTENT, NAME, failure
from tests.support.faultserver import BEHAVIOURS, Behaviour, Exchange
from vanbench.download.cache import fetch
from vanbench.download.retry_policy import RetryPolicy
from vanbench.download.wanted import Wanted
from vanbench.errors import FetchError

ESCAPES = "\x1b[2J\x9b31m" + "x" * 5000


@pytest.fixture
def answer(monkeypatch):
    """Defines what the behaviour ``tested`` of the server is."""

    def define(function) -> list[str]:
        monkeypatch.setitem(BEHAVIOURS, "tested", Behaviour(function))
        return ["tested"]

    return define


def error_of(server, cache, script) -> FetchError:
    return failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT, script),)), cache)


@pytest.mark.parametrize("status", [403, 404, 418, 503])
def test_a_reason_is_shown_without_its_escape_sequences(server, cache, answer, status):
    def reply(x: Exchange) -> None:
        x.head(status, {"Content-Length": 0}, reason=ESCAPES)

    error = error_of(server, cache, answer(reply))
    assert f"the server answered {status} (\\x1b[2J\\x9b31mxxx" in str(error)
    assert len(str(error)) < 1000
    assert error.cause == f"HTTP status {status}"


def test_the_title_of_a_page_is_shown_without_its_escape_sequences(server, cache, answer):
    page = f"<html><title>{ESCAPES}</title>".encode()
    error = error_of(server, cache, answer(lambda x: x.reply(200, page)))
    assert error.kinds == ("page",)
    assert error.cause.replace("\N{REPLACEMENT CHARACTER}", "").isprintable()
    assert len(error.cause) < 300


def test_the_place_of_a_redirect_is_shown_without_its_escape_sequences(server, cache, answer):
    script = answer(lambda x: x.reply(302, b"", Location=f"ftp://{ESCAPES}"))
    error = error_of(server, cache, script)
    assert error.kinds == ("redirect",)
    assert all(line.isprintable() for line in str(error).splitlines())
    assert len(str(error)) < 1000


def test_a_coding_that_was_not_asked_for(server, cache):
    error = error_of(server, cache, ["compresses_as_unknown"])
    assert error.kinds == ("garbled",)
    assert "it encoded the file as br\\x1b[31m without being asked to" in str(error)
    assert error.cause == "it encoded the file without being asked to"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Length": "9" * 5000},
        {"Content_Length": "-5"},
        {"Retry_After": "9" * 5000},
        {"Retry_After": "Mon, 01 Jan 0001 00:00:00 +9999"},
        {"ETag": '"' + "e" * 60_000 + '"'},
        {"Last_Modified": "\xe9" * 1000},
        {"Content_Range": "bytes 0-" + "9" * 5000 + "/1"},
        {"Set_Cookie": "a=b; expires=" + "1 " * 20_000},
        {"Transfer_Encoding": "gzip, chunked"},
    ],
)
@pytest.mark.parametrize("status", [200, 206, 503])
def test_headers_that_make_no_sense(server, cache, answer, headers, status):
    """The file, or an error of ours."""
    script = answer(lambda x: x.reply(status, x.resource.content, **headers))
    wanted = Wanted(NAME, (server.put(f"/{NAME}", CONTENT, script),))
    with suppress(FetchError):
        assert fetch(wanted, cache, policy=RetryPolicy(attempts=1)).path.read_bytes() == CONTENT


def test_compressed_data_are_decompressed_in_pieces(server, cache, answer):
    packed = gzip.compress(bytes(50 << 20))
    script = answer(lambda x: x.reply(200, packed, Content_Encoding="gzip"))
    url = server.put(f"/{NAME}", CONTENT, script)
    tracemalloc.start()
    with pytest.raises(FetchError, match="more than the 40000000 that such a checkpoint may have"):
        fetch(Wanted(NAME, (url,)), cache, policy=RetryPolicy(largest=40_000_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6
