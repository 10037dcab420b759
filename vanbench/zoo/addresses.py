"""URLs and paths as text that may be shown or recorded: without secrets, without folders.

A URL may carry a password (``user:password@``) or a token (``?token=…``), and a path names folders
of one machine. ``public_url`` is for one URL, ``redact`` for a text that is shown, ``portable`` for
a text that goes into a record.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*?(?=[:.,;)\]'\"]*(?:\s|$))")
_QUERY = re.compile(r"\?[^\s?=]+=[^\s)'\"]*")
_USER = re.compile(r"(?<!\S)[^\s/:@]+:[^\s/@]*@(?=\S)")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
_FILE_URL = re.compile(r"file://\S*?(?=[:.,;)\]'\"]*(?:\s|$))")
_FOLDERS = re.compile(r"(?<![\w/.:~-])(?:~|[A-Za-z]:)?[\\/](?:[^\s\\/:;,'\"()]+[\\/])+")


def public_url(address: str) -> str:
    """A URL without user info, query and fragment; a path or a ``file://`` URL as it is.

    >>> public_url("https://user:secret@host/weights.pth?token=1")
    'https://host/weights.pth'
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return _USER.sub("", address)
    if scheme == "file":
        return address
    authority, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    user, at, host = authority.rpartition("@")
    unclear = "@" in rest[len(user) + 1 :] if at else not _AUTHORITY.fullmatch(host)
    if unclear and "@" in rest:
        return f"{scheme}://…"  # a password that is not escaped: where it ends cannot be known
    return f"{scheme}://{host}{slash}{path}"


def redact(text: str) -> str:
    """A text whose URLs are without user info, query and fragment.

    >>> redact("http://user:secret@host/x?token=1: no such file")
    'http://host/x: no such file'
    """
    text = _URL.sub(lambda match: public_url(match[0]), text)
    return _USER.sub("", _QUERY.sub("", text))


def portable(text: str, folders: Iterable[str | Path] = ()) -> str:
    """A redacted text in which a path is the file's name alone.

    ``folders`` are known ones, which may have spaces in their names or be relative.

    >>> portable("/home/me/zoo/b0.pth: cannot be read")
    'b0.pth: cannot be read'
    """
    for folder in sorted(map(str, folders), key=len, reverse=True):
        if folder.strip("./\\"):
            name = folder.rstrip("/\\")
            alone = r"|\b" if re.search(r"[\\/]", name) else ""  # else it may be any word
            known = re.compile(rf"(?:file://)?(?<![\w.~-]){re.escape(name)}([\\/]{alone})")
            text = known.sub(lambda match: "" if match[1] else "the folder", text)
    text = _FILE_URL.sub(lambda match: unquote(match[0]).rpartition("/")[2], redact(text))
    return _FOLDERS.sub("", text)
