"""Import existing files into the cache; they are recognised by their hash."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vanbench.download.cache import Fetched, locked, look, matches
from vanbench.download.error_messages import disk_error
from vanbench.download.wanted import Wanted
from vanbench.errors import FetchError, MissingError, NoFileError
from vanbench.files import sha256_of
from vanbench.outside.safe_text import for_terminal
from vanbench.progress import Update, ignore


@dataclass(frozen=True)
class Imported:
    """A wanted file: where it was found, and its path in the cache; None where it was not found.

    ``status``: ``linked``, ``copied``, ``present`` (the cache has it already), ``missing``,
    ``unverifiable`` (nothing was published to recognise it by) or ``no file`` (the claim has none).
    ``reason`` says why there is none.
    """

    wanted: Wanted
    source: Path | None
    path: Path | None
    status: str
    reason: str | None = None


@dataclass
class _Found:
    """What a search met: the first file with each hash, and what may explain that one is missing.

    ``namesakes`` are files with a published name and another hash; ``unreadable`` could not be
    hashed.
    """

    files: dict[Wanted, Path] = field(default_factory=dict)
    namesakes: dict[str, tuple[Path, str]] = field(default_factory=dict)
    unreadable: list[Path] = field(default_factory=list)

    def why_missing(self, wanted: Wanted) -> str:
        """Why no file was recognised, as a clause."""
        if not wanted.published:
            return "no hash was published to recognise it by"
        if namesake := self.namesakes.get(wanted.filename):
            path, sha256 = namesake
            return f"{for_terminal(path.name)} is another file: its hash begins with {sha256[:8]}"
        unread = f"; {len(self.unreadable):,} could not be read" if self.unreadable else ""
        return f"no file has the published hash{unread}"


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
    found = _search(folder, sought, progress) if sought else _Found()
    try:
        return [_import(w, found, cache, present.get(w)) for w in wanted]
    except OSError as error:
        raise disk_error(error, cache) from error


def _search(
    folder: Path,
    sought: Sequence[Wanted],
    progress: Update,
) -> _Found:
    """The first file with the hash of each of those sought; stops when all are found."""
    found = _Found()
    files = list(_files(folder))
    for number, path in enumerate(files, 1):
        _look_at(path, sought, found)
        progress(number, len(files))
        if len(found.files) == len(sought):
            break
    return found


def _look_at(path: Path, sought: Sequence[Wanted], found: _Found) -> None:
    """Note whose file it is, or why it may have been taken for one."""
    try:
        sha256 = sha256_of(path)
    except OSError:
        found.unreadable.append(path)
        return
    for wanted in sought:
        if matches(wanted, sha256):
            found.files.setdefault(wanted, path)
        elif path.name == wanted.filename:
            found.namesakes.setdefault(wanted.filename, (path, sha256))


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


def _import(wanted: Wanted, found: _Found, cache: Path, present: Path | None) -> Imported:
    target, source = cache / wanted.cache_name, found.files.get(wanted)
    if present:
        return Imported(wanted, None, present, "present")
    if wanted.no_file:
        return Imported(wanted, None, None, NoFileError.status, wanted.no_file)
    if source is None:
        status = "missing" if wanted.published else "unverifiable"
        return Imported(wanted, None, None, status, found.why_missing(wanted))
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
