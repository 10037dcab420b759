"""Bytes: a published file, from the cache or from one of its sources, under its name once proven.

Nothing here knows torch. What a source is, and how one transfer goes, is in ``transfer``.
"""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from vanbench.errors import FetchError, MismatchError, MissingError
from vanbench.transfer import transfer

Progress = Callable[[int, int | None], None]  # bytes done, bytes in all where known

_HASH_SUFFIX = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


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
        match = _HASH_SUFFIX.search(self.filename)
        return match.group(1) if match else None


@dataclass(frozen=True)
class Fetched:
    """A file in the cache. ``url`` None: it was there already.

    ``status`` is ``verified``, or ``unverifiable`` when nothing was published to compare with.
    """

    path: Path
    bytes: int
    sha256: str
    url: str | None
    status: str


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
    progress: Progress | None = None,
) -> Fetched:
    """The file under its name in ``cache``, fetched if it is not there, hashed in either case.

    Raises FetchError (whose ``status`` says which kind) and leaves no file under the name.
    """
    target = cache / wanted.filename
    if target.is_file():
        return _accept(wanted, target, None)
    if offline:
        raise MissingError(f"{wanted.filename} is not in {cache}, and --offline forbids fetching.")
    work = cache / ".vanbench"
    work.mkdir(parents=True, exist_ok=True)
    with FileLock(work / f"{wanted.filename}.lock"):
        if target.is_file():
            return _accept(wanted, target, None)
        return _from_sources(wanted, target, work / f"{wanted.filename}.part", mirrors, progress)


def _from_sources(
    wanted: Wanted, target: Path, part: Path, mirrors: Sequence[str], progress: Progress | None
) -> Fetched:
    failures: list[FetchError] = []
    bases = [f"{mirror.rstrip('/')}/{wanted.filename}" for mirror in mirrors]
    for url in (*bases, *wanted.urls):
        try:
            transfer(url, part, progress)
            fetched = _accept(wanted, part, url)
        except FetchError as error:
            failures.append(error)
            continue
        os.replace(part, target)
        return Fetched(target, fetched.bytes, fetched.sha256, url, fetched.status)
    kind = MismatchError if any(isinstance(f, MismatchError) for f in failures) else FetchError
    raise kind(" ".join(str(f) for f in failures))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _accept(wanted: Wanted, path: Path, url: str | None) -> Fetched:
    found = sha256_of(path)
    size = path.stat().st_size
    expected = wanted.recorded or wanted.published
    if expected and not found.startswith(expected):
        raise MismatchError(
            f"{url or path}: expected a file with SHA-256 {expected}, got {found} ({size} bytes)."
        )
    return Fetched(path, size, found, url, "verified" if wanted.published else "unverifiable")
