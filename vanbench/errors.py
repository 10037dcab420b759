"""Errors that a user can cause or meet, one class for each kind.

The command line prints the message and exits with the class's ``exit_code``. Code that needs a part
of the message takes the field; no message is ever parsed.
"""

import errno
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import clear_frames
from typing import Any

from typing_extensions import TypedDict

REMEDIES = {
    errno.ENOSPC: "Free disk space, or choose another folder.",
    errno.EACCES: "Check the permissions of the file and of its folder.",
    errno.EPERM: "Check the permissions of the file and of its folder.",
    errno.EROFS: "Choose a folder that can be written.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n), or use fewer --workers.",
}
"""What to do about errors of the operating system that no other module handles."""

_LONGEST = 500  # characters of an exception's text that a message quotes


class VanbenchError(Exception):
    """Something that was requested could not be measured.

    ``problem`` says what was expected and what was found, without a final period; ``where`` is the
    file, address or key that it is about; ``remedy`` says what to do next, in whole sentences;
    ``cause`` is the problem as one short clause, for a table. The message is made of the first
    three.
    """

    exit_code = 3

    def __init__(
        self,
        problem: str,
        *,
        where: str | Path | None = None,
        remedy: str = "",
        cause: str | None = None,
    ):
        super().__init__(problem)
        self.problem, self.where, self.remedy = problem, where, remedy
        self.cause = problem if cause is None else cause

    def __str__(self) -> str:
        place = "" if self.where is None else f"{self.where}: "
        end = "" if self.problem.endswith((".", "?", "!", "…", "\n")) else "."
        gap = "" if self.problem.endswith("\n") else " "
        return f"{place}{self.problem}{end}{gap}{self.remedy}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the fields, whatever the arguments of the class are."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[VanbenchError], args: tuple[Any, ...], fields: dict[str, Any]
) -> VanbenchError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class ErrorJson(TypedDict):
    """A failure, as the JSON of every command has it."""

    kind: str
    """What failed, in words, one for each kind of failure: ``usage``, ``unknown model``, ``zoo``,
    ``checkpoint``, ``data``, ``device``, ``mismatch``, ``missing``, ``source``, ``storage``,
    ``internal``, ``interruption``, …; ``other`` is what the operating system refused."""
    problem: str
    """What was expected and what was found, without a final period."""
    where: str | None
    """The file, address or key that it is about; null where it is about none."""
    remedy: str
    """What to do next, in whole sentences; may be empty."""
    message: str
    """The whole message, as it is printed on stderr."""
    exit_code: int
    """The exit code of a command that ends with this failure."""


def error_json(error: VanbenchError) -> ErrorJson:
    """The failure in the form that JSON documents have.

    >>> error_json(DataError("no images", where="val", remedy="Look."))["message"]
    'val: no images. Look.'
    """
    return {
        "kind": error_kind(type(error)),
        "problem": error.problem,
        "where": None if error.where is None else str(error.where),
        "remedy": error.remedy,
        "message": str(error),
        "exit_code": error.exit_code,
    }


def error_kind(error: type[VanbenchError]) -> str:
    """The kind of an error in words, from the name of its class.

    >>> error_kind(UnknownModelError)
    'unknown model'
    """
    if error is VanbenchError:
        return "other"
    words = re.findall("[A-Z][a-z0-9]+", error.__name__.removesuffix("Error"))
    return " ".join(words).lower()


@contextmanager
def located(where: str | Path) -> Iterator[None]:
    """Add ``where`` to each VanbenchError raised inside that has none."""
    try:
        yield
    except VanbenchError as error:
        if error.where is None:
            error.where = where
        raise


class UnknownModelError(VanbenchError):
    """A model name that the zoo does not have."""

    exit_code = 2


class UnknownRunError(VanbenchError):
    """A run that is not among the stored predictions."""

    exit_code = 2


class ZooError(VanbenchError):
    """A zoo file that cannot be used as written."""

    exit_code = 2


class MarkerError(VanbenchError):
    """A document without the two markers that enclose a generated block."""

    exit_code = 2


class FetchError(VanbenchError):
    """A file that could not be downloaded; ``status`` is the checkpoint status of the record.

    ``kinds`` has one word for each source that was tried, in order (see SourceError).
    """

    status = "unreachable"

    def __init__(
        self,
        problem: str,
        *,
        where: str | Path | None = None,
        remedy: str = "",
        cause: str | None = None,
        kinds: Sequence[str] = (),
    ):
        super().__init__(problem, where=where, remedy=remedy, cause=cause)
        self.kinds = tuple(kinds)


