"""What a file is: its hash, the name that zoos expect, and the zoo entries whose file it is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vanbench.download.cache import matches
from vanbench.download.obtain import wanted_file
from vanbench.errors import MissingError, UnreadableError
from vanbench.files import HashedFile, hash_file
from vanbench.progress import Update, ignore
from vanbench.zoo.entries import Zoo, hash_in_name

DIGITS = 8  # of the SHA-256 at the end of a published name
Digits = Literal["own", "other", "none"]

_SUFFIX = re.compile(r"(.*?)((?:\.pth)?\.\w{1,12})?", re.S)


@dataclass(frozen=True)
class Identity:
    """A file with its hash.

    ``name`` is what zoos expect it to be called. ``digits``: whether its name ends in digits of its
    ``own`` hash, in those of an ``other`` one, or in ``none``. ``models`` are the zoos and models
    whose file it is by its hash; ``namesakes`` those whose published file has its name, and is
    another file.
    """

    file: HashedFile
    name: str
    digits: Digits
    models: tuple[tuple[str, str], ...]
    namesakes: tuple[tuple[str, str], ...]


def identify(path: Path, zoos: Iterable[Zoo], progress: Update = ignore) -> Identity:
    """Hash a file and find out whose it is; an error without ``where`` if it cannot be read."""
    try:
        file = hash_file(path, progress)
    except FileNotFoundError:
        raise MissingError("there is no such file") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    models, namesakes = [], []
    for zoo in zoos:
        for entry in zoo.entries:
            wanted = wanted_file(entry)
            if wanted.published and matches(wanted, file.sha256):
                models.append((zoo.name, entry.name))
            elif wanted.published and entry.filename == path.name:
                namesakes.append((zoo.name, entry.name))
    return Identity(
        file,
        expected_name(path.name, file.sha256),
        _digits(path.name, file.sha256),
        tuple(models),
        tuple(namesakes),
    )


def expected_name(name: str, sha256: str) -> str:
    """The name that ends in the first digits of the hash, in place of other digits.

    >>> expected_name("my_van.pth", "385941af" + "0" * 56)
    'my_van-385941af.pth'
    """
    digits = hash_in_name(name)
    if digits and sha256.startswith(digits):
        return name
    match = _SUFFIX.fullmatch(name)
    stem, suffix = (match[1], match[2] or "") if match else (name, "")
    stem = stem.removesuffix(f"-{digits}") if digits else stem
    return f"{stem}-{sha256[:DIGITS]}{suffix}"


def _digits(name: str, sha256: str) -> Digits:
    digits = hash_in_name(name)
    if digits is None:
        return "none"
    return "own" if sha256.startswith(digits) else "other"
