"""The JSON form of a file that was asked for."""

from typing_extensions import TypedDict

from vanbench.errors import ErrorJson


class FileJson(TypedDict):
    """A checkpoint file."""

    url: str | None
    """Its published address, without secrets; a file of this machine by its name; null if the claim
    has no file."""
    path: str | None
    """Where the file is; null if there is none."""
    bytes: int | None
    """Its size in bytes; null if there is none."""
    sha256: str | None
    """The SHA-256 of the file, computed now; null if there is none."""
    status: str
    """``verified``; ``unverifiable`` where no hash was published; else why there is no file:
    ``mismatch``, ``unreachable``, ``missing``, ``unreadable``, or ``no file`` where the claim has
    none, which is no failure."""
    reason: str | None
    """Why there is no file; null if there is one."""


class OutcomeJson(TypedDict):
    """What became of the file of one model."""

    name: str
    """The model, ARCH.TAG."""
    checkpoint: FileJson
    """Its file."""
    error: ErrorJson | None
    """The failure; null if there is a file, or none was published."""
