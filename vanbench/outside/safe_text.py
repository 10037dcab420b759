"""Text from outside, made safe for where it is shown: a terminal, Markdown, an error message.

Such text is a name, a message of a server or a value of a file. It may hold escape sequences,
characters that reverse the direction of writing, markup, or a million characters.
"""

import re
import reprlib
import unicodedata
from itertools import islice
from typing import Any

_LONGEST = 2000  # characters of one text that is shown
_MARKDOWN = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
_BLOCK_START = re.compile(r"[#+=-]|\d{1,9}[.)]")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def is_plain(text: str) -> bool:
    """Whether a text is one line of visible characters and spaces of any kind."""
    return text.isprintable() or all(map(_is_plain, text))


def for_terminal(text: str, *, most: int = _LONGEST, multiline: bool = False) -> str:
    r"""A text without effect on a terminal: what is not printable is shown as an escape.

    These are control characters, escape sequences, invisible characters, those that change the
    direction of writing, and bytes of a file name that are not UTF-8. ``multiline`` leaves line
    feeds and tabs as they are. More than ``most`` characters are cut, with an ellipsis.

    >>> for_terminal("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    kept = "\n\t" if multiline else ""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if _is_plain(c) or c in kept else _escape(c) for c in cut)


def for_markdown(text: str, *, most: int = _LONGEST) -> str:
    """A text that Markdown and HTML show as it is, in one line, also in a cell of a table.

    >>> for_markdown("![x](http://host) <!-- y --> van_b0.in1k")
    '!\\\\[x\\\\](http://host) &lt;!-- y --&gt; van_b0.in1k'
    """
    line = for_terminal(" ".join(text.split()), most=most)
    escaped = _MARKDOWN.sub(lambda match: "\\" + match[0], line)
    escaped = re.sub("[&<>]", lambda match: _HTML[match[0]], escaped)
    start = _BLOCK_START.match(escaped)
    return f"{escaped[: start.end() - 1]}\\{escaped[start.end() - 1 :]}" if start else escaped


def shorten(value: Any, most: int = 100) -> str:
    """A value as Python writes it, of about ``most`` characters, whatever the value is.

    >>> shorten([1] * 1000)
    '[1, 1, 1, 1, 1, 1, …]'
    """
    shown = for_terminal(_Short(most).repr(value))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


class _Short(reprlib.Repr):
    """``repr`` in bounded time: of a long value only the beginning is looked at."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.most = most
        self.fillvalue = "…"

    def repr_str(self, value: str, level: int) -> str:
        return repr(value if len(value) <= self.most else value[: self.most] + "…")

    def repr_bytes(self, value: bytes, level: int) -> str:
        return repr(value[: self.most]) + ("…" if len(value) > self.most else "")

    def repr_dict(self, value: dict[Any, Any], level: int) -> str:
        few = dict(islice(value.items(), self.maxdict))
        shown = super().repr_dict(few, level)
        return shown if len(few) == len(value) else f"{shown[:-1]}, …}}"

    def repr_set(self, value: set[Any], level: int) -> str:
        return repr(value) if len(value) <= self.maxset else f"<a set of {len(value):,}>"

    def repr_int(self, value: int, level: int) -> str:
        if value.bit_length() <= 1000:
            return repr(value)
        return f"<a whole number of {int(value.bit_length() * 0.30103) + 1:,} digits>"


def _is_plain(character: str) -> bool:
    """Python's ``isprintable``, which has the space alone of all spaces that have a width."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # Python's form of a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
