"""Servers that send a byte from time to time, in each phase of a request."""

import os
import socket
import socketserver
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.downloads import CONTENT, NAME
from tests.support.faultserver import BEHAVIOURS, FaultServer
from vanbench.download.cache import fetch
from vanbench.download.deadline import Deadline, TooSlow, within
from vanbench.download.retry_policy import RetryPolicy
from vanbench.download.wanted import Wanted
from vanbench.errors import FetchError

TLS = Path(__file__).parents[1] / "support" / "tls" / "valid.pem"
LIMITS = RetryPolicy(
    connect_timeout=0.5,
    read_timeout=0.5,
    answer_timeout=0.5,
    stall_timeout=1.2,
    attempts=2,
    backoff=0.01,
    largest=200_000,
)
DRIPS = [name for name in BEHAVIOURS if name.startswith("drips_") and name != "drips_trailers"]


def tls_server() -> FaultServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS)
    return FaultServer(wrap=lambda sock: context.wrap_socket(sock, server_side=True))


@pytest.fixture
def trusted(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(TLS))


@pytest.fixture(params=["http", "https"])
def either_server(request, trusted):
    with tls_server() if request.param == "https" else FaultServer() as running:
        yield running


@pytest.fixture
def proxied(monkeypatch):
    """Sets the proxy of http and https."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def set_proxy(url: str) -> None:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, url)

    return set_proxy


class Drip(socketserver.BaseRequestHandler):
    """Reads what comes first, sends ``opening``, and then a byte from time to time."""

    opening = b""

    def handle(self) -> None:
        self.request.recv(65536)
        with suppress(OSError):
            self.request.sendall(self.opening)
            for _ in range(400):
                self.request.sendall(b"\1")
                time.sleep(0.02)


@pytest.fixture
def dripping(request):
    """The port of a server that drips from its first byte on, or after what the test says."""
    handler = type("Handler", (Drip,), {"opening": getattr(request, "param", b"")})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads, running.block_on_close = True, False
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


def failure(*urls: str, cache: Path, policy: RetryPolicy = LIMITS) -> tuple[FetchError, float]:
    """The error of a download, and how many seconds it took."""
    since = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetch(Wanted(NAME, urls), cache, policy=policy)
    assert not (cache / NAME).exists()
    return caught.value, time.monotonic() - since


def check_is_given_up(server: FaultServer, name: str, cache: Path) -> None:
    error, seconds = failure(server.put(f"/{NAME}", CONTENT, [name]), cache=cache)
    assert error.kinds == ("timeout",)
    assert seconds < 2.5
    phases = ("no complete header of the answer within", "it sends fewer than 1024 bytes per")
    assert any(phase in str(error) for phase in phases)


@pytest.mark.parametrize("name", DRIPS)
def test_a_server_that_drips_is_given_up(server, cache, name):
    check_is_given_up(server, name, cache)


@pytest.mark.parametrize("name", ["drips_headers", "drips_chunk_extension"])
def test_a_server_that_drips_over_tls_is_given_up(trusted, cache, name):
    with tls_server() as server:
        check_is_given_up(server, name, cache)


@pytest.mark.parametrize("dripping", [b"", b"\x16\x03\x03\x3f\xff"], indirect=True)
def test_a_tls_handshake_that_drips(dripping, cache):
    error, seconds = failure(f"https://127.0.0.1:{dripping}/{NAME}", cache=cache)
    assert error.kinds[0] in ("timeout", "tls")
    assert seconds < 2.5


@pytest.mark.parametrize("dripping", [b"HTTP/1.1 200 OK\r\nX: "], indirect=True)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_drips(dripping, cache, proxied, scheme):
    proxied(f"http://127.0.0.1:{dripping}")
    error, seconds = failure(f"{scheme}://weights.invalid/{NAME}", cache=cache)
    assert error.kinds[0] in ("proxy", "timeout")
    assert seconds < 2.5


@pytest.mark.parametrize("dripping", [b"\x16\x03\x03\x3f\xff"], indirect=True)
def test_a_tls_handshake_that_drips_through_a_proxy_with_tls(dripping, cache, proxied, trusted):
    """TLS inside of TLS is done in Python, with a timeout for each byte."""
    with TunnelProxy(dripping) as proxy:
        proxied(f"https://127.0.0.1:{proxy.port}")
        error, seconds = failure(f"https://127.0.0.1:{dripping}/{NAME}", cache=cache)
    assert error.kinds[0] in ("proxy", "timeout")
    assert seconds < 2.5


class TunnelProxy:
    """A proxy with TLS that passes on what one port on localhost sends."""

    def __init__(self, port: int):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), context.wrap_socket(self.request, server_side=True) as sock:
                    sock.recv(65536)
                    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    with socket.create_connection(("127.0.0.1", port)) as behind:
                        behind.sendall(sock.recv(65536))
                        while data := behind.recv(65536):
                            sock.sendall(data)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.port = self._server.server_address[1]

    def __enter__(self) -> "TunnelProxy":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_name_server_that_does_not_answer(cache, monkeypatch):
    """What the resolver does cannot be interrupted, but it is not waited for."""
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: answer.wait(20))
    error, seconds = failure("http://weights.invalid/x", cache=cache)
    answer.set()
    assert error.kinds == ("timeout",)
    assert "no answer within 0.5 s" in str(error)
    assert seconds < 2


def test_after_a_server_that_drips_the_next_one_continues(server, cache):
    half = len(CONTENT) // 2
    slow = server.put("/slow", CONTENT, ["closes_after_a_quarter", "drips_headers"])
    fast = server.put("/fast", CONTENT)
    fetched = fetch(Wanted(NAME, (slow, fast)), cache, policy=LIMITS)
    assert fetched.path.read_bytes() == CONTENT
    assert half < server.sent("/fast") < len(CONTENT)


def test_a_slow_server_is_not_given_up(either_server, cache):
    """Longer than each limit but that of the rate."""
    since = time.monotonic()
    url = either_server.put(f"/{NAME}", CONTENT, ["slow_but_steady"])
    assert fetch(Wanted(NAME, (url,)), cache, policy=LIMITS).path.read_bytes() == CONTENT
    assert time.monotonic() - since > LIMITS.stall_timeout


def test_a_slow_server_that_loses_connections_is_not_given_up(server, cache):
    script = ["slow_but_steady_in_quarters"] * 10
    url = server.put(f"/{NAME}", CONTENT, script)
    assert fetch(Wanted(NAME, (url,)), cache, policy=LIMITS).path.read_bytes() == CONTENT


def test_the_whole_transfer_has_a_limit(server, cache):
    policy = RetryPolicy(total_timeout=0.7)
    url = server.put(f"/{NAME}", CONTENT, ["slow_but_steady"])
    error, seconds = failure(url, cache=cache, policy=policy)
    assert error.kinds == ("timeout",)
    assert "the download takes too long in all" in str(error)
    assert seconds < 2


def test_all_bytes_have_arrived_and_the_response_has_no_end(either_server, cache):
    url = either_server.put(f"/{NAME}", CONTENT, ["drips_trailers"])
    assert fetch(Wanted(NAME, (url,)), cache, policy=LIMITS).path.read_bytes() == CONTENT
    assert len(either_server.requests) == 1


def test_without_a_hash_a_response_without_end_is_given_up(server, cache):
    url = server.put("/weights.pth", CONTENT, ["drips_trailers"])
    since = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetch(Wanted("weights.pth", (url,)), cache, policy=LIMITS)
    assert caught.value.kinds == ("timeout",)
    assert time.monotonic() - since < 2.5


def test_a_file_that_is_larger_than_it_can_be(server, cache):
    url = server.put(f"/{NAME}", CONTENT, ["floods_chunks"])
    with pytest.raises(FetchError, match="more than the 30000 that such a checkpoint may have"):
        fetch(Wanted(NAME, (url,), most=30_000), cache, policy=LIMITS)
    assert not list((cache / ".vanbench").glob("*.part"))
    url = server.put(f"/{NAME}", CONTENT)
    assert fetch(Wanted(NAME, (url,), most=len(CONTENT)), cache).path.read_bytes() == CONTENT


def test_waits_that_a_server_asks_for_have_a_limit_in_all(server, cache):
    policy = RetryPolicy(stall_timeout=1.5, attempts=50)
    url = server.put(f"/{NAME}", CONTENT, ["throttles_for_a_second"])
    error, seconds = failure(url, cache=cache, policy=policy)
    assert error.kinds == ("busy",)
    assert seconds < 2


def test_a_call_that_ends_in_time():
    deadline = Deadline(5, 5, float("inf"), float("inf"))
    assert within(deadline, lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        within(deadline, lambda: 1 // 0)


def test_a_call_that_does_not_end_in_time():
    ended = threading.Event()
    with pytest.raises(TooSlow):
        within(Deadline(0.05, 5, float("inf"), float("inf")), lambda: ended.wait(10))
    ended.set()


@pytest.mark.skipif(os.name != "posix", reason="counts descriptors in /proc")
def test_no_connection_and_no_thread_is_left(server, cache):
    """Without servers in this process's thread count: those that the client made have a name."""
    failure(server.put(f"/{NAME}", CONTENT, ["drips_headers"]), cache=cache)
    time.sleep(0.3)
    assert not [t for t in threading.enumerate() if t.name == "vanbench request"]
