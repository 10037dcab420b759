"""The cache: a published file that is there already, or comes from one of its sources.

One transfer is in ``transfer``, an unfinished file in ``partial``. No torch here.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from filelock import FileLock, Timeout

from vanbench.download.error_messages import cache_error, disk_error, lock_error, read_error
from vanbench.download.partial import Part
from vanbench.download.retry_policy import RETRY_POLICY, RetryPolicy
from vanbench.download.transfer import local_path, transfer
from vanbench.download.wanted import Wanted
from vanbench.errors import (
    FetchError,
    MismatchError,
    MissingError,
    NoFileError,
    SourceError,
    UnreadableError,
)
from vanbench.file_types import HEAD_BYTES, describe_bytes
from vanbench.files import HashedFile, hash_file, sha256_of
from vanbench.interrupts import keeping
from vanbench.outside.files import check_regular, open_regular
from vanbench.outside.safe_text import for_terminal
from vanbench.progress import Update, ignore
from vanbench.zoo.addresses import public_url

_IMPORT = "import existing files with `vanbench import DIR`."
_WORK = ".vanbench"  # folder in the cache for files whose hash is not verified yet


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
    """Whether the cache has a file for this one; only one under another file's name is hashed."""
    return (cache / wanted.cache_name).is_file() or _under_plain_name(wanted, cache) is not None


def fetch(
    wanted: Wanted,
    cache: Path,
    *,
    mirrors: Sequence[str] = (),
    offline: bool = False,
    progress: Update = ignore,
    policy: RetryPolicy = RETRY_POLICY,
) -> Fetched:
    """The file in ``cache``, downloaded if it is not there; its hash is checked in any case.

    ``mirrors`` are base URLs or folders that serve the same file names, tried before ``urls``;
    ``offline`` leaves only those that are local. Processes that want one file at once make one
    transfer. Raises FetchError, whose ``status`` says which kind; then no new file has the name,
    and what was received so far is kept for the next try.
    """
    if wanted.no_file:
        raise NoFileError(f"there is no file to download: {wanted.no_file}", cause=wanted.no_file)
    _check_name(wanted.filename)
    found = look(wanted, cache, progress)
    if isinstance(found, Fetched):
        return found
    sources = _sources(wanted, mirrors, offline)
    if not sources:
        raise _failure(wanted, cache, [found]) if found else _missing(wanted, cache)
    try:
        with locked(cache, wanted.cache_name, progress) as part:
            found = look(wanted, cache, progress)  # another process may have been faster
            if isinstance(found, Fetched):
                return found
            with keeping(lambda: _kept(part)):
                return _from_sources(wanted, cache, sources, part, found, progress, policy)
    except OSError as error:
        raise disk_error(error, cache) from error


def _kept(part: Part) -> str:
    """What an interrupted download leaves, and how to go on."""
    if not part.size:
        return "Nothing was received yet. The same command starts the download again."
    size = f"{part.size / 1e6:.1f} MB" if part.size >= 10**5 else f"{part.size} bytes"
    return f"{size} of the file are kept in {part.path}. The same command resumes the download."


def look(wanted: Wanted, cache: Path, progress: Update = ignore) -> Fetched | MismatchError | None:
    """The file if it is in the cache, or another one that has its name, or None.

    A file that ``torch.hub`` or mmcv saved under the plain name is found by its hash. Raises
    UnreadableError and StorageError.
    """
    _check_kind(cache / wanted.cache_name)
    try:
        if (cache / wanted.cache_name).is_file():
            return _proven(wanted, cache / wanted.cache_name, None, progress)
        file = _under_plain_name(wanted, cache, progress)
    except MismatchError as error:
        return error
    except OSError as error:
        raise cache_error(error, cache) from error
    return Fetched(file, None, "verified") if file else None


def _check_kind(path: Path) -> None:
    """UnreadableError for a folder, a named pipe or a looping link that has the name of a file."""
    if not os.path.lexists(path):
        return
    remedy = "Move it away, or choose another folder with --cache DIR."
    try:
        check_regular(path, UnreadableError, remedy=remedy)
    except UnreadableError as error:
        # A link to nothing is replaced; what may not be looked at is another message.
        if not isinstance(error.__cause__, FileNotFoundError | PermissionError):
            raise


def _under_plain_name(wanted: Wanted, cache: Path, progress: Update = ignore) -> HashedFile | None:
    """The file under its published name, which another file may have, if the hash shows it."""
    path = cache / wanted.filename
    if wanted.published and wanted.cache_name != wanted.filename and path.is_file():
        with suppress(OSError):  # another file that cannot be read does not matter
            file = hash_file(path, _hashing(progress))
            return file if matches(wanted, file.sha256) else None
    return None


def _check_name(filename: str) -> None:
    if filename in ("", ".", "..") or not filename.isprintable() or set("/\\") & set(filename):
        raise MissingError(
            f"expected the plain name of a file, found {filename!r}",
            remedy="Correct the URL in the zoo file.",
            cause="not the plain name of a file",
        )


def _sources(wanted: Wanted, mirrors: Sequence[str], offline: bool) -> list[str]:
    """Where to try, in order, each once."""
    near = [_on_mirror(mirror, wanted) for mirror in mirrors]
    every = dict.fromkeys((*near, *wanted.urls))
    return [source for source in every if not offline or local_path(source) is not None]


