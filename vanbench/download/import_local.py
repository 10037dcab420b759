"""Import existing files into the cache; they are recognised by their hash."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vanbench.download.cache import Fetched, locked, look, matches
from vanbench.download.error_messages import disk_error
from vanbench.download.wanted import Wanted
from vanbench.errors import FetchError, MissingError
from vanbench.files import sha256_of
from vanbench.progress import Update, ignore


@dataclass(frozen=True)
class Imported:
    """A wanted file: where it was found, and its path in the cache; None where it was not found.

    ``status``: ``linked``, ``copied``, ``present`` (the cache has it already), ``missing``, or
    ``unverifiable`` (nothing was published to recognise it by).
    """

    wanted: Wanted
    source: Path | None
    path: Path | None
    status: str


def import_files(
    folder: Path,
    wanted: Sequence[Wanted],
    cache: Path,
    progress: Update = ignore,
) -> list[Imported]:
    """What became of each wanted file; any file below ``folder`` may be it, by its hash.

    Files are hard-linked, or copied from another file system. ``progress`` counts files. Raises
    MissingError if there is no such folder, StorageError if the cache cannot be written, and
    UnreadableError if a file in it cannot be read.
    """
    if not folder.is_dir():
        raise MissingError("expected a folder with checkpoint files, found no folder", where=folder)
    present = {w: path for w in wanted if (path := _present(w, cache))}
    sought = [w for w in wanted if w.published and w not in present]
    found = _search(folder, sought, progress) if sought else {}
    try:
        return [_import(w, found.get(w), cache, present.get(w)) for w in wanted]
    except OSError as error:
        raise disk_error(error, cache) from error


def _search(
    folder: Path,
    sought: Sequence[Wanted],
    progress: Update,
) -> dict[Wanted, Path]:
    """The first file with the hash of each of those sought; stops when all are found."""
    found: dict[Wanted, Path] = {}
    files = list(_files(folder))
    for number, path in enumerate(files, 1):
        try:
            sha256 = sha256_of(path)
        except OSError:  # a file that cannot be read is not found, and then reported as missing
            sha256 = ""
        for wanted in sought:
            if sha256 and matches(wanted, sha256):
                found.setdefault(wanted, path)
        progress(number, len(files))
        if len(found) == len(sought):
            break
    return found


def _files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, in order of their names, without the cache's work files."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".vanbench")
        for path in (Path(place) / name for name in sorted(names)):
            if os.path.isfile(path):  # False where the file may not be looked at
                yield path


def _present(wanted: Wanted, cache: Path) -> Path | None:
    """Where the cache has the file already, if a hash shows that it is this one."""
    found = look(wanted, cache) if wanted.published else None
    return found.path if isinstance(found, Fetched) else None


def _import(wanted: Wanted, source: Path | None, cache: Path, present: Path | None) -> Imported:
    target = cache / wanted.cache_name
    if present:
        return Imported(wanted, None, present, "present")
    if source is None:
        return Imported(wanted, None, None, "missing" if wanted.published else "unverifiable")
    with locked(cache, wanted.cache_name) as part:
        part.discard()
        status = _link_or_copy(source.resolve(), part.path)
        if not matches(wanted, sha256_of(part.path)):
            part.discard()
            raise FetchError(
                "it changed while it was read",
                where=source,
                remedy="Run the command again when no other program writes to it.",
            )
        part.finish(target, "not the published file, but it had its name")
    return Imported(wanted, source, target, status)


def _link_or_copy(source: Path, target: Path) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)
        return "copied"
    return "linked"
