"""An unfinished download: the bytes so far, and beside them a note on where they are from.

At every moment, also after a kill, the note belongs to the bytes or there are no bytes.
"""

import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from vanbench.errors import VanbenchError
from vanbench.files import replace
from vanbench.outside.json_text import read_json

MOST_NOTE = 100_000  # bytes; an address and two headers
_MOST_VALIDATOR = 1000  # characters of a header that is sent back


@dataclass(frozen=True)
class Origin:
    """Where bytes come from, and what the server said about the complete file.

    ``url`` is the source without secrets, as ``wanted.source_id`` gives it.
    """

    url: str
    etag: str | None = None
    last_modified: str | None = None
    length: int | None = None

    @property
    def validator(self) -> str | None:
        """What ``If-Range`` may carry: a strong ETag, else the date; None if there is neither."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified
        return strong if strong and strong.isascii() and len(strong) <= _MOST_VALIDATOR else None


class Part:
    """The unfinished form of the file that the cache keeps as ``name``, in a work folder."""

    def __init__(self, folder: Path, name: str):
        self.path = folder / f"{name}.part"
        self.note = folder / f"{name}.part.json"
        self.rejected = folder / "rejected" / name

    @property
    def size(self) -> int:
        """How many bytes there are; 0 for a link or anything else that is not a file of ours."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    @property
    def origin(self) -> Origin | None:
        """Where the bytes come from; None when that is not known."""
        try:
            found = read_json(self.note, most=MOST_NOTE, error=VanbenchError)
            origin = Origin(**found)
        except (VanbenchError, TypeError):
            return None
        texts = (origin.etag or "", origin.last_modified or "", origin.url)
        sound = all(isinstance(text, str) and text.isprintable() for text in texts)
        length = 0 if origin.length is None else origin.length
        return origin if sound and type(length) is int and 0 <= length < 1 << 63 else None

    def begin(self, origin: Origin) -> None:
        """Start from zero with bytes of ``origin``."""
        self.discard()
        fresh = self.note.with_suffix(".tmp")
        _write(fresh, json.dumps(asdict(origin)))
        replace(fresh, self.note)

    def append(self) -> IO[bytes]:
        """The part, opened for more; unbuffered, so that a killed process loses nothing."""
        return self.path.open("ab", buffering=0)

    def discard(self) -> None:
        """Delete the bytes and the note, in this order; of links only the links."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def set_aside(self, reason: str) -> Path:
        """Move the bytes into the folder of rejected files, with the reason beside them."""
        _set_aside(self.path, self.rejected, reason)
        self.discard()
        return self.rejected

    def finish(self, target: Path, reason: str | None) -> None:
        """Move the bytes to ``target``; a file that is there is first set aside for ``reason``."""
        # Windows flushes only what is opened for writing, which a read-only file cannot be.
        with self.path.open("rb" if os.name == "posix" else "r+b") as file:
            os.fsync(file.fileno())
        if reason is not None and target.exists():
            _set_aside(target, self.rejected, reason)
        replace(self.path, target)
        self.note.unlink(missing_ok=True)


def _set_aside(path: Path, rejected: Path, reason: str) -> None:
    rejected.parent.mkdir(exist_ok=True)
    replace(path, rejected)
    _write(rejected.with_name(rejected.name + ".txt"), reason + "\n")


def _write(path: Path, text: str) -> None:
    """Make a new file; a link or a named pipe that is there is replaced, not written to."""
    path.unlink(missing_ok=True)
    with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
