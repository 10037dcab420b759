"""One limit on the time of each phase of a request.

A timeout of a socket starts again with each byte, so a server that sends a byte from time to time
is never late. Here every read of the response, from the status line to the trailers, asks the
request's Deadline.
"""

import http.client
import io
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from requests.adapters import HTTPAdapter

T = TypeVar("T")
_STEP = 0.2  # seconds; Windows handles Ctrl-C only between two waits


class TooSlow(TimeoutError):
    """A phase that took too long; ``reached`` says whether there was a connection."""

    def __init__(self, problem: str, *, reached: bool):
        super().__init__(problem)
        self.reached = reached


class HeaderTooLarge(http.client.HTTPException):
    """A response whose header is larger than any that a web server sends."""


class Deadline:
    """When the phase that a request is in must be over.

    The first one takes ``seconds`` at most. ``silence`` is how long the server may send nothing,
    ``stall_end`` until when it must have sent a part of the file, and ``end`` when the whole
    transfer must be over, both in the time of ``time.monotonic``.
    """

    def __init__(self, seconds: float, silence: float, stall_end: float, end: float):
        self.silence, self._stall_end, self._end = silence, stall_end, end
        self.alive = float("-inf")
        self._reached, self._header_bytes, self._most_header = False, 0, 0
        self._at, self._problem = 0.0, ""
        self.start(seconds, f"no answer within {seconds:.3g} s")

    def start(self, seconds: float, problem: str) -> None:
        """A new phase; ``problem`` is what to say when it takes longer than ``seconds``."""
        self._at = min(time.monotonic() + seconds, self._stall_end)
        self._problem = problem

    def sent_enough(self) -> None:
        """The server has sent bytes of the file fast enough; ``alive`` is when it last did so."""
        self.alive, self._stall_end = time.monotonic(), float("inf")

    def postpone(self, seconds: float) -> None:
        """Leave out a time that the server is not to blame for."""
        self._at += seconds

    def stop(self) -> None:
        """Let the next read fail."""
        self._at = float("-inf")

    def left(self) -> float:
        """The seconds left; TooSlow if there are none."""
        now = time.monotonic()
        if now >= self._end:
            raise TooSlow("the download takes too long in all", reached=self._reached)
        if now >= self._at:
            raise TooSlow(self._problem, reached=self._reached)
        return min(self._at, self._end) - now

    def expect_header(self, most: int) -> None:
        """The bytes that follow are a header of at most ``most`` bytes."""
        self._header_bytes, self._most_header = 0, most

    def expect_body(self) -> None:
        """The bytes that follow are not bounded here."""
        self._most_header = 0

    def connected(self) -> None:
        """There is a connection to the server or to a proxy."""
        self._reached = True

    def count(self, received: int) -> None:
        """Note how many bytes came; HeaderTooLarge if these are too many for a header."""
        if not self._most_header or not received:
            return
        if not self._header_bytes:
            self._problem = self._problem.replace("no answer", "no complete header of the answer")
        self._header_bytes += received
        if self._header_bytes > self._most_header:
            raise HeaderTooLarge(f"a header of more than {self._most_header:,} bytes")


def within(deadline: Deadline, call: Callable[[], T]) -> T:
    """What ``call`` returns; TooSlow when the deadline passes, whatever it waits for then.

    It runs in a thread, because a name server's answer and some handshakes can only be waited for.
    Such a thread ends with what it waits for.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    try:
        Thread(target=work, daemon=True, name="vanbench request").start()
        while not future.done():
            wait([future], timeout=min(_STEP, deadline.left()))
    finally:
        if not future.done():
            deadline.stop()
    return future.result()


class DeadlineAdapter(HTTPAdapter):
    """A transport of requests whose responses, a proxy's too, are read under a deadline."""

    def __init__(self, deadline: Deadline):
        self._deadline = deadline
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """The pool of connections, which belongs to this adapter alone."""
        pool = super().get_connection_with_tls_context(*args, **options)
        limited = {"response_class": staticmethod(partial(_Response, self._deadline))}
        pool.ConnectionCls = type("Connection", (pool.ConnectionCls,), limited)
        return pool


class _Response(http.client.HTTPResponse):
    def __init__(self, deadline: Deadline, sock: Any, *args: Any, **options: Any):
        super().__init__(sock, *args, **options)
        deadline.connected()
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, deadline))


class _Reader(io.RawIOBase):
    """The bytes of a socket, while the deadline is not over."""

    def __init__(self, raw: io.RawIOBase, sock: Any, deadline: Deadline):
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(min(self._deadline.silence, self._deadline.left()))
        try:
            received: int = self._raw.readinto(buffer)
        except TimeoutError:
            self._deadline.left()
            raise
        self._deadline.count(received)
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()
