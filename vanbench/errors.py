"""Failures a person can cause or meet, each under a name of its own.

Every message says what was expected, what was found, where, and what to do next.
The command line prints the message and exits with the class's ``exit_code``.
"""


class VanbenchError(Exception):
    """Something asked for could not be measured."""

    exit_code = 3


class UnknownModelError(VanbenchError):
    """A name that is in no zoo at hand."""

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
    """A file that could not be had; ``status`` is the checkpoint status of the record.

    ``brief`` is the reason as one short clause, without address, file name or advice.
    ``causes`` is one word for each source that was tried, in order (see SourceError).
    """

    status = "unreachable"

    def __init__(self, message: str, brief: str, causes: tuple[str, ...] = ()):
        super().__init__(message)
        self.brief, self.causes = brief, causes


class SourceError(FetchError):
    """One source that did not give the file, and what it did instead.

    ``what`` is a clause of the message; also the ``brief`` one unless that is given.
    ``cause`` is one word: ``address``, ``dns``, ``tls``, ``proxy``, ``refused``, ``timeout``,
    ``closed``, ``status``, ``absent``, ``busy``, ``page``, ``redirect``, ``garbled``, ``empty``,
    ``changed``, ``too-large`` or ``unreadable``.
    ``transient``: another try may help, after ``wait`` seconds where the server said so.
    ``reached`` is False where no server was met at all.
    """

    def __init__(
        self,
        source: str,
        what: str,
        cause: str,
        *,
        brief: str | None = None,
        transient: bool = False,
        wait: float | None = None,
        reached: bool = True,
    ):
        super().__init__(f"{source}: {what}.", brief or what, (cause,))
        self.cause, self.transient, self.wait, self.reached = cause, transient, wait, reached


class MissingError(FetchError):
    """A file that no source has, or that is not in the cache and may not be fetched."""

    status = "missing"


class StorageError(FetchError):
    """A cache folder that cannot take a file: full, read-only, not permitted."""

    status = "missing"


class MismatchError(FetchError):
    """A file whose hash is not the published one."""

    status = "mismatch"


class CheckpointError(VanbenchError):
    """A file that does not hold the tensors of one VAN."""

    status = "unreadable"

    @property
    def brief(self) -> str:
        """The first sentence of the message."""
        return str(self).split(". ")[0]


class OddWeightsWarning(UserWarning):
    """Weights that no training leaves, in a file that is otherwise sound."""


class DataError(VanbenchError):
    """A data set that cannot be evaluated as it is."""


class DeviceError(VanbenchError):
    """A device that this machine does not have."""

    exit_code = 2


class RecordError(VanbenchError):
    """A record under ``results/`` that cannot be read."""
