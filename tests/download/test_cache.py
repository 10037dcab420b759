"""Fetching: cache, sources, mirrors, offline, and a sentence for each cause of failure."""

import errno
import hashlib
import os
import shutil
import socket
import ssl
from collections import namedtuple
from pathlib import Path

import pytest
import requests
import torch

from tests.support.faultserver import FaultServer
from vanbench.download import error_messages
from vanbench.download.cache import Wanted, default_cache, fetch, in_cache
from vanbench.download.partial import Origin, Part
from vanbench.download.transfer import RetryPolicy, local_path, resume_headers
from vanbench.errors import FetchError, MismatchError, MissingError, StorageError
from vanbench.file_types import describe_bytes, page_title

CONTENT = bytes(range(256)) * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = f"weights-{SHA256[:8]}.pth"
OTHER = "weights-00000000.pth"
QUICK = RetryPolicy(connect_timeout=2, read_timeout=0.5, attempts=2, backoff=0.005)
TLS = Path(__file__).parents[1] / "support" / "tls"


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def failure(wanted: Wanted, cache: Path, **options) -> FetchError:
    """The error with which a fetch ends; nothing new may have the name."""
    before = in_cache(wanted, cache)
    with pytest.raises(FetchError) as caught:
        fetch(wanted, cache, policy=QUICK, **options)
    assert in_cache(wanted, cache) == before
    assert "://" not in caught.value.cause
    assert not wanted.filename or wanted.filename not in caught.value.cause
    assert not caught.value.cause.endswith(".")
    return caught.value


# Names and hashes


@pytest.mark.parametrize(
    ("filename", "sha256", "published"),
    [
        ("van-tiny_8xb128_in1k_20220501-385941af.pth", None, "385941af"),
        ("weights-385941af.safetensors", None, "385941af"),
        ("weights-385941af.pth", "AB" * 32, "ab" * 32),
        ("weights.pth", None, None),
        ("weights-385941a.pth", None, None),
        ("weights-385941ag.pth", None, None),
        ("weights_20220501.pth", None, None),
    ],
)
def test_the_published_hash(filename, sha256, published):
    assert Wanted(filename, (), sha256).published == published


@pytest.mark.parametrize("home", [None, "/x/torch", "~/torch"])
@pytest.mark.parametrize("xdg", [None, "/x/cache", "~/cache"])
def test_the_cache_is_the_one_of_torch_hub(monkeypatch, home, xdg):
    for name, value in (("TORCH_HOME", home), ("XDG_CACHE_HOME", xdg)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    assert str(default_cache()) == os.path.join(torch.hub.get_dir(), "checkpoints")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\\b", "a\nb"])
def test_a_name_that_is_no_plain_file_name_is_refused(cache, name):
    assert isinstance(failure(Wanted(name, ("http://127.0.0.1:1/",)), cache), MissingError)
    assert not cache.exists()


# From the web and from the cache


def test_fetched_once_then_found_in_the_cache(server, cache):
    url = server.put(f"/{NAME}", CONTENT)
    first = fetch(Wanted(NAME, (url,)), cache)
    again = fetch(Wanted(NAME, (url,)), cache)

    assert first.path == cache / NAME
    assert first.path.read_bytes() == CONTENT
    assert (first.bytes, first.sha256, first.url) == (len(CONTENT), SHA256, url)
    assert first.status == again.status == "verified"
    assert again.url is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8], SHA256[:20], SHA256.upper()])
def test_a_published_hash_may_be_whole_or_a_prefix(server, cache, sha256):
    url = server.put("/weights.pth", CONTENT)
    assert fetch(Wanted("weights.pth", (url,), sha256), cache).status == "verified"


def test_without_a_published_hash_a_file_is_unverifiable(server, cache):
    url = server.put("/weights.pth", CONTENT)
    assert fetch(Wanted("weights.pth", (url,)), cache).status == "unverifiable"
    again = fetch(Wanted("weights.pth", (url,)), cache, offline=True)
    assert (again.status, again.url) == ("unverifiable", None)


