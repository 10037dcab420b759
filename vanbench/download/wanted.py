"""What file is wanted, and under which name the cache keeps it."""

import hashlib
import re
from dataclasses import dataclass

from vanbench.zoo.addresses import public_url
from vanbench.zoo.entries import hash_in_name

_DIGITS = 16  # of a SHA-256 in a name
_NOT_PORTABLE = re.compile(r'[<>:"|?*\x00-\x1f]')  # Windows allows none of them in a file name


@dataclass(frozen=True)
class Wanted:
    """One published file.

    ``filename`` is its published name, ``urls`` are where it was published. ``sha256`` is what was
    published of its hash: all of it, or a prefix of at least 8 hex digits; None means the digits
    that end the file's name, if there are any. ``recorded`` is the full hash of an earlier verified
    run: another file with the same prefix is a mismatch too. ``shares_filename``: another file of
    the zoo has the same name, so that a mirror may have either. ``most`` is how many bytes the file
    can plausibly have, None if that is not known. ``no_file`` says why there is no such file; then
    the name is empty.
    """

    filename: str
    urls: tuple[str, ...]
    sha256: str | None = None
    recorded: str | None = None
    shares_filename: bool = False
    most: int | None = None
    no_file: str | None = None

    @property
    def published(self) -> str | None:
        """The published hash or prefix of it; None if there is none."""
        if self.sha256:
            return self.sha256.lower()
        return hash_in_name(self.filename)

    @property
    def cache_name(self) -> str:
        """The file's name in the cache, which no other file has.

        It is the published name where that ends in the published hash, as ``torch.hub`` expects.
        Otherwise it gets digits of the published hash or, where none is published, of the URL's.

        >>> Wanted("model.pth", ("https://host/model.pth",), "385941af").cache_name
        'model-385941af.pth'
        """
        name = _NOT_PORTABLE.sub("_", self.filename)
        in_name, published = hash_in_name(name), self.published
        if published and in_name and _agree(published, in_name):
            return name
        stem, suffix = _split(name)
        if published:
            return f"{stem}-{published[:_DIGITS]}{suffix}"
        if self.urls:
            return f"{stem}_url{_digest(self.urls[0])}{suffix}"
        return name


def source_id(source: str) -> str:
    """A URL without user info and query, and a digest where something was left out."""
    public = public_url(source)
    return source if public == source else f"{public}#{_digest(source)}"


def _agree(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _digest(url: str) -> str:
    """Digits of the SHA-256 of a URL without a password, which could be guessed from them."""
    text = re.sub(r"(://[^/?#:@]*):[^/?#]*@", r"\1@", url)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def _split(name: str) -> tuple[str, str]:
    """Stem and suffix; ``.pth.tar`` is one suffix."""
    match = re.fullmatch(r"(.+?)((?:\.pth)?\.\w+)", name)
    return (match[1], match[2]) if match else (name, "")
