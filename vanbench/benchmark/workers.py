"""Objects that live in processes of their own, so that they share no memory and no threads."""

import pickle
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from vanbench.benchmark.memory import received
from vanbench.errors import VanbenchError
from vanbench.interrupts import children_ignore_ctrl_c

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

GRACE = 3.0  # seconds for a process to end itself


class Worker:
    """An object in a fresh interpreter of its own: ``make(*arguments)``, made there.

    The process works only while it is asked, and ends with ``end``.
    """

    def __init__(self, make: Callable[..., object], *arguments: object):
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments))
        with children_ignore_ctrl_c():
            self._process.start()
        theirs.close()
        self._busy = True

    def made(self) -> None:
        """Wait until the object is made. Raises what making it raises, as ``ask`` does."""
        self._answer()

    def ask(self, method: str, *arguments: object) -> Any:
        """What the object's method returns. Raises what it raises.

        MemoryError if the system killed the process; RuntimeError for an exception that cannot be
        sent.
        """
        self._busy = True
        with suppress(BrokenPipeError):  # it has ended: receiving says how
            self._connection.send((method, arguments))
        return self._answer()

    def release(self) -> None:
        """Let the process end by itself, when it has computed; nothing can be asked any more."""
        self._connection.close()

    def end(self) -> None:
        """End the process, and wait until it has ended."""
        self.release()
        if not self._busy:
            self._process.join(GRACE)
        self._process.terminate()
        self._process.join()

    def _answer(self) -> Any:
        try:
            outcome = received(self._connection, self._process)
        except Exception:  # it has answered; it has not if this process was interrupted
            self._busy = False
            raise
        self._busy = False
        return outcome


def _serve(connection: "Connection", make: Callable[..., object], arguments: Any) -> None:
    """Make the object, then answer one question after another, until the other side ends."""
    with suppress(EOFError, BrokenPipeError):
        made = _attempt(connection, make, arguments)
        while made is not None:
            method, arguments = connection.recv()
            _attempt(connection, getattr(made, method), arguments, answer=True)


def _attempt(
    connection: "Connection", function: Callable[..., Any], arguments: Any, *, answer: bool = False
) -> Any:
    """Send what the function raises, or what it returns if that is the ``answer``; return it."""
    try:
        outcome = function(*arguments)
    except Exception as error:
        connection.send((False, _sendable(error)))
        return None
    connection.send((True, outcome if answer else None))
    return outcome


def _sendable(error: Exception) -> Exception:
    """The exception, or one with its text where it cannot be pickled and restored."""
    if isinstance(error, VanbenchError):
        return error
    try:
        restored = pickle.loads(pickle.dumps(error))
    except Exception:  # whatever an exception of another library does there
        restored = None
    return error if type(restored) is type(error) else RuntimeError(_text(error))


def _text(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])
