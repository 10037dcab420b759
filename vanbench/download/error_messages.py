"""Why a file could not be had, in words: exceptions, first bytes and disk errors as sentences."""

import errno
import html
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import requests
from urllib3 import exceptions as urllib3

from vanbench.errors import SourceError, StorageError

HEAD_BYTES = 1 << 16  # how much of a file's beginning is looked at

_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|!--|\?xml|html|head|body|error)", re.I)
_TITLE = re.compile(rb"<(title|h1|message|code)\b[^>]*>(.*?)</\1", re.I | re.S)

_TLS = {  # OpenSSL's X509_V_ERR_* numbers
    9: "its certificate is not valid yet by this machine's clock",
    10: "its certificate has expired",
    18: "its certificate is self-signed, which no authority on this machine vouches for",
    19: "its certificate chain ends in a self-signed one unknown to this machine",
    20: "its certificate is from an authority unknown to this machine",
    21: "its certificate is from an authority unknown to this machine",
    62: "its certificate is for another host name",
}

_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file of that size is not allowed there",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "writing there is not permitted",
    errno.EPERM: "writing there is not permitted",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.EEXIST: "a file is where the folder should be",
    errno.EISDIR: "a folder is where the file should be",
    errno.ENAMETOOLONG: "the file name is too long for the file system",
}


def is_page(head: bytes) -> bool:
    """Whether a file that begins so is an HTML or XML page, and so no checkpoint."""
    return _PAGE.match(head) is not None


def page_title(head: bytes) -> str | None:
    """What a page says of itself: its title, or the first heading or message.

    >>> page_title(b"<html><title>Sign &amp; in</title>")
    'Sign & in'
    """
    match = _TITLE.search(head)
    if match is None:
        return None
    text = html.unescape(match.group(2).decode("utf-8", "replace"))
    return printable(" ".join(re.sub("<[^>]*>", " ", text).split()))[:100] or None


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
    for magic, name in (
        (b"PK\x03\x04", "a zip archive, as PyTorch writes since 1.6"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a legacy PyTorch file"),
        (b"\x1f\x8b", "gzip-compressed data"),
        (b"version https://git-lfs", "a Git LFS pointer, not the file it points to"),
        (b"\x80", "a pickle"),
    ):
        if head.startswith(magic):
            return name
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 30:
        return "a safetensors file"
    if not any(head[:512]):
        return "zero bytes"
    return f"the bytes {head[:16]!r}"


def printable(text: str) -> str:
    """Text from elsewhere without control characters, which could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def network_error(error: Exception, url: str) -> SourceError:
    """An exception of requests, urllib3 or a socket as one sentence with its cause."""
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    chain = list(_chain(error))

    def has(*kinds: type) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    def say(cause: str, what: str, more: str = "", *, transient: bool = True) -> SourceError:
        reached = not has(urllib3.NewConnectionError, urllib3.ConnectTimeoutError)
        return SourceError(
            url, what + more, cause, brief=what, transient=transient, reached=reached
        )

    last = f" ({printable(str(error))[:200]})"

    if has(urllib3.ProxyError, requests.exceptions.ProxyError):
        return say(
            "proxy", f"the proxy for {host} does not answer", "; see HTTP_PROXY, HTTPS_PROXY"
        )
    if has(socket.gaierror, urllib3.NameResolutionError):
        return say("dns", f"the host name {host} cannot be resolved (DNS)")
    if type(error) is OSError:  # requests' for a REQUESTS_CA_BUNDLE that is not there
        return say("tls", "the certificate store is not there", last, transient=False)
    if has(ssl.SSLError, urllib3.SSLError):
        what = f"no trusted connection (TLS): {_tls_reason(chain)}"
        return say("tls", what, transient=False)
    if has(ConnectionRefusedError):
        return say("refused", f"{host} refused the connection")
    if has(TimeoutError, urllib3.ReadTimeoutError, requests.exceptions.Timeout):
        return say("timeout", f"{host} did not answer in time")
    if has(urllib3.NewConnectionError):
        return say("refused", f"{host} cannot be reached ({printable(str(chain[-1]))[:200]})")
    if has(requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError):
        return say("address", "not a usable address", last, transient=False)
    if has(urllib3.DecodeError):
        return say("garbled", "it compressed the file and sent broken data")
    if has(urllib3.IncompleteRead, urllib3.ProtocolError, ConnectionError):
        return say("closed", f"{host} closed the connection before the file was complete")
    return say("garbled", "it does not answer as a web server does", last)


def disk_error(error: OSError, folder: Path) -> StorageError:
    """An OSError from writing to the cache as a sentence."""
    reason = _DISK.get(error.errno or 0, error.strerror or str(error))
    return StorageError(
        f"{folder}: the file cannot be written: {reason}. "
        "Make room or rights there, or choose another folder with --cache DIR.",
        f"the file cannot be written: {reason}",
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and all that it wraps, in the ways of requests and urllib3."""
    todo, seen = [error], set()
    while todo:
        link = todo.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        todo += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]


def _tls_reason(chain: list[BaseException]) -> str:
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return _TLS.get(link.verify_code, link.verify_message)
    return printable(str(chain[-1]))[:200]
