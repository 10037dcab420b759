"""What a file is, by its first bytes: one table for downloads, checkpoints and messages."""

import html
import re

from vanbench.outside.safe_text import for_terminal

HEAD_BYTES = 1 << 16  # how much of a file's beginning is looked at

ZIP_MAGIC = b"PK\x03\x04"
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # pickle of 0x1950a86a20f9469cfc6c
SAFETENSORS_MOST_HEADER = 100_000_000  # bytes; the limit of the safetensors library

_MAGIC = (
    (ZIP_MAGIC, "a zip archive, as PyTorch writes since 1.6"),
    (LEGACY_MAGIC, "a legacy PyTorch file"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it points to"),
    (b"\x80", "a pickle"),
)
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|!--|\?xml|html|head|body|error)", re.I)
_TITLE = re.compile(rb"<(title|h1|message|code)\b[^>]*>(.*?)</\1", re.I | re.S)


def is_zip(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a zip archive."""
    return head.startswith(ZIP_MAGIC)


def is_legacy_torch(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is of PyTorch's serialisation before 1.6."""
    return head.startswith(LEGACY_MAGIC)


def is_safetensors(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a safetensors file."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= SAFETENSORS_MOST_HEADER


def is_page(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is an HTML or XML page, and so no checkpoint."""
    return _PAGE.match(head) is not None


def page_title(head: bytes) -> str | None:
    """The title of a page, or its first heading or message.

    >>> page_title(b"<html><title>Sign &amp; in</title>")
    'Sign & in'
    """
    match = _TITLE.search(head)
    if match is None:
        return None
    text = html.unescape(match.group(2).decode("utf-8", "replace"))
    return for_terminal(" ".join(re.sub("<[^>]*>", " ", text).split()), most=100) or None


def describe_bytes(head: bytes) -> str:
    """What a file that begins with ``head`` is.

    >>> describe_bytes(b"<!DOCTYPE html><title>Moved</title>")
    'an HTML or XML page ("Moved")'
    """
    if not head:
        return "nothing (it is empty)"
    if is_page(head):
        title = page_title(head)
        return "an HTML or XML page" + (f' ("{title}")' if title else "")
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if is_safetensors(head):
        return "a safetensors file"
    if not any(head[:512]):
        return "zero bytes"
    return f"the bytes {head[:16]!r}"
