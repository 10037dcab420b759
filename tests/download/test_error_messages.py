"""Failures of network and disk: a sentence for each cause."""

import errno
import os
import socket
import ssl
import tempfile
from pathlib import Path

import pytest
import requests

from tests.support.downloads import CONTENT, NAME, failure
from tests.support.faultserver import FaultServer
from vanbench.download import error_messages
from vanbench.download.cache import fetch, locked
from vanbench.download.wanted import Wanted
from vanbench.errors import FetchError

TLS = Path(__file__).parents[1] / "support" / "tls"


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


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "refused"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "refused"),
        (TimeoutError("timed out"), "timeout"),
    ],
)
def test_an_unreachable_host_is_tried_once(cache, monkeypatch, error, cause):
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
def test_unusable_addresses(cache, url):
    error = failure(Wanted(NAME, (url,)), cache)
    assert error.kinds == ("address",)
    assert url in str(error)


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EROFS, "read-only"), (errno.EDQUOT, "quota"), (errno.EIO, os.strerror(errno.EIO))],
)
def test_disk_errors_in_words(number, words, tmp_path):
    error = error_messages.disk_error(OSError(number, os.strerror(number)), tmp_path)
    assert words in str(error)
    assert str(tmp_path) in str(error)


def test_an_unknown_exception_of_the_network_is_a_sentence():
    error = error_messages.network_error(requests.RequestException("odd\x1b"), "http://h/x")
    assert error.kind == "garbled"
    assert "\x1b" not in str(error)


def test_words_of_a_library_are_not_repeated_where_a_secret_may_be_in_them():
    error = requests.exceptions.InvalidURL("Failed to parse: 'me:S3CR3T' is no host")
    found = error_messages.network_error(error, "http://me:S3CR3T/x@host/y")
    assert "S3CR3T" not in found.problem
    assert "is no host" in error_messages.network_error(error, "http://host/y").problem


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free disk space, or choose another folder with --cache DIR."),
        (errno.EACCES, "Fix the permissions, or choose another folder with --cache DIR."),
        (errno.EIO, "Choose another folder with --cache DIR."),
    ],
)
def test_the_remedy_fits_the_cause(number, remedy, tmp_path):
    error = error_messages.disk_error(OSError(number, os.strerror(number)), tmp_path)
    assert error.remedy == remedy


def test_the_file_is_named_where_it_is_known(tmp_path):
    error = error_messages.disk_error(OSError(errno.EIO, "x", str(tmp_path / "a")), tmp_path)
    assert error.where == tmp_path / "a"
    error = error_messages.disk_error(OSError(errno.EIO, "x", "/elsewhere"), tmp_path)
    assert error.where == tmp_path


def test_an_open_file_on_windows(tmp_path):
    error = PermissionError(errno.EACCES, "Access is denied")
    error.winerror = 32
    found = error_messages.disk_error(error, tmp_path)
    assert "another program has the file open" in str(found)


def as_another_user(fetch_it):
    """The error of a fetch in a process of the user ``nobody``: its status, and the message."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.setgid(65534)
        os.setuid(65534)
        try:
            text = fetch_it().status + "\n"
        except FetchError as error:
            text = f"{error.status}\n{error}"
        os.write(write, text.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as file:
        status, _, message = file.read().partition("\n")
    return status, message


@pytest.fixture
def shared():
    """A cache that every user may write to, with a source beside it."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        base.chmod(0o755)
        (base / NAME).write_bytes(CONTENT)
        (base / "cache").mkdir()
        (base / "cache").chmod(0o777)
        yield base / "cache"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
class TestAnotherUser:
    """What root has made, and ``nobody`` wants to use."""

    def fetch(self, cache):
        return as_another_user(lambda: fetch(Wanted(NAME, ()), cache, mirrors=[str(cache.parent)]))

    def test_a_lock_that_cannot_be_opened_is_named(self, shared):
        lock = shared / ".vanbench" / f"{NAME}.lock"
        lock.parent.mkdir()
        lock.parent.chmod(0o777)
        lock.touch(mode=0o600)
        status, message = self.fetch(shared)
        assert status == "missing"
        assert message.startswith(f"{lock}: the lock file of the download cannot be opened")
        assert f"The file {lock} belongs to the user root" in message
        assert "--cache DIR" in message

    def test_a_folder_and_a_lock_of_vanbench_are_open_to_others(self, shared):
        umask = os.umask(0o077)
        try:
            with locked(shared, NAME):
                pass
        finally:
            os.umask(umask)
        assert self.fetch(shared) == ("verified", "")

    def test_a_file_in_the_cache_that_cannot_be_read(self, shared):
        (shared / NAME).write_bytes(CONTENT)
        (shared / NAME).chmod(0o600)
        status, message = self.fetch(shared)
        assert status == "unreadable"
        assert message.startswith(f"{shared / NAME}: the file is in the cache, but cannot be read")
        assert "written" not in message
        assert "belongs to the user root" in message

    def test_a_cache_that_cannot_be_entered(self, shared):
        shared.chmod(0o700)
        status, message = self.fetch(shared)
        assert status == "missing"
        assert "the cache cannot be read: reading it is not permitted" in message
        assert f"The folder {shared} belongs to the user root" in message

    def test_a_cache_that_cannot_be_written(self, shared):
        (shared / ".vanbench").mkdir(mode=0o755)
        status, message = self.fetch(shared)
        assert status == "missing"
        assert f"The folder {shared / '.vanbench'} belongs to the user root" in message