def test_progress_ends_at_the_length(server, cache):
    seen = []
    url = server.put(f"/{NAME}", CONTENT, ["in_pieces"])
    fetch(Wanted(NAME, (url,)), cache, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_a_wrong_file_in_the_cache_is_replaced_and_kept_aside(server, cache):
    cache.mkdir()
    (cache / NAME).write_bytes(b"wrong")
    fetched = fetch(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)

    assert fetched.path.read_bytes() == CONTENT
    rejected = cache / ".vanbench" / "rejected" / NAME
    assert rejected.read_bytes() == b"wrong"
    assert "expected a file with the published SHA-256" in Path(f"{rejected}.txt").read_text()


def test_a_wrong_file_in_the_cache_stays_where_no_other_is_to_be_had(cache):
    cache.mkdir()
    (cache / NAME).write_bytes(b"wrong")
    for options in ({"offline": True}, {}):
        error = failure(Wanted(NAME, ("http://127.0.0.1:1/x",)), cache, **options)
        assert isinstance(error, MismatchError)
        assert str(cache / NAME) in str(error)
        assert (cache / NAME).read_bytes() == b"wrong"


def test_another_file_than_the_recorded_one_is_a_mismatch(server, cache):
    url = server.put(f"/{NAME}", CONTENT)
    recorded = SHA256[:8] + "0" * 56
    error = failure(Wanted(NAME, (url,), recorded=recorded), cache)
    assert isinstance(error, MismatchError)
    assert f"an earlier verified run recorded another file; expected SHA-256 {recorded}" in str(
        error
    )
    assert fetch(Wanted(NAME, (url,), recorded=SHA256), cache).status == "verified"


# Sources


def test_sources_are_tried_in_order_mirrors_first(server, cache):
    mirror = server.put(f"/mirror/{NAME}", CONTENT, ["not_found"]).rpartition("/")[0]
    first = server.put(f"/first/{NAME}", CONTENT, ["forbidden"])
    second = server.put(f"/second/{NAME}", CONTENT)
    fetched = fetch(Wanted(NAME, (first, second)), cache, mirrors=[mirror + "/"])
    assert fetched.url == second
    assert [r.path.split("/")[1] for r in server.requests] == ["mirror", "first", "second"]


@pytest.mark.parametrize("form", ["path", "file URL"])
@pytest.mark.parametrize("offline", [True, False])
def test_a_folder_as_mirror(tmp_path, cache, form, offline):
    folder = tmp_path / "own files"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    mirror = str(folder) if form == "path" else folder.as_uri()
    fetched = fetch(Wanted(NAME, ()), cache, mirrors=[mirror], offline=offline)
    assert fetched.status == "verified"
    assert fetched.path.read_bytes() == CONTENT


def test_a_path_in_the_home_folder():
    assert local_path("~/x") == Path.home() / "x"
    assert local_path("file:///a%20b") == Path("/a b")
    assert local_path("https://host/x") is None


def test_offline_asks_no_server(server, cache):
    url = server.put(f"/{NAME}", CONTENT)
    error = failure(Wanted(NAME, (url,)), cache, offline=True)
    assert isinstance(error, MissingError)
    assert error.status == "missing"
    assert "vanbench import DIR" in str(error)
    assert not server.requests


def test_every_source_is_in_the_message_with_what_to_do(server, cache):
    urls = (server.put("/a", CONTENT, ["not_found"]), "http://127.0.0.1:1/b", "file:///no/c")
    error = failure(Wanted(NAME, urls), cache)
    assert error.kinds == ("absent", "refused", "absent")
    refused = "127.0.0.1:1 refused the connection"
    assert error.cause == f"HTTP status 404; {refused}; no such file"
    assert error.status == "unreachable"
    for text in (*urls, "404", "refused the connection", "no such file", "--mirror", "import DIR"):
        assert text in str(error)


def test_a_file_that_nobody_has_is_missing(server, cache):
    error = failure(Wanted(NAME, (server.put("/a", b"", ["gone"]), "/no/such/file")), cache)
    assert (error.status, error.kinds) == ("missing", ("absent", "absent"))


def test_the_same_reason_twice_is_said_once_in_brief(server, cache):
    urls = [server.put(path, b"", ["forbidden"]) for path in ("/a", "/b")]
    error = failure(Wanted(NAME, tuple(urls)), cache)
    assert error.kinds == ("status", "status")
    assert error.cause == "HTTP status 403"


def test_a_mismatch_says_all_there_is_to_say(server, cache):
    url = server.put(f"/{OTHER}", CONTENT)
    error = failure(Wanted(OTHER, (url,)), cache)
    assert error.status == "mismatch"
    assert error.cause == f"hash mismatch: expected 00000000…, got {SHA256[:8]}…"
    rejected = cache / ".vanbench" / "rejected" / OTHER
    kept = f"kept in the cache as .vanbench/rejected/{OTHER}"
    for text in (url, "00000000", SHA256, f"{len(CONTENT)} bytes", "the bytes b'", kept):
        assert text in str(error)
    assert rejected.read_bytes() == CONTENT
    assert len(server.requests) == 2  # once more from zero


# What goes wrong on the way


def test_an_unknown_host_is_asked_for_once(cache, monkeypatch):
    asked = []

    def unknown(*args, **kwargs):
        asked.append(args)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(Wanted(NAME, ("http://no-such-host.invalid/x",)), cache)
    assert (error.status, error.kinds) == ("unreachable", ("dns",))
    assert "the host name no-such-host.invalid cannot be resolved (DNS)" in str(error)
    assert error.cause == "the host name no-such-host.invalid cannot be resolved (DNS)"
    assert len(asked) == 1


def test_a_host_that_was_there_before_is_tried_again(server, cache, monkeypatch):
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


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "refused"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "refused"),
        (TimeoutError("timed out"), "timeout"),
    ],
)
def test_a_host_that_is_not_to_be_reached_is_tried_once(cache, monkeypatch, error, cause):
    tries = []

    def never(sock, address):
        tries.append(address)
        raise error

    monkeypatch.setattr(socket.socket, "connect", never)
    found = failure(Wanted(NAME, ("http://127.0.0.1:1/x",)), cache)
    assert (found.kinds, len(tries)) == ((cause,), 1)


