"""A web server on localhost that misbehaves as told, over real sockets.

Each path has a script: the behaviours of its successive requests; the last one stays. A behaviour
is a function of an Exchange, listed in ``BEHAVIOURS`` with the causes that it may end in when it
never stops (empty: the file arrives all the same).
"""

import gzip
import itertools
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate

PAGE = b"<!DOCTYPE html>\n<html><head><title>Down for maintenance</title></head></html>"
XML = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'

BOMB = gzip.compress(bytes(5 << 20))
_PAUSE = 0.02  # seconds between the bytes of a server that drips


@dataclass
class Resource:
    """What a path serves, and how."""

    content: bytes
    script: list[str]
    etag: str | None = '"right"'
    modified: float | None = 1_650_000_000
    earlier: bytes = b""  # what the path served before, for faults that change the file
    pause_at: int = 0  # where waits_midway stops sending


@dataclass
class Request:
    """One request as it came, and how many bytes of body were sent for it."""

    path: str
    headers: dict[str, str]
    sent: int = 0


@dataclass
class Exchange:
    """One request and the means to answer it."""

    server: "FaultServer"
    sock: socket.socket
    request: Request
    resource: Resource

    @property
    def range_start(self) -> int | None:
        """The first byte that is asked for; None for the whole file."""
        match = re.fullmatch(r"bytes=(\d+)-", self.request.headers.get("range", ""))
        return int(match.group(1)) if match else None

    @property
    def still_same(self) -> bool:
        """Whether If-Range, if there is one, names the file as it is now."""
        named = self.request.headers.get("if-range")
        now = (self.resource.etag, self.validators().get("Last-Modified"))
        return named is None or named in now

    def validators(self) -> dict[str, str]:
        found = {}
        if self.resource.etag:
            found["ETag"] = self.resource.etag
        if self.resource.modified is not None:
            found["Last-Modified"] = formatdate(self.resource.modified, usegmt=True)
        return found

    def head(self, status: int, headers: dict[str, object], reason: str = "Whatever") -> None:
        lines = [f"HTTP/1.1 {status} {reason}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def body(self, data: bytes) -> None:
        self.request.sent += len(data)  # first: the client may read the count once it has the data
        self.sock.sendall(data)

    def reply(self, status: int, data: bytes, **headers: object) -> None:
        """A whole answer; underscores in header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.head(status, {"Content-Length": len(data), **named})
        self.body(data)

    def answer(self) -> tuple[int, dict[str, object], bytes]:
        """What a correct server says to this request: status, headers, body."""
        content, start = self.resource.content, self.range_start
        headers: dict[str, object] = {"Accept-Ranges": "bytes", **self.validators()}
        if start is None or not self.still_same:
            return 200, {**headers, "Content-Length": len(content)}, content
        if start >= len(content):
            return 416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": 0}, b""
        rest = content[start:]
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return 206, {**headers, "Content-Range": span, "Content-Length": len(rest)}, rest

    def drip(self, data: bytes, seconds: float = 20) -> None:
        """Send ``data`` again and again, a byte at a time, until the client has given up."""
        for byte in itertools.islice(itertools.cycle(data), int(seconds / _PAUSE)):
            self.sock.sendall(bytes([byte]))
            time.sleep(_PAUSE)

    def flood(self, data: bytes, megabytes: int = 10) -> None:
        """Send ``data`` again and again, as fast as it goes."""
        block = data * (1 + 65536 // len(data))
        for _ in range((megabytes << 20) // len(block)):
            self.sock.sendall(block)

    def wait_for_client(self) -> None:
        """Send nothing more; return when the client has given up."""
        self.sock.settimeout(20)
        with suppress(OSError):
            while self.sock.recv(4096):
                pass

    def reset(self) -> None:
        """End the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@dataclass(frozen=True)
class Behaviour:
    """``causes``: what an endless repetition may end in; empty when the file still arrives."""

    run: Callable[[Exchange], None]
    causes: frozenset[str] = field(default_factory=frozenset)


BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(*causes: str) -> Callable:
    def register(function: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
        BEHAVIOURS[function.__name__] = Behaviour(function, frozenset(causes))
        return function

    return register


class FaultServer(socketserver.ThreadingTCPServer):
    """Serves on 127.0.0.1; ``requests`` is what came, in order. Use it as a context manager."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, wrap: Callable[[socket.socket], socket.socket] | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.resources: dict[str, Resource] = {}
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.wrap = wrap
        self.scheme = "https" if wrap else "http"

    def __enter__(self) -> "FaultServer":
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what this server is for."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def put(self, path: str, content: bytes, script: Iterable[str] = ("right",), **more) -> str:
        """Serve ``content`` at ``path`` as the script says; returns the URL."""
        self.resources[path] = Resource(content, list(script), **more)
        return self.url + path

    def requests_for(self, path: str) -> list[Request]:
        with self.lock:
            return [request for request in self.requests if request.path == path]

    def sent(self, path: str) -> int:
        """The bytes of body that went out for a path."""
        return sum(request.sent for request in self.requests_for(path))


class _Handler(socketserver.BaseRequestHandler):
    server: FaultServer

    def handle(self) -> None:
        sock = self.server.wrap(self.request) if self.server.wrap else self.request
        request = _read_request(sock)
        if request is None:
            return
        with self.server.lock:
            self.server.requests.append(request)
            resource = self.server.resources.get(request.path)
            script = resource.script if resource else []
            name = script.pop(0) if len(script) > 1 else script[0] if script else "not_found"
        exchange = Exchange(self.server, sock, request, resource or Resource(b"", []))
        with suppress(OSError):
            BEHAVIOURS[name].run(exchange)
            sock.shutdown(socket.SHUT_WR)


def _read_request(sock: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            return None
        data += chunk
    first, *lines = data.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    return Request(first.split(" ")[1], headers)


# Behaviours under which the file arrives.


@behaviour()
def right(x: Exchange) -> None:
    status, headers, body = x.answer()
    x.head(status, headers)
    x.body(body)


@behaviour()
def ignores_range(x: Exchange) -> None:
    x.reply(200, x.resource.content, **x.validators())


@behaviour()
def no_validators(x: Exchange) -> None:
    x.resource.etag = x.resource.modified = None
    right(x)


@behaviour()
def weak_etag(x: Exchange) -> None:
    x.resource.etag = 'W/"weak"'
    right(x)


@behaviour()
def ignores_if_range(x: Exchange) -> None:
    x.request.headers.pop("if-range", None)
    right(x)


@behaviour()
def compresses(x: Exchange) -> None:
    x.reply(200, gzip.compress(x.resource.content), Content_Encoding="gzip", **x.validators())


@behaviour()
def compresses_ranges(x: Exchange) -> None:
    packed, start = gzip.compress(x.resource.content), x.range_start or 0
    if not start:
        return compresses(x)
    span = f"bytes {start}-{len(packed) - 1}/{len(packed)}"
    x.reply(206, packed[start:], Content_Encoding="gzip", Content_Range=span)


@behaviour()
def redirects(x: Exchange) -> None:
    x.server.resources.setdefault(x.request.path + "-2", Resource(x.resource.content, ["right"]))
    x.reply(302, b"", Location=x.request.path + "-2")


@behaviour()
def redirects_with_an_endless_body(x: Exchange) -> None:
    x.server.resources.setdefault(x.request.path + "-2", Resource(x.resource.content, ["right"]))
    x.head(302, {"Location": x.request.path + "-2"})
    for _ in range(1000):
        x.sock.sendall(bytes(65536))


@behaviour()
def chunked(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked", **x.validators()})
    for i in range(0, len(x.resource.content), 9000):
        piece = x.resource.content[i : i + 9000]
        x.body(b"%x\r\n%s\r\n" % (len(piece), piece))
    x.body(b"0\r\n\r\n")


@behaviour()
def without_length(x: Exchange) -> None:
    x.head(200, dict(x.validators()))
    x.body(x.resource.content)


@behaviour()
def senseless_length(x: Exchange) -> None:
    x.head(200, {"Content-Length": "banana"})
    x.body(x.resource.content)


@behaviour()
def called_html(x: Exchange) -> None:
    x.reply(200, x.resource.content, Content_Type="text/html", **x.validators())


@behaviour()
def in_pieces(x: Exchange) -> None:
    status, headers, body = x.answer()
    x.head(status, headers)
    for i in range(0, len(body), 5000):
        x.body(body[i : i + 5000])
        time.sleep(0.002)


@behaviour()
def closes_after_a_quarter(x: Exchange) -> None:
    status, headers, body = x.answer()
    x.head(status, headers)
    x.body(body[: len(x.resource.content) // 4])


@behaviour()
def resets_after_a_quarter(x: Exchange) -> None:
    closes_after_a_quarter(x)
    time.sleep(0.01)
    x.reset()


@behaviour()
def sends_quarters_as_206(x: Exchange) -> None:
    content, start = x.resource.content, x.range_start
    if start is None or not x.still_same:
        return closes_after_a_quarter(x)
    piece = content[start : start + len(content) // 4]
    span = f"bytes {start}-{start + len(piece) - 1}/{len(content)}"
    x.reply(206, piece, Content_Range=span, **x.validators())


@behaviour()
def overstates_length(x: Exchange) -> None:
    if x.range_start is not None:
        return right(x)
    x.head(200, {"Content-Length": len(x.resource.content) + 1000, **x.validators()})
    x.body(x.resource.content)


@behaviour()
def says_416_to_ranges(x: Exchange) -> None:
    if x.range_start is None:
        return right(x)
    x.reply(416, b"")


@behaviour()
def shifts_ranges(x: Exchange) -> None:
    if not x.range_start:
        return right(x)
    start, content = x.range_start - 7, x.resource.content
    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
    x.reply(206, content[start:], Content_Range=span, **x.validators())


@behaviour()
def ranges_of_a_longer_file(x: Exchange) -> None:
    if not x.range_start:
        return right(x)
    start, content = x.range_start, x.resource.content + b"more"
    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
    x.reply(206, content[start:], Content_Range=span)


@behaviour()
def ranges_without_content_range(x: Exchange) -> None:
    if not x.range_start:
        return right(x)
    x.reply(206, x.resource.content[x.range_start :])


@behaviour()
def ranges_in_multipart(x: Exchange) -> None:
    if not x.range_start:
        return right(x)
    x.reply(206, b"--b\r\n\r\nx\r\n--b--", Content_Type="multipart/byteranges; boundary=b")


@behaviour()
def slow_but_steady(x: Exchange) -> None:
    """10 KB/s."""
    status, headers, body = x.answer()
    x.head(status, headers)
    for i in range(0, len(body), 1000):
        x.body(body[i : i + 1000])
        time.sleep(0.1)


@behaviour()
def slow_but_steady_in_quarters(x: Exchange) -> None:
    """10 KB/s, and the connection is lost after a quarter of the file."""
    status, headers, body = x.answer()
    x.head(status, headers)
    for i in range(0, len(x.resource.content) // 4 + 1, 1000):
        x.body(body[i : i + 1000])
        time.sleep(0.1)


@behaviour()
def one_byte_chunks(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked", **x.validators()})
    x.body(b"".join(b"1;some=extension\r\n%c\r\n" % byte for byte in x.resource.content))
    x.body(b"0\r\nTrailer: 1\r\n\r\n")


@behaviour()
def drips_trailers(x: Exchange) -> None:
    """All bytes of the file arrive, but the response has no end."""
    x.head(200, {"Transfer-Encoding": "chunked", **x.validators()})
    content = x.resource.content
    x.body(b"%x\r\n%s\r\n0\r\nTrailer: " % (len(content), content))
    x.drip(b"z")


@behaviour()
def floods_trailers(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked", **x.validators()})
    content = x.resource.content
    x.body(b"%x\r\n%s\r\n0\r\n" % (len(content), content))
    x.flood(b"Trailer: 1\r\n", megabytes=10_000)


@behaviour()
def sends_more_than_the_length(x: Exchange) -> None:
    right(x)
    x.flood(b"junk")


@behaviour()
def compresses_in_two_members(x: Exchange) -> None:
    content = x.resource.content
    packed = gzip.compress(content[:1000]) + gzip.compress(content[1000:])
    x.reply(200, packed, Content_Encoding="gzip", **x.validators())


# Behaviours that end in a failure when they never stop.


@behaviour("mismatch")
def still_serves_the_earlier_file(x: Exchange) -> None:
    other = Exchange(x.server, x.sock, x.request, Resource(x.resource.earlier, [], '"earlier"', 1))
    right(other)


@behaviour("closed")
def changes_midway(x: Exchange) -> None:
    x.head(200, {"Content-Length": len(x.resource.earlier), "ETag": '"earlier"'})
    x.body(x.resource.earlier[: len(x.resource.earlier) // 2])


@behaviour("busy")
def throttles(x: Exchange) -> None:
    x.reply(429, b"", Retry_After=0)


@behaviour("busy")
def throttles_until_a_date(x: Exchange) -> None:
    x.reply(503, b"", Retry_After=formatdate(time.time() - 5, usegmt=True))


@behaviour("busy")
def throttles_for_a_second(x: Exchange) -> None:
    x.reply(429, b"", Retry_After=1)


@behaviour("busy")
def throttles_for_an_hour(x: Exchange) -> None:
    x.reply(429, b"", Retry_After=3600)


@behaviour("busy")
def unavailable(x: Exchange) -> None:
    x.reply(503, PAGE)


@behaviour("status")
def internal_error(x: Exchange) -> None:
    x.reply(500, PAGE)


@behaviour("status")
def bad_gateway(x: Exchange) -> None:
    x.reply(502, b"")


@behaviour("status")
def forbidden(x: Exchange) -> None:
    x.reply(403, PAGE)


@behaviour("status")
def no_content(x: Exchange) -> None:
    x.head(204, {})


@behaviour("status")
def always_416(x: Exchange) -> None:
    x.reply(416, b"")


@behaviour("absent")
def not_found(x: Exchange) -> None:
    x.reply(404, PAGE)


@behaviour("absent")
def gone(x: Exchange) -> None:
    x.reply(410, b"")


@behaviour("timeout")
def stalls_at_once(x: Exchange) -> None:
    x.wait_for_client()


@behaviour("timeout")
def stalls_in_headers(x: Exchange) -> None:
    x.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    x.wait_for_client()


@behaviour("timeout")
def stalls_early(x: Exchange) -> None:
    status, headers, body = x.answer()
    x.head(status, headers)
    x.body(body[:100])
    x.wait_for_client()


@behaviour("timeout")
def waits_midway(x: Exchange) -> None:
    status, headers, body = x.answer()
    x.head(status, headers)
    x.body(body[: x.resource.pause_at])
    x.wait_for_client()


@behaviour("timeout")
def trickles(x: Exchange) -> None:
    status, headers, body = x.answer()
    x.head(status, headers)
    for i in range(200):
        x.body(body[i : i + 1])
        time.sleep(0.05)


@behaviour("closed")
def says_nothing(x: Exchange) -> None:
    """Closes without an answer."""


@behaviour("closed")
def resets_at_once(x: Exchange) -> None:
    x.reset()


@behaviour("closed")
def closes_early(x: Exchange) -> None:
    status, headers, body = x.answer()
    x.head(status, headers)
    x.body(body[:100])


@behaviour("closed")
def overstates_length_always(x: Exchange) -> None:
    x.head(200, {"Content-Length": len(x.resource.content) + 1000})
    x.body(x.resource.content)


@behaviour("closed")
def breaks_chunks(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked"})
    x.body(b"2328\r\n" + x.resource.content[:5000])


@behaviour("closed", "garbled")
def ends_between_chunks(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked"})
    x.body(b"1388\r\n" + x.resource.content[:5000] + b"\r\n")


@behaviour("garbled", "closed")
def senseless_chunks(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked"})
    x.body(b"what?\r\n" + x.resource.content)


@behaviour("mismatch")
def understates_length(x: Exchange) -> None:
    x.head(200, {"Content-Length": len(x.resource.content) - 1000})
    x.body(x.resource.content)


@behaviour("mismatch")
def truncates_without_length(x: Exchange) -> None:
    x.head(200, {})
    x.body(x.resource.content[:-1])


@behaviour("mismatch")
def flips_a_bit(x: Exchange) -> None:
    middle = len(x.resource.content) // 2
    flipped = bytes([x.resource.content[middle] ^ 16])
    x.reply(200, x.resource.content[:middle] + flipped + x.resource.content[middle + 1 :])


@behaviour("mismatch")
def appends_a_byte(x: Exchange) -> None:
    x.reply(200, x.resource.content + b"\0")


@behaviour("page")
def page_with_status_200(x: Exchange) -> None:
    x.reply(200, PAGE, Content_Type="text/html")


@behaviour("page")
def page_called_binary(x: Exchange) -> None:
    x.reply(200, PAGE, Content_Type="application/octet-stream")


@behaviour("page")
def xml_with_status_200(x: Exchange) -> None:
    x.reply(200, XML)


@behaviour("empty")
def empty(x: Exchange) -> None:
    x.reply(200, b"")


@behaviour("redirect")
def redirects_in_circles(x: Exchange) -> None:
    x.reply(302, b"", Location=x.request.path)


@behaviour("redirect")
def redirects_to_a_local_file(x: Exchange) -> None:
    x.reply(302, b"", Location="file:///etc/hostname")


@behaviour("redirect")
def redirects_to_nonsense(x: Exchange) -> None:
    x.reply(302, b"", Location="http://[nonsense/")


@behaviour("refused")
def redirects_to_a_closed_port(x: Exchange) -> None:
    x.reply(307, b"", Location="http://127.0.0.1:1/")


@behaviour("refused")
def redirects_with_a_token_to_a_closed_port(x: Exchange) -> None:
    x.reply(302, b"", Location="http://me:S3CR3T@127.0.0.1:1/?token=S3CR3T")


@behaviour("garbled")
def partial_unasked(x: Exchange) -> None:
    content = x.resource.content
    span = f"bytes 0-999/{len(content)}"
    x.reply(206, content[:1000], Content_Range=span)


@behaviour("garbled", "closed")
def not_http(x: Exchange) -> None:
    x.sock.sendall(b"220 ready for mail\r\n\r\n")


@behaviour("garbled", "closed")
def endless_header(x: Exchange) -> None:
    x.sock.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000)


@behaviour("garbled")
def breaks_compression(x: Exchange) -> None:
    packed = bytearray(gzip.compress(x.resource.content))
    packed[5000:5100] = bytes(100)
    packed[:4] = b"nope"
    x.reply(200, bytes(packed), Content_Encoding="gzip")


@behaviour("too-large")
def never_ends(x: Exchange) -> None:
    x.head(200, {})
    for _ in range(1000):
        x.body(bytes([1]) * 65536)


@behaviour("too-large")
def claims_a_gigabyte(x: Exchange) -> None:
    x.head(200, {"Content-Length": 10**9})
    x.body(x.resource.content)


@behaviour("too-large")
def claims_a_petabyte(x: Exchange) -> None:
    x.head(200, {"Content-Length": 10**15})
    x.body(x.resource.content)


# Behaviours that end in a failure, of a server that sends without end.


@behaviour("timeout")
def drips_status_line(x: Exchange) -> None:
    x.drip(b"HTTP/1.1 200 " + b"O" * 5000)


@behaviour("timeout")
def drips_continue(x: Exchange) -> None:
    x.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


@behaviour("timeout")
def drips_headers(x: Exchange) -> None:
    x.sock.sendall(b"HTTP/1.1 200 OK\r\n")
    x.drip(b"X: y\r\n")


@behaviour("timeout")
def drips_a_redirect(x: Exchange) -> None:
    x.sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /")
    x.drip(b"x")


@behaviour("timeout")
def drips_chunk_size(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked", **x.validators()})
    x.drip(b"0" * 5000)


@behaviour("timeout")
def drips_chunk_extension(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked", **x.validators()})
    x.body(b"64\r\n%s\r\n64;extension=" % x.resource.content[:100])
    x.drip(b"x")


@behaviour("timeout")
def drips_one_byte_chunks(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked", **x.validators()})
    x.drip(b"1\r\nx\r\n")


@behaviour("timeout")
def drips_compressed_data(x: Exchange) -> None:
    x.head(200, {"Content-Encoding": "gzip", **x.validators()})
    x.drip(gzip.compress(x.resource.content))


@behaviour("garbled")
def floods_continue(x: Exchange) -> None:
    x.flood(b"HTTP/1.1 100 Continue\r\n\r\n")


@behaviour("garbled", "closed")
def floods_headers(x: Exchange) -> None:
    x.sock.sendall(b"HTTP/1.1 200 OK\r\n")
    x.flood(b"X: y\r\n")


@behaviour("garbled", "closed")
def floods_one_header(x: Exchange) -> None:
    x.sock.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    x.flood(b"y")


@behaviour("status")
def floods_early_hints(x: Exchange) -> None:
    x.flood(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")


@behaviour("redirect")
def redirects_ever_onward(x: Exchange) -> None:
    onward = x.request.path + "x"
    x.server.resources[onward] = Resource(x.resource.content, ["redirects_ever_onward"])
    x.reply(302, b"", Location=onward)


@behaviour("too-large")
def floods_chunks(x: Exchange) -> None:
    x.head(200, {"Transfer-Encoding": "chunked"})
    x.flood(b"400\r\n" + b"x" * 1024 + b"\r\n")


@behaviour("too-large")
def gzip_bomb(x: Exchange) -> None:
    x.reply(200, BOMB, Content_Encoding="gzip")


@behaviour("too-large")
def floods_empty_gzip_members(x: Exchange) -> None:
    x.head(200, {"Content-Encoding": "gzip"})
    x.flood(gzip.compress(b""))


@behaviour("garbled")
def compresses_as_unknown(x: Exchange) -> None:
    x.reply(200, x.resource.content, Content_Encoding="br\x1b[31m")


@behaviour("garbled", "closed", "mismatch")
def length_of_5000_digits(x: Exchange) -> None:
    x.head(200, {"Content-Length": "9" * 5000})
    x.body(x.resource.content[:-1])


@behaviour("closed")
def ends_in_compressed_data(x: Exchange) -> None:
    x.reply(200, gzip.compress(x.resource.content)[:-100], Content_Encoding="gzip")
