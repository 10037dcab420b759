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


class ZooError(VanbenchError):
    """A zoo file that cannot be used as written."""

    exit_code = 2


class MarkerError(VanbenchError):
    """A document without the two markers that enclose the Results table."""

    exit_code = 2


class FetchError(VanbenchError):
    """A file that could not be had; ``status`` is the checkpoint status of the record."""

    status = "unreachable"


class MissingError(FetchError):
    """A file that is neither in the cache nor may be fetched."""

    status = "missing"


class MismatchError(FetchError):
    """A file whose hash is not the published one."""

    status = "mismatch"


class CheckpointError(VanbenchError):
    """A file that does not hold the tensors of one VAN."""


class DataError(VanbenchError):
    """A data set that cannot be evaluated as it is."""


class RecordError(VanbenchError):
    """A record under ``results/`` that cannot be read."""
