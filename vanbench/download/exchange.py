"""One request and its response over HTTP, under the limits of a RetryPolicy."""

import http.client
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from vanbench._version import __version__
from vanbench.download.deadline import Deadline, DeadlineAdapter, within
from vanbench.download.error_messages import network_error
from vanbench.download.retry_policy import RetryPolicy
from vanbench.errors import SourceError
from vanbench.outside.safe_text import for_terminal
from vanbench.zoo.addresses import redact

CHUNK = 1 << 18
_MOST_TEXT = 200  # characters of a server's words that are shown
_RETRIED = (408, 425, 429, 500, 502, 503, 504)
_ABSENT = (404, 410)
_REDIRECTS = 10
_COMPRESSED = ("gzip", "x-gzip", "deflate")
_ANY_FORMAT = 47  # zlib's number for gzip or zlib, told apart by the header
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(?:(\d{1,18})|\*)")
_NETWORK = (OSError, ValueError, HTTPError, http.client.HTTPException)  # OSError: requests' too


@contextmanager
def exchange(
    url: str, headers: Mapping[str, str], policy: RetryPolicy, deadline: Deadline
) -> Iterator[requests.Response]:
    """The response after all redirects, its body not read yet; no body of a redirect is read."""
    place = url
    for _ in range(_REDIRECTS):
        with _get(place, url, headers, policy, deadline) as response:
            if not response.is_redirect:
                yield response
                return
            place = _next_place(place, response.headers["Location"], url)
    raise SourceError(url, "it redirects without end", "redirect")


def _next_place(place: str, location: str, url: str) -> str:
    """The address that a redirect names; SourceError unless it is http or https."""
    with suppress(ValueError):
        there = urljoin(place, location)
        if urlsplit(there).scheme in ("http", "https"):
            return there
    shown = for_terminal(redact(location), most=_MOST_TEXT)
    what = f"it redirects to {shown}, which is not a web address"
    raise SourceError(
        url, what, "redirect", cause="it redirects to something that is not a web address"
    )


def _get(
    place: str, url: str, headers: Mapping[str, str], policy: RetryPolicy, deadline: Deadline
) -> requests.Response:
    asked = {"User-Agent": f"vanbench/{__version__}", "Accept-Encoding": "identity", **headers}
    timeout = (policy.connect_timeout, policy.read_timeout)
    deadline.expect_header(policy.largest_header)
    try:
        # Not requests.get: it would read a redirect's whole body into memory.
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, DeadlineAdapter(deadline))
            request = session.prepare_request(requests.Request("GET", place, headers=asked))
            address = str(request.url)
            settings = session.merge_environment_settings(address, {}, True, None, None)
            adapter = session.get_adapter(address)
            return within(deadline, lambda: adapter.send(request, timeout=timeout, **settings))
    except _NETWORK as error:
        raise network_error(error, url) from error


def body(
    response: requests.Response, url: str, policy: RetryPolicy, deadline: Deadline
) -> Iterator[bytes]:
    """The body as it comes, decompressed where the server compressed it unasked."""
    received = _receive(response, url, policy, deadline)
    coding = content_coding(response)
    if coding is None:
        return received
    if coding not in _COMPRESSED:
        shown = for_terminal(coding, most=40)
        what = f"it encoded the file as {shown} without being asked to"
        raise SourceError(url, what, "garbled", cause="it encoded the file without being asked to")
    return _decompress(received, url)


def _receive(
    response: requests.Response, url: str, policy: RetryPolicy, deadline: Deadline
) -> Iterator[bytes]:
    """The body as it was sent; SourceError where it comes too slowly or has no end."""
    deadline.expect_body()
    slow = f"it sends fewer than {policy.least_rate:.0f} bytes per second"
    enough, total = policy.least_rate * policy.read_timeout, 0
    while True:
        deadline.start(policy.read_timeout, slow)
        received = 0
        while received < enough:
            try:
                chunk = response.raw.read1(CHUNK, decode_content=False)
            except _NETWORK as error:
                raise network_error(error, url) from error
            if not chunk:
                return
            received += len(chunk)
            total += len(chunk)
            if total > policy.largest + CHUNK:  # of compressed bytes that decompress to nothing
                raise too_large(url, total, policy)
            before = time.monotonic()
            yield chunk
            deadline.postpone(time.monotonic() - before)  # writing is not the server's time
        deadline.sent_enough()


def _decompress(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """The content of gzip or zlib streams, in pieces of at most ``CHUNK`` bytes."""
    stream, whole = zlib.decompressobj(_ANY_FORMAT), True
    for chunk in chunks:
        while chunk:
            try:
                data = stream.decompress(chunk, CHUNK)
            except zlib.error as error:
                what = "it compressed the file and sent broken data"
                raise SourceError(url, what, "garbled", transient=True) from error
            if data:
                yield data
            chunk, whole = stream.unconsumed_tail, stream.eof
            if stream.eof:
                chunk, stream = stream.unused_data, zlib.decompressobj(_ANY_FORMAT)
    if not whole:
        raise SourceError(url, "it ended within compressed data", "closed", transient=True)


def too_large(url: str, size: int, policy: RetryPolicy) -> SourceError:
    """The error for a file of ``size`` bytes or more."""
    what = f"{size} bytes or more, more than the {policy.largest} that such a checkpoint may have"
    return SourceError(url, what, "too-large")


def check_status(response: requests.Response, url: str) -> None:
    """SourceError unless the status is that of a file or of a part of one."""
    status = response.status_code
    if status in (200, 206):
        return
    reason = for_terminal(response.reason or "?", most=_MOST_TEXT)
    what = f"the server answered {status} ({reason})"
    brief = f"HTTP status {status}"
    if status in _ABSENT:
        raise SourceError(url, f"{what}: it does not have this file", "absent", cause=brief)
    wait = _retry_after(response)
    if wait is not None:
        what += f" and asks to wait {wait:.0f} s"
    cause = "busy" if status in (429, 503) else "status"
    raise SourceError(url, what, cause, cause=brief, transient=status in _RETRIED, wait=wait)


def _retry_after(response: requests.Response) -> float | None:
    """The seconds that Retry-After asks for, written as a number or as a date."""
    value = response.headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value[:100]).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and total length, from Content-Range; None for what it does not say."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    start, total = match.groups() if match else (None, None)
    return (int(start) if start else None, int(total) if total else None)


def content_length(response: requests.Response) -> int | None:
    """The length of the body, where the server says it in a way that counts."""
    length = response.headers.get("Content-Length", "")
    known = re.fullmatch("[0-9]{1,18}", length) and "Transfer-Encoding" not in response.headers
    return int(length) if known else None


def content_coding(response: requests.Response) -> str | None:
    """How the body is encoded; None if it is the file itself."""
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    return None if coding in ("", "identity") else str(coding)