class SourceError(FetchError):
    """One source that did not give the file, and what it did instead.

    ``kind`` is one word: ``address``, ``dns``, ``tls``, ``proxy``, ``refused``, ``timeout``,
    ``closed``, ``status``, ``absent``, ``busy``, ``page``, ``redirect``, ``garbled``, ``empty``,
    ``changed``, ``too-large`` or ``unreadable``.
    ``transient``: another try may help, after ``wait`` seconds where the server said so.
    ``reached`` is False where no connection to a server was made.
    """

    def __init__(
        self,
        source: str,
        problem: str,
        kind: str,
        *,
        cause: str | None = None,
        transient: bool = False,
        wait: float | None = None,
        reached: bool = True,
    ):
        super().__init__(problem, where=source, cause=cause, kinds=(kind,))
        self.kind, self.transient, self.wait, self.reached = kind, transient, wait, reached


class MissingError(FetchError):
    """A file that no source has, or that is not in the cache and may not be downloaded."""

    status = "missing"


class NoFileError(FetchError):
    """A claim about a model of which no file can be had, so that there is nothing to download."""

    status = "no file"


class StorageError(FetchError):
    """A file that cannot be written to the cache: full, read-only, not permitted."""

    status = "missing"


class UnreadableError(FetchError):
    """A file in the cache that cannot be read."""

    status = "unreadable"


class MismatchError(FetchError):
    """A file whose hash is not the published one."""

    status = "mismatch"


class CheckpointError(VanbenchError):
    """A file that does not hold the tensors of one VAN."""

    status = "unreadable"


class ScoringError(CheckpointError):
    """A sound file whose model cannot be scored over the classes at hand."""

    status = "not measured"


class SuspiciousWeightsWarning(UserWarning):
    """Weights that training does not produce, in a file that is otherwise valid."""


class DataError(VanbenchError):
    """A data set that cannot be evaluated as it is."""


class DeviceError(VanbenchError):
    """A device that this machine does not have."""

    exit_code = 2


class ProcessError(VanbenchError):
    """A run of several processes in which one has ended."""


class RecordError(VanbenchError):
    """A record under ``results/`` that cannot be read."""


class DependencyError(VanbenchError):
    """An optional package that is needed and not installed; ``remedy`` is the command for it."""


class InternalError(VanbenchError):
    """A bug: an exception that no code expected, which is the ``__cause__``."""

    exit_code = 70  # EX_SOFTWARE of sysexits.h
    status = "internal error"


@contextmanager
def unexpected_as_errors() -> Iterator[None]:
    """Raise any exception inside as a VanbenchError, so that one model's failure is its own.

    What is done for one model of several is inside this; the caller then goes on with the others. A
    broken pipe passes: it may be that of stdout, which ends the command.
    """
    try:
        yield
    except (VanbenchError, BrokenPipeError):
        raise
    except Exception as error:
        clear_frames(error.__traceback__)  # they refer to weights and images
        raise as_vanbench_error(error) from error


def as_vanbench_error(error: Exception) -> VanbenchError:
    """An exception as an error of ours: what it means for the user; InternalError if it is a bug.

    No memory and failures of the operating system happen without a bug.
    """
    if isinstance(error, VanbenchError):
        return error
    if _is_out_of_memory(error):
        return VanbenchError(
            f"Not enough memory ({_first_line(error)})",
            remedy="Close other programs, or use a smaller --batch-size and fewer --workers.",
        )
    if isinstance(error, OSError):
        problem = error.strerror or _first_line(error)
        return VanbenchError(
            problem, where=error.filename, remedy=REMEDIES.get(error.errno or 0, "")
        )
    return InternalError(f"internal error: {_first_line(error)}")


def overall_exit_code(codes: Iterable[int]) -> int:
    """The exit code for several models: 1 before 70, 3, 2 and 0.

    A deviation was measured, whatever happened to other models; a bug is to be seen before what
    could not be measured for another reason.
    """
    return min(codes, key=(1, 70, 3, 2, 0).index, default=0)


def _is_out_of_memory(error: Exception) -> bool:
    torch = sys.modules.get("torch")  # only a program that has imported it can raise its errors
    return isinstance(error, MemoryError) or (
        torch is not None and isinstance(error, torch.OutOfMemoryError)
    )


def _first_line(error: Exception) -> str:
    name, text = type(error).__name__, str(error)[:_LONGEST].strip()
    return f"{name}: {text.splitlines()[0]}" if text else name