def tls_server(certificate: str) -> FaultServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{certificate}.pem")
    return FaultServer(wrap=lambda sock: context.wrap_socket(sock, server_side=True))


@pytest.mark.parametrize(
    ("certificate", "trusted", "words"),
    [
        ("valid", False, "its certificate is self-signed"),
        ("expired", True, "its certificate has expired"),
    ],
)
def test_tls_failures(cache, monkeypatch, certificate, trusted, words):
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(TLS / f"{certificate}.pem"))
    with tls_server(certificate) as server:
        error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)
    assert error.kinds == ("tls",)
    assert words in str(error)


def test_a_private_certificate_store(cache, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(TLS / "valid.pem"))
    with tls_server("valid") as server:
        fetched = fetch(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)
    assert fetched.status == "verified"


def test_a_certificate_store_that_is_not_there(cache, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/store")
    error = failure(Wanted(NAME, ("https://127.0.0.1:1/x",)), cache)
    assert error.kinds == ("tls",)
    assert "/no/such/store" in str(error)


def test_a_proxy_that_does_not_answer(server, cache, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    error = failure(Wanted(NAME, ("http://weights.invalid/x",)), cache)
    assert error.kinds == ("proxy",)
    assert "HTTP_PROXY" in str(error)


@pytest.mark.parametrize("url", ["gopher://host/x", "http://[bad/x", "http:///x"])
def test_addresses_that_are_none(cache, url):
    error = failure(Wanted(NAME, (url,)), cache)
    assert error.kinds == ("address",)
    assert url in str(error)


def test_a_page_is_named_with_its_title(server, cache):
    url = server.put(f"/{NAME}", CONTENT, ["page_with_status_200"])
    error = failure(Wanted(NAME, (url,)), cache)
    assert error.kinds == ("page",)
    assert 'an HTML or XML page ("Down for maintenance")' in str(error)


def test_a_page_does_not_cost_the_part(server, cache):
    url = server.put(f"/{NAME}", CONTENT, ["closes_after_a_quarter", "page_with_status_200"])
    failure(Wanted(NAME, (url,)), cache)
    assert Part(cache / ".vanbench", NAME).size == len(CONTENT) // 4
    server.put(f"/{NAME}", CONTENT)
    fetch(Wanted(NAME, (url,)), cache)
    assert server.requests[-1].sent == len(CONTENT) - len(CONTENT) // 4


def test_a_wait_that_is_too_long_is_said_and_not_waited(server, cache):
    url = server.put(f"/{NAME}", CONTENT, ["throttles_for_an_hour"])
    error = failure(Wanted(NAME, (url,)), cache)
    assert error.kinds == ("busy",)
    assert "asks to wait 3600 s" in str(error)
    assert len(server.requests) == 1


def test_control_characters_of_a_page_do_not_reach_the_terminal():
    assert page_title(b"<title>\x1b[31mred</title>") == "\N{REPLACEMENT CHARACTER}[31mred"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04....", "a zip archive"),
        (b"\x80\x02}q\x00.", "a pickle"),
        (b"\x10\0\0\0\0\0\0\0{}", "a safetensors file"),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?><Error><Code>NoSuchKey</Code>", '("NoSuchKey")'),
    ],
)
def test_first_bytes(head, kind):
    assert kind in describe_bytes(head)


