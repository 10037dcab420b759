"""One transfer: from one source into one part, resumed where that is safe, retried after faults."""

import errno
import http.client
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import chain
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

import requests
from urllib3.exceptions import HTTPError

from vanbench._version import __version__
from vanbench.download.error_messages import network_error
from vanbench.download.partial import Origin, Part
from vanbench.download.wanted import source_id
from vanbench.errors import SourceError
from vanbench.file_types import HEAD_BYTES, describe_bytes, is_page, printable
from vanbench.progress import Update
from vanbench.zoo.addresses import public_url, redact

_CHUNK = 1 << 18
_STEP = 1 << 20  # bytes that count as progress
_RETRIED = (408, 425, 429, 500, 502, 503, 504)
_ABSENT = (404, 410)
_REDIRECTS = 10
_FEW = 512  # first bytes enough to tell a page
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(?:(\d{1,18})|\*)")
_NETWORK = (OSError, ValueError, HTTPError, http.client.HTTPException)  # OSError: requests' too


@dataclass(frozen=True)
class RetryPolicy:
    """When a transfer is tried again, and when it is given up; times in seconds.

    It is given up after ``attempts`` in a row without progress (1 MiB, or a sixteenth of the file),
    or after as many in all that had to start from zero; at once if the host could not be reached
    at all. The wait between attempts starts at ``backoff`` and doubles; a server's Retry-After is
    used instead, up to ``longest_wait``. Fewer than ``least_rate`` bytes per second over
    ``read_timeout`` is a stall.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    attempts: int = 4
    backoff: float = 1.0
    longest_wait: float = 60.0
    least_rate: float = 1024.0
    largest: int = 8 << 30  # bytes; ten times the largest published file


RETRY_POLICY = RetryPolicy()


def local_path(source: str) -> Path | None:
    """The path that a ``file://`` URL or a plain path names; None for anything else."""
    if source.startswith("file://"):
        return Path(url2pathname(urlsplit(source).path))
    return None if "://" in source else Path(source).expanduser()


def transfer(
    source: str, part: Part, *, hashed: bool, policy: RetryPolicy, progress: Update
) -> None:
    """Copy the file at ``source`` (http(s)://, file:// or a path) into ``part``.

    Bytes that are there already are kept if they are from the same file: by the server's validator,
    or, when ``hashed`` says that the hash will be checked, by the length alone. Raises
    SourceError, which has no password and no token of the source, when the source fails, and
    OSError when the part cannot be written.
    """
    path = local_path(source)
    try:
        if path is not None:
            _copy(path, source, part, policy, progress)
        else:
            _download(source, part, hashed, policy, progress)
    except SourceError as error:
        error.where, error.problem = public_url(source), redact(error.problem)
        error.cause = redact(error.cause)
        raise error from None  # the exception that caused it has the URL in its message


def _copy(path: Path, source: str, part: Part, policy: RetryPolicy, report: Update) -> None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise SourceError(source, "no such file", "absent") from None
    except OSError as error:
        raise SourceError(source, f"cannot be read: {error.strerror}", "unreadable") from error
    with file:
        length = os.fstat(file.fileno()).st_size
        chunks = _first_look(_read_local(file, source), source)
        part.begin(Origin(source_id(source), length=length))
        _append(part, chunks, source, length, policy, report)


def _read_local(file: IO[bytes], source: str) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(_CHUNK)
        except OSError as error:
            raise SourceError(source, f"cannot be read: {error.strerror}", "unreadable") from error
        if not chunk:
            return
        yield chunk


def _download(url: str, part: Part, hashed: bool, policy: RetryPolicy, report: Update) -> None:
    without_progress, restarts, reached = 0, 0, False
    while True:
        before = part.size
        try:
            return _attempt(url, part, hashed, policy, report)
        except SourceError as error:
            gained = part.size - before
            total = part.origin.length if part.origin else None
            enough = min(_STEP, max(total or 0, before) / 16)
            without_progress = 0 if gained > enough else without_progress + 1
            restarts += gained < 0
            reached = reached or error.reached
            wait = policy.backoff * 2 ** max(0, without_progress - 1)
            wait = wait if error.wait is None else error.wait
            exhausted = max(without_progress, restarts) >= policy.attempts
            give_up = exhausted or not reached or wait > policy.longest_wait
            if give_up or not error.transient:
                raise
            time.sleep(wait)


def _attempt(url: str, part: Part, hashed: bool, policy: RetryPolicy, report: Update) -> None:
    """One request and its answer; returns when the part is complete."""
    origin, have, source = part.origin, part.size, source_id(url)
    if have and origin and origin.length == have and (hashed or origin.url == source):
        return  # killed between the last byte and the check of the hash
    headers = resume_headers(origin, have, source, hashed)
    with _answer(url, headers, policy) as response:
        chunks = _receive(response, url, policy)
        if response.status_code == 416 and headers:
            if _content_range(response)[1] == have:
                return
            raise _start_again(part, url)
        _check_status(response, url)
        if headers and response.status_code == 206:
            _check_range(response, url, part)
        else:
            if response.status_code == 206:
                what = "it answered with a part of the file when asked for the whole"
                raise SourceError(url, what, "garbled", transient=True)
            chunks = _first_look(chunks, url)
            part.begin(_origin(response, source))
        length = part.origin.length if part.origin else None
        _append(part, chunks, url, length, policy, report)


