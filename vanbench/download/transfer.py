"""One transfer: from one source into one part, resumed where that is safe, retried after faults."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from time import monotonic, sleep
from typing import IO
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests

from vanbench.download.deadline import Deadline
from vanbench.download.exchange import (
    CHUNK,
    body,
    check_status,
    content_coding,
    content_length,
    content_range,
    exchange,
    too_large,
)
from vanbench.download.partial import Origin, Part
from vanbench.download.retry_policy import RetryPolicy
from vanbench.download.wanted import source_id
from vanbench.errors import SourceError
from vanbench.file_types import HEAD_BYTES, describe_bytes, is_page
from vanbench.outside.files import open_regular
from vanbench.outside.safe_text import for_terminal
from vanbench.progress import Update
from vanbench.zoo.addresses import public_url, redact

_STEP = 1 << 20  # bytes that count as progress
_FEW = 512  # first bytes enough to tell a page


def local_path(source: str) -> Path | None:
    """The path that a ``file://`` URL or a plain path names; None for anything else."""
    if source.startswith("file://"):
        return Path(url2pathname(urlsplit(source).path))
    return None if "://" in source else Path(source).expanduser()


def transfer(
    source: str,
    part: Part,
    *,
    hashed: bool,
    policy: RetryPolicy,
    progress: Update,
    is_complete: Callable[[], bool] = lambda: False,
) -> None:
    """Copy the file at ``source`` (http(s)://, file:// or a path) into ``part``.

    Bytes that are there already are kept if they are from the same file: by the server's validator,
    or, when ``hashed`` says that the hash will be checked, by the length alone. ``is_complete``
    tells whether the part is the whole file, for a server that does not end its response properly.
    Raises SourceError, which has no password and no token of the source, when the source fails, and
    OSError when the part cannot be written.
    """
    path = local_path(source)
    try:
        if path is not None:
            _copy(path, source, part, policy, progress)
        else:
            _download(source, part, hashed, policy, progress, is_complete)
    except SourceError as error:
        error.where, error.problem = public_url(source), redact(error.problem)
        error.cause = redact(error.cause)
        raise error from None  # the exception that caused it has the URL in its message


def _copy(path: Path, source: str, part: Part, policy: RetryPolicy, report: Update) -> None:
    try:
        file = open_regular(path)
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
            chunk = file.read(CHUNK)
        except OSError as error:
            raise SourceError(source, f"cannot be read: {error.strerror}", "unreadable") from error
        if not chunk:
            return
        yield chunk


def _download(
    url: str,
    part: Part,
    hashed: bool,
    policy: RetryPolicy,
    report: Update,
    is_complete: Callable[[], bool],
) -> None:
    without_progress, restarts, reached = 0, 0, False
    alive = monotonic()  # when the server last sent at the rate it must have
    end = alive + policy.total_timeout
    while True:
        before = part.size
        stall_end = alive + policy.stall_timeout
        deadline = Deadline(policy.answer_timeout, policy.read_timeout, stall_end, end)
        try:
            return _attempt(url, part, hashed, policy, deadline, report)
        except SourceError as error:
            if not (part.origin and part.origin.length) and part.size and is_complete():
                return
            gained = part.size - before
            total = part.origin.length if part.origin else None
            enough = min(_STEP, max(total or 0, before) / 16)
            without_progress = 0 if gained > enough else without_progress + 1
            alive = max(alive, deadline.alive)
            restarts += gained < 0
            reached = reached or error.reached
            wait = policy.backoff * 2 ** max(0, without_progress - 1)
            wait = wait if error.wait is None else error.wait
            exhausted = max(without_progress, restarts) >= policy.attempts
            too_late = monotonic() + wait > min(alive + policy.stall_timeout, end)
            give_up = exhausted or too_late or not reached or wait > policy.longest_wait
            if give_up or not error.transient:
                raise
            sleep(wait)


def _attempt(
    url: str, part: Part, hashed: bool, policy: RetryPolicy, deadline: Deadline, report: Update
) -> None:
    """One request and its answer; returns when the part is complete."""
    origin, have, source = part.origin, part.size, source_id(url)
    if have and origin and origin.length == have and (hashed or origin.url == source):
        return  # killed between the last byte and the check of the hash
    headers = resume_headers(origin, have, source, hashed)
    with exchange(url, headers, policy, deadline) as response:
        if response.status_code == 416 and headers:
            if content_range(response)[1] == have:
                return
            raise _start_again(part, url)
        check_status(response, url)
        if headers and response.status_code == 206:
            _check_range(response, url, part)
            chunks = body(response, url, policy, deadline)
        else:
            if response.status_code == 206:
                what = "it answered with a part of the file when asked for the whole"
                raise SourceError(url, what, "garbled", transient=True)
            chunks = _first_look(body(response, url, policy, deadline), url)
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


def _first_look(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """The same chunks; SourceError if they begin as a web page does, or if there are none."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= (HEAD_BYTES if is_page(head) else _FEW):
            break
    if is_page(head):
        raise SourceError(
            url, f"expected weights, got {for_terminal(describe_bytes(head), most=200)}", "page"
        )
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
    if done:
        report(done, length)
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
        raise too_large(source, size, policy)


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed} bytes needed, {free} free")


def _check_range(response: requests.Response, url: str, part: Part) -> None:
    """SourceError unless this is the rest of the same file as the part."""
    origin = part.origin or Origin(source_id(url))
    start, total = content_range(response)
    etag = response.headers.get("ETag")
    same_file = origin.url != source_id(url) or not (etag and origin.etag) or etag == origin.etag
    same_length = origin.length is None or total == origin.length
    if start != part.size or content_coding(response) or not (same_file and same_length):
        raise _start_again(part, url)


def _start_again(part: Part, url: str) -> SourceError:
    part.discard()
    what = "the remote file changed; cannot resume"
    return SourceError(url, what, "changed", transient=True, wait=0)


def _origin(response: requests.Response, url: str) -> Origin:
    """The note on the file; without validators and length if the server compressed it."""
    if content_coding(response):
        return Origin(url)
    headers = response.headers
    known = content_length(response)
    return Origin(url, headers.get("ETag"), headers.get("Last-Modified"), known)
