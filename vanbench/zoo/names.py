"""Names in a zoo that become names of files: of models, of the zoo, of checkpoint files."""

import re
import unicodedata
from urllib.parse import unquote, urlsplit

from vanbench.outside.safe_text import is_plain
from vanbench.zoo.entries import filename_of
from vanbench.zoo.search import normal_name

LONGEST_NAME = 100  # characters of the name of a model or a zoo
LONGEST_FILE = 200  # bytes of a file's name; most file systems allow 255, and suffixes are added
LONGEST_URL = 2000
NOT_A_ZOO = ("bench", "evidence", "all")
"""Folders under ``results`` that hold other files; and the zoo of all zoos."""

ALIAS = re.compile(r"[\w+][\w.+-]*")
MODEL = re.compile(r"[\w+][\w+-]*\.[\w.+-]+")
ZOO = re.compile(r"[\w-]*[^\W_][\w-]*")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.I)


def is_model_name(name: str) -> bool:
    """Whether a text is ``ARCH.TAG``, of letters, digits, ``_``, ``-``, ``+`` and ``.``."""
    return _is_short(name) and bool(MODEL.fullmatch(name)) and not is_device(name)


def is_alias(name: str) -> bool:
    """Whether a text can be another name of a model: of the same characters, tag or no tag."""
    return _is_short(name) and bool(ALIAS.fullmatch(name))


def is_zoo_name(name: str) -> bool:
    """Whether a text of letters, digits, ``_`` and ``-`` can name a folder under ``results``."""
    reserved = name.lower() in NOT_A_ZOO or is_device(name)
    return _is_short(name) and bool(ZOO.fullmatch(name)) and not reserved


def is_device(name: str) -> bool:
    """Whether a file of this name is a device on Windows, such as ``con`` or ``nul.txt``."""
    return _DEVICE.fullmatch(name) is not None


def is_file_address(url: str) -> bool:
    """Whether a URL is well formed, and ends in a name that a file can have on any system.

    What is escaped in the address of a local file is a part of its name.
    """
    try:
        scheme, _ = urlsplit(url).scheme, urlsplit(url).port
        name = filename_of(url)
    except ValueError:
        return False
    local = unquote(name) if scheme == "file" else name
    sound = is_plain(local) and not set(local) & set("/\\") and not is_device(local)
    short = len(name.encode("utf-8", "replace")) <= LONGEST_FILE
    return sound and short and local.strip(".") != "" and local == local.rstrip(". ")


def comparable(name: str) -> str:
    """The form that two names must not share: file systems may take them for one."""
    return unicodedata.normalize("NFKC", normal_name(name)).casefold()


def _is_short(name: str) -> bool:
    return len(name.encode("utf-8", "replace")) <= LONGEST_NAME
