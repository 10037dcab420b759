"""The claim that a file was converted from another one, checked tensor by tensor."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vanbench.download.cache import Fetched, in_cache, look
from vanbench.download.obtain import wanted_file
from vanbench.errors import VanbenchError
from vanbench.zoo.combined import home
from vanbench.zoo.entries import Entry, Zoo

SAME = "same"
DIFFERENT = "different"
NOT_COMPARED = "not compared"


@dataclass(frozen=True)
class Conversion:
    """Whether the file of ``entry`` has the tensors of that of ``weights_of``.

    ``status``: ``same``, ``different``, or ``not compared`` with the ``reason``. ``equal`` of
    ``tensors`` are equal in type and value; None where nothing was compared. ``error``: a file in
    the cache could not be read.
    """

    entry: Entry
    weights_of: str
    status: str
    reason: str | None = None
    equal: int | None = None
    tensors: int | None = None
    error: VanbenchError | None = None


def conversions(zoo: Zoo, entries: Sequence[Entry], cache: Path) -> Iterator[Conversion]:
    """Each entry that has a file and claims the weights of another one; only the cache is read."""
    known = {"/".join(home(zoo.name, entry.name)): entry for entry in zoo.entries}
    for entry in entries:
        if entry.weights_of and not entry.no_file and not _is_same_file(entry, known):
            try:
                yield _compared(entry, entry.weights_of, known.get(entry.weights_of), cache)
            except VanbenchError as error:
                yield Conversion(entry, entry.weights_of, NOT_COMPARED, error.cause, error=error)


def _is_same_file(entry: Entry, known: Mapping[str, Entry]) -> bool:
    other = known.get(entry.weights_of or "")
    return other is not None and other.urls[:1] == entry.urls[:1]


def _compared(entry: Entry, name: str, other: Entry | None, cache: Path) -> Conversion:
    if other is None or other.no_file:
        reason = other.no_file if other else "no such model in these zoos"
        return Conversion(entry, name, NOT_COMPARED, reason)
    files = []
    for one in (other, entry):
        path = _path(one, cache)
        if path is None:
            reason = f"the cache has no file of {'it' if one is other else 'this model'}"
            return Conversion(entry, name, NOT_COMPARED, reason)
        files.append(path)
    from vanbench.checkpoints.diff import compare_files

    found = compare_files(*files)
    total = found.equal + len(found.differences)
    if found.same:
        return Conversion(entry, name, SAME, None, found.equal, total)
    first = found.differences[0]
    return Conversion(entry, name, DIFFERENT, f"{first.name}: {first.what}", found.equal, total)


def _path(entry: Entry, cache: Path) -> Path | None:
    """Where the cache has the entry's file, None if it has not; MismatchError for another file."""
    wanted = wanted_file(entry)
    if not in_cache(wanted, cache):
        return None
    found = look(wanted, cache)
    if isinstance(found, Fetched):
        return found.path
    if found is not None:
        raise found
    return None