# Resuming


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
def test_what_is_asked_to_resume(origin, url, hashed, headers):
    assert resume_headers(origin, 9, url, hashed) == headers


def test_nothing_there_is_nothing_to_resume():
    assert resume_headers(Origin("u", '"e"'), 0, "u", True) == {}


def test_another_source_continues_what_one_began(server, cache):
    first = server.put("/first", CONTENT, ["closes_after_a_quarter", "gone"])
    second = server.put("/second", CONTENT, etag='"elsewhere"')
    fetched = fetch(Wanted(NAME, (first, second)), cache, policy=QUICK)
    assert fetched.url == second
    assert server.sent("/first") + server.sent("/second") == len(CONTENT)


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"url": 1}', '{"url": "u\\n", "length": "x"}'])
def test_a_damaged_note_means_from_zero(server, cache, note):
    part = Part(cache / ".vanbench", NAME)
    part.path.parent.mkdir(parents=True)
    part.path.write_bytes(b"what is this")
    part.note.write_text(note)
    url = server.put(f"/{NAME}", CONTENT)
    assert fetch(Wanted(NAME, (url,)), cache).path.read_bytes() == CONTENT
    assert "range" not in server.requests[0].headers


def test_an_interrupt_keeps_the_part(server, cache):
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    url = server.put(f"/{NAME}", CONTENT, ["in_pieces", "right"])
    with pytest.raises(KeyboardInterrupt):
        fetch(Wanted(NAME, (url,)), cache, progress=interrupt)
    kept = Part(cache / ".vanbench", NAME).size
    assert kept > 0
    fetch(Wanted(NAME, (url,)), cache)
    assert server.requests[-1].sent == len(CONTENT) - kept


# The disk


def test_a_full_disk_is_noticed_before(server, cache, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**6, 10**6 - 100, 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)
    assert isinstance(error, StorageError)
    assert "the disk is full" in str(error)
    assert "--cache DIR" in str(error)


def test_a_disk_that_fills_up_on_the_way(server, cache, monkeypatch):
    """/dev/full answers every write as a full disk does."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(Part, "append", lambda self: full)
        error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)
    assert isinstance(error, StorageError)
    assert "the disk is full" in str(error)


def test_a_cache_below_a_file(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), tmp_path / "file" / "cache")
    assert isinstance(error, StorageError)
    assert not server.requests


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache(server, cache):
    cache.mkdir(mode=0o500)
    error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)
    assert isinstance(error, StorageError)
    assert "not permitted" in str(error)


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EROFS, "read-only"), (errno.EDQUOT, "quota"), (errno.EIO, os.strerror(errno.EIO))],
)
def test_disk_errors_in_words(number, words, tmp_path):
    error = error_messages.disk_error(OSError(number, os.strerror(number)), tmp_path)
    assert words in str(error)
    assert str(tmp_path) in str(error)


def test_the_right_file_in_a_read_only_cache_needs_no_lock(cache):
    cache.mkdir()
    (cache / NAME).write_bytes(CONTENT)
    assert fetch(Wanted(NAME, ()), cache).status == "verified"
    assert [path.name for path in cache.iterdir()] == [NAME]


def test_an_unexpected_network_exception_is_still_a_sentence():
    error = error_messages.network_error(requests.RequestException("odd\x1b"), "http://h/x")
    assert error.kind == "garbled"
    assert "\x1b" not in str(error)
