"""Errors that a user can cause or meet, one class for each kind.

The command line prints the message and exits with the class's ``exit_code``. Code that needs a part
of the message takes the field; no message is ever parsed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


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
    """A document without the two markers that enclose the Results table."""

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


class RecordError(VanbenchError):
    """A record under ``results/`` that cannot be read."""


class DependencyError(VanbenchError):
    """An optional package that is needed and not installed; ``remedy`` is the command for it."""