def resume_headers(origin: Origin | None, have: int, url: str, hashed: bool) -> dict[str, str]:
    """The headers that ask for the rest of a part; none where the file must start from zero.

    >>> resume_headers(Origin("http://h/f", etag='"a"'), 100, "http://h/f", hashed=True)
    {'Range': 'bytes=100-', 'If-Range': '"a"'}
    """
    if not have or origin is None:
        return {}
    wanted = {"Range": f"bytes={have}-"}
    if origin.url == url and origin.validator:
        return {**wanted, "If-Range": origin.validator}
    return wanted if hashed else {}


@contextmanager
def _answer(
    url: str, headers: Mapping[str, str], policy: RetryPolicy
) -> Iterator[requests.Response]:
    """The response after all redirects, its body not read yet; no body of a redirect is read."""
    place = url
    for _ in range(_REDIRECTS):
        response = _get(place, url, headers, policy)
        with response:
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
    what = f"it redirects to {printable(redact(location))[:200]}, which is not a web address"
    raise SourceError(
        url, what, "redirect", cause="it redirects to something that is not a web address"
    )


def _get(
    place: str, url: str, headers: Mapping[str, str], policy: RetryPolicy
) -> requests.Response:
    asked = {"User-Agent": f"vanbench/{__version__}", "Accept-Encoding": "identity", **headers}
    timeout = (policy.connect_timeout, policy.read_timeout)
    try:
        # Not requests.get: it would read a redirect's whole body into memory.
        with requests.Session() as session:
            request = session.prepare_request(requests.Request("GET", place, headers=asked))
            address = str(request.url)
            settings = session.merge_environment_settings(address, {}, True, None, None)
            adapter = session.get_adapter(address)
            return adapter.send(request, timeout=timeout, **settings)
    except _NETWORK as error:
        raise network_error(error, url) from error


def _receive(response: requests.Response, url: str, policy: RetryPolicy) -> Iterator[bytes]:
    """The body as it comes, decompressed where the server compressed it unasked."""
    encoded = _encoding(response) is not None
    since, received = time.monotonic(), 0
    while True:
        try:
            chunk = response.raw.read1(_CHUNK, decode_content=encoded)
        except _NETWORK as error:
            raise network_error(error, url) from error
        if not chunk:
            return
        yield chunk
        received += len(chunk)
        waited = time.monotonic() - since
        if waited >= policy.read_timeout:
            if received < policy.least_rate * waited:
                what = f"it sends fewer than {policy.least_rate:.0f} bytes per second"
                raise SourceError(url, what, "timeout", transient=True)
            since, received = time.monotonic(), 0


def _first_look(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """The same chunks; SourceError if they begin as a web page does, or if there are none."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= (HEAD_BYTES if is_page(head) else _FEW):
            break
    if is_page(head):
        raise SourceError(url, f"expected weights, got {describe_bytes(head)}", "page")
    if not head:
        raise SourceError(url, "the file there is empty", "empty")
    return chain([head], chunks)


def _append(
    part: Part,
    chunks: Iterator[bytes],
    source: str,
    length: int | None,
    policy: RetryPolicy,
    report: Update,
) -> None:
    """Append the chunks; SourceError unless the part then has ``length`` bytes."""
    done = part.size
    _check_size(part, source, length or done, policy)
    _check_room(part.path.parent, (length or done) - done)
    with part.append() as file:
        for chunk in chunks:
            done += _write(file, chunk)
            report(done, length)
            _check_size(part, source, done, policy)
    if length is not None and done != length:
        what = f"it ended after {done} of {length} bytes"
        raise SourceError(source, what, "closed", transient=True)


def _write(file: IO[bytes], chunk: bytes) -> int:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]
    return len(chunk)


def _check_size(part: Part, source: str, size: int, policy: RetryPolicy) -> None:
    if size > policy.largest:
        part.discard()
        most = f"more than the {policy.largest} bytes that a checkpoint may have"
        raise SourceError(source, f"{size} bytes or more, {most}", "too-large")


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed} bytes needed, {free} free")


def _check_status(response: requests.Response, url: str) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    what = f"the server answered {status} ({printable(response.reason or '?')})"
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
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _check_range(response: requests.Response, url: str, part: Part) -> None:
    """SourceError unless this is the rest of the same file as the part."""
    origin = part.origin or Origin(source_id(url))
    start, total = _content_range(response)
    etag = response.headers.get("ETag")
    same_file = origin.url != source_id(url) or not (etag and origin.etag) or etag == origin.etag
    same_length = origin.length is None or total == origin.length
    if start != part.size or _encoding(response) or not (same_file and same_length):
        raise _start_again(part, url)


def _start_again(part: Part, url: str) -> SourceError:
    part.discard()
    what = "the remote file changed; cannot resume"
    return SourceError(url, what, "changed", transient=True, wait=0)


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and total length, from Content-Range; None for what it does not say."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    start, total = match.groups() if match else (None, None)
    return (int(start) if start else None, int(total) if total else None)


def _origin(response: requests.Response, url: str) -> Origin:
    """The note on the file; without validators and length if the server compressed it."""
    if _encoding(response):
        return Origin(url)
    headers = response.headers
    length = headers.get("Content-Length", "")
    known = int(length) if length.isdecimal() and "Transfer-Encoding" not in headers else None
    return Origin(url, headers.get("ETag"), headers.get("Last-Modified"), known)


def _encoding(response: requests.Response) -> str | None:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    return None if encoding in ("", "identity") else encoding
