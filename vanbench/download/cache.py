"""Bytes: a published file, from the cache or from one of its sources, under its name once proven.

How one transfer goes is in ``transfer``; what is unfinished, in ``partial``. No torch here.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock

from vanbench.download.error_messages import disk_error
from vanbench.download.partial import Part
from vanbench.download.transfer import RETRY_POLICY, RetryPolicy, local_path, transfer
from vanbench.errors import FetchError, MismatchError, MissingError, SourceError
from vanbench.file_types import HEAD_BYTES, describe_bytes
from vanbench.files import HashedFile, hash_file
from vanbench.progress import Update, ignore
from vanbench.zoo.entries import hash_in_name

_IMPORT = "import existing files with `vanbench import DIR`."
_WORK = ".vanbench"  # folder in the cache for what has no name yet


@dataclass(frozen=True)
class Wanted:
    """One published file.

    ``sha256`` is what was published of its hash: the whole, or a prefix of at least 8 hex digits;
    None means the digits that end the file's name, if there are any. ``recorded`` is the full hash
    of an earlier verified run: another file with the same prefix is a mismatch too.
    """

    filename: str
    urls: tuple[str, ...]
    sha256: str | None = None
    recorded: str | None = None

    @property
    def published(self) -> str | None:
        """The published hash or prefix of it; None if there is none."""
        if self.sha256:
            return self.sha256.lower()
        return hash_in_name(self.filename)


@dataclass(frozen=True)
class Fetched:
    """A file in the cache. ``url`` None: it was there already.

    ``status`` is ``verified``, or ``unverifiable`` when nothing was published to compare with.
    """

    file: HashedFile
    url: str | None
    status: str

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.file.path

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.file.bytes

    @property
    def sha256(self) -> str:
        """Its hash, as computed in this run."""
        return self.file.sha256


def default_cache() -> Path:
    """The folder in which ``torch.hub`` and mmcv keep checkpoints, found as they find it."""
    xdg = os.getenv("XDG_CACHE_HOME", "~/.cache")
    home = os.getenv("TORCH_HOME", os.path.join(xdg, "torch"))
    return Path(os.path.expanduser(home)) / "hub" / "checkpoints"


def in_cache(wanted: Wanted, cache: Path) -> bool:
    """Whether a file of that name is in the cache; its content is another matter."""
    return (cache / wanted.filename).is_file()


def fetch(
    wanted: Wanted,
    cache: Path,
    *,
    mirrors: Sequence[str] = (),
    offline: bool = False,
    progress: Update = ignore,
    policy: RetryPolicy = RETRY_POLICY,
) -> Fetched:
    """The file under its name in ``cache``, fetched if need be, its hash checked in any case.

    ``mirrors`` are base URLs or folders that serve the same file names, tried before ``urls``;
    ``offline`` leaves only those that are local. Processes that want one file at once make one
    transfer. Raises FetchError, whose ``status`` says which kind; then no new file has the name,
    and what was received so far is kept for the next try.
    """
    _check_name(wanted.filename)
    try:
        found = _look(wanted, cache)
        if isinstance(found, Fetched):
            return found
        sources = _sources(wanted, mirrors, offline)
        if not sources:
            raise _failure(wanted, [found]) if found else _missing(wanted, cache)
        with locked(cache, wanted.filename) as part:
            found = _look(wanted, cache)  # another process may have been faster
            if isinstance(found, Fetched):
                return found
            return _from_sources(wanted, cache, sources, part, found, progress, policy)
    except OSError as error:
        raise disk_error(error, cache) from error


def _check_name(filename: str) -> None:
    if filename in ("", ".", "..") or not filename.isprintable() or set("/\\") & set(filename):
        raise MissingError(
            f"Expected the plain name of a file, found {filename!r}",
            cause="not the plain name of a file",
        )


def _look(wanted: Wanted, cache: Path) -> Fetched | MismatchError | None:
    """What is in the cache under the name: the file, another one, or nothing."""
    if not in_cache(wanted, cache):
        return None
    try:
        return _proven(wanted, cache / wanted.filename, None)
    except MismatchError as error:
        return error


def _sources(wanted: Wanted, mirrors: Sequence[str], offline: bool) -> list[str]:
    """Where to try, in order, each once."""
    name = quote(wanted.filename)
    near = [
        f"{mirror.rstrip('/')}/{name if '://' in mirror else wanted.filename}" for mirror in mirrors
    ]
    every = dict.fromkeys((*near, *wanted.urls))
    return [source for source in every if not offline or local_path(source) is not None]


@contextmanager
def locked(cache: Path, filename: str) -> Iterator[Part]:
    """The part of a file, for one process at a time; the kernel frees it when its holder dies."""
    work = cache / _WORK
    work.mkdir(parents=True, exist_ok=True)
    with FileLock(work / f"{filename}.lock"):
        yield Part(work, filename)


def _from_sources(
    wanted: Wanted,
    cache: Path,
    sources: Sequence[str],
    part: Part,
    cached_mismatch: MismatchError | None,
    progress: Update,
    policy: RetryPolicy,
) -> Fetched:
    """The file from the first source that has it; a wrong file in the cache is moved aside."""
    failures: list[FetchError] = [cached_mismatch] if cached_mismatch else []
    for source in sources:
        try:
            fetched = _from_source(wanted, source, part, progress, policy)
        except (SourceError, MismatchError) as error:
            failures.append(error)
            continue
        target = cache / wanted.filename
        part.finish(target, str(cached_mismatch) if cached_mismatch else None)
        return replace(fetched, file=replace(fetched.file, path=target))
    raise _failure(wanted, failures)


def _from_source(
    wanted: Wanted, source: str, part: Part, progress: Update, policy: RetryPolicy
) -> Fetched:
    """The part, complete and proven; after a mismatch once more from zero."""
    hashed = wanted.published is not None
    for last in (local_path(source) is not None, True):
        transfer(source, part, hashed=hashed, policy=policy, progress=progress)
        try:
            return _proven(wanted, part.path, source)
        except MismatchError as error:
            aside = part.set_aside(str(error))
            if last:
                error.problem += f". It is kept as {aside}"
                raise
    raise AssertionError("unreachable")


def matches(wanted: Wanted, sha256: str) -> bool:
    """Whether a file with this hash is the one wanted, as far as its hash is published."""
    return _difference(wanted, sha256) is None


def _proven(wanted: Wanted, path: Path, source: str | None) -> Fetched:
    """The file at ``path`` if it is the one wanted; MismatchError if not."""
    file = hash_file(path)
    if problem := _difference(wanted, file.sha256):
        with path.open("rb") as opened:
            kind = describe_bytes(opened.read(HEAD_BYTES))
        raise MismatchError(
            f"{problem}, got SHA-256 {file.sha256} ({file.bytes} bytes; it is {kind})",
            where=source or path,
            cause=_mismatch(wanted, file.sha256),
            kinds=("mismatch",),
        )
    return Fetched(file, source, "verified" if wanted.published else "unverifiable")


def _difference(wanted: Wanted, found: str) -> str | None:
    """What was expected instead of the hash ``found``; None if it is as expected."""
    published = wanted.published
    if published and not found.startswith(published):
        whole = "" if len(published) == 64 else " that begins with"
        return f"expected a file with the published SHA-256{whole} {published}"
    if wanted.recorded and found != wanted.recorded:
        return (
            "the published hash fits, but an earlier verified run recorded another file; "
            f"expected SHA-256 {wanted.recorded}"
        )
    return None


def _mismatch(wanted: Wanted, found: str) -> str:
    """The same in brief."""
    if wanted.published and not found.startswith(wanted.published):
        return f"hash mismatch: expected {wanted.published[:8]}…, got {found[:8]}…"
    return "hash mismatch: not the file that an earlier verified run recorded"


def _missing(wanted: Wanted, cache: Path) -> MissingError:
    return MissingError(
        f"{wanted.filename} is not in {cache}, and offline it cannot be downloaded",
        cause="not in the cache, and offline",
        remedy=f"Run it without --offline, or {_IMPORT}",
    )


def _failure(wanted: Wanted, failures: Sequence[FetchError]) -> FetchError:
    """The failures of all sources as one; a mismatch anywhere is what counts most."""
    kinds = tuple(kind for failure in failures for kind in failure.kinds)
    error: type[FetchError] = FetchError
    if "mismatch" in kinds:
        error = MismatchError
    elif set(kinds) <= {"absent"}:
        error = MissingError
    reasons = "".join(f"\n  {failure}" for failure in failures)
    return error(
        f"{wanted.filename} could not be downloaded:{reasons}\n",
        cause="; ".join(dict.fromkeys(failure.cause for failure in failures)),
        remedy=f"Give another source with --mirror URL, or {_IMPORT}",
        kinds=kinds,
    )