def _on_mirror(mirror: str, wanted: Wanted) -> str:
    """Where a mirror has the file: a folder or a base URL, whose query is kept.

    A mirror has files by their published names, a copy of a cache also by the cache's. Where
    another file has the same published name, and no hash tells them apart, only the latter counts.
    """
    names = [_decoded(wanted.filename), wanted.filename, wanted.cache_name]
    if wanted.shares_filename and not wanted.published:
        names = [wanted.cache_name]
    if "://" not in mirror:
        paths = [f"{mirror.rstrip('/')}/{name}" for name in names]
        return next((path for path in paths if Path(path).expanduser().is_file()), paths[0])
    base, mark, query = mirror.partition("?")
    return f"{base.rstrip('/')}/{quote(names[0])}{mark}{query}"


def _decoded(filename: str) -> str:
    """The name as text where it is percent-encoded, if that is still a plain name."""
    name = unquote(filename)
    return filename if set("/\\") & set(name) or not name.isprintable() else name


@contextmanager
def locked(cache: Path, name: str, progress: Update = ignore) -> Iterator[Part]:
    """The part of a file, for one process at a time; the kernel frees it when its holder dies."""
    work = cache / _WORK
    if not work.is_dir():
        work.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # who may write to the cache may download, also others' files
            work.chmod(cache.stat().st_mode & 0o7777)
    path = work / f"{name}.lock"
    # Whoever may write to the folder may lock the file, also in another user's cache.
    lock = FileLock(path, mode=work.stat().st_mode & 0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress(0, None, f"waiting for another process, which has locked {path}")
        lock.acquire()
    except OSError as error:
        raise lock_error(error, path) from error
    try:
        yield Part(work, name)
    finally:
        lock.release()


def _from_sources(
    wanted: Wanted,
    cache: Path,
    sources: Sequence[str],
    part: Part,
    cached_mismatch: MismatchError | None,
    progress: Update,
    policy: RetryPolicy,
) -> Fetched:
    """The file from the first source that has it; a wrong file in the cache is set aside."""
    failures: list[FetchError] = [cached_mismatch] if cached_mismatch else []
    for source in sources:
        try:
            fetched = _from_source(wanted, source, part, progress, policy)
        except (SourceError, MismatchError) as error:
            failures.append(error)
            continue
        target = cache / wanted.cache_name
        part.finish(target, str(cached_mismatch) if cached_mismatch else None)
        return replace(fetched, file=replace(fetched.file, path=target))
    raise _failure(wanted, cache, failures)


def _from_source(
    wanted: Wanted, source: str, part: Part, progress: Update, policy: RetryPolicy
) -> Fetched:
    """The part, complete and verified; after a mismatch once more from zero."""
    hashed = wanted.published is not None
    if wanted.most is not None:
        policy = replace(policy, largest=min(policy.largest, wanted.most))

    def is_complete() -> bool:
        return hashed and matches(wanted, sha256_of(part.path))

    for last in (local_path(source) is not None, True):
        transfer(
            source, part, hashed=hashed, policy=policy, progress=progress, is_complete=is_complete
        )
        try:
            return _proven(wanted, part.path, source, progress)
        except MismatchError as error:
            aside = part.set_aside(str(error))
            if last:
                error.problem += f". It is kept in the cache as {_WORK}/rejected/{aside.name}"
                raise
    raise AssertionError("unreachable")


def matches(wanted: Wanted, sha256: str) -> bool:
    """Whether a file with this hash is the one wanted, as far as its hash is published."""
    return _difference(wanted, sha256) is None


def _hashing(progress: Update) -> Callable[[int, int], None]:
    """Reports how much of a file is hashed."""
    return lambda done, total: progress(done, total, "checking the hash")


def _proven(wanted: Wanted, path: Path, source: str | None, progress: Update) -> Fetched:
    """The file at ``path`` if it is the one wanted; MismatchError if not."""
    try:
        file = hash_file(path, _hashing(progress))
    except OSError as error:
        raise read_error(error, path) from error
    if problem := _difference(wanted, file.sha256):
        with open_regular(path) as opened:
            kind = for_terminal(describe_bytes(opened.read(HEAD_BYTES)), most=200)
        raise MismatchError(
            f"{problem}, got SHA-256 {file.sha256} ({file.bytes} bytes; it is {kind})",
            where=public_url(source) if source else path,
            cause=_mismatch(wanted, file.sha256),
            kinds=("mismatch",),
        )
    url = public_url(source) if source else None
    return Fetched(file, url, "verified" if wanted.published else "unverifiable")


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
        f"{wanted.filename} is not there, and offline it cannot be downloaded"
        + _unproven(wanted, cache),
        where=cache,
        cause="not in the cache, and offline",
        remedy=f"Run it without --offline, or {_IMPORT}",
    )


def _unproven(wanted: Wanted, cache: Path) -> str:
    """That there is a file with the published name, which may be another one."""
    if wanted.published or not (cache / wanted.filename).is_file():
        return ""
    return (
        "; the cache has a file of that name, but without a published hash nothing shows that it "
        "is this file (the zoo's key sha256 would)"
    )


def _failure(wanted: Wanted, cache: Path, failures: Sequence[FetchError]) -> FetchError:
    """The failures of all sources as one; a mismatch anywhere is what counts most."""
    kinds = tuple(kind for failure in failures for kind in failure.kinds)
    error: type[FetchError] = FetchError
    if "mismatch" in kinds:
        error = MismatchError
    elif set(kinds) <= {"absent"}:
        error = MissingError
    reasons = "".join(f"\n  {failure}" for failure in failures)
    return error(
        f"{wanted.filename} could not be downloaded{_unproven(wanted, cache)}:{reasons}\n",
        cause="; ".join(dict.fromkeys(failure.cause for failure in failures)),
        remedy=f"Give another source with --mirror URL, or {_IMPORT}",
        kinds=kinds,
    )
