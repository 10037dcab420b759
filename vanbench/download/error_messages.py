"""Why a file could not be downloaded or read: exceptions of network and disk as sentences."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import requests
from urllib3 import exceptions as urllib3

from vanbench.download.deadline import HeaderTooLarge, TooSlow
from vanbench.errors import SourceError, StorageError, UnreadableError
from vanbench.outside.safe_text import for_terminal
from vanbench.zoo.addresses import public_url, redact

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

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def network_error(error: Exception, url: str) -> SourceError:
    """An exception of requests, urllib3 or a socket as one sentence with its cause."""
    host = public_url(url).partition("://")[2].partition("/")[0]
    chain = list(_chain(error))
    late = [link for link in chain if isinstance(link, TooSlow)]

    def has(*kinds: type) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    def say(kind: str, what: str, more: str = "", *, transient: bool = True) -> SourceError:
        reached = not has(urllib3.NewConnectionError, urllib3.ConnectTimeoutError)
        reached = reached and all(link.reached for link in late)
        return SourceError(url, what + more, kind, cause=what, transient=transient, reached=reached)

    def words(exception: BaseException) -> str:
        """The library's words, unless they may have a part of a password or token."""
        return (
            f" ({for_terminal(redact(str(exception)), most=200)})" if public_url(url) == url else ""
        )

    last = words(error)

    if has(urllib3.ProxyError, requests.exceptions.ProxyError):
        return say(
            "proxy", f"the proxy for {host} does not answer", "; see HTTP_PROXY, HTTPS_PROXY"
        )
    if late:
        return say("timeout", f"{late[0]} ({host})")
    if has(socket.gaierror, urllib3.NameResolutionError):
        return say("dns", f"the host name {host} cannot be resolved (DNS)")
    if type(error) is OSError:  # requests' for a REQUESTS_CA_BUNDLE that is not there
        return say("tls", "the certificate store is not there", last, transient=False)
    if has(ssl.SSLError, urllib3.SSLError):
        reason = _tls_reason(chain) or f"the handshake failed{words(chain[-1])}"
        what = f"no trusted connection (TLS): {reason}"
        return say("tls", what, transient=False)
    if has(ConnectionRefusedError):
        return say("refused", f"{host} refused the connection")
    if has(TimeoutError, urllib3.ReadTimeoutError, requests.exceptions.Timeout):
        return say("timeout", f"{host} did not answer in time")
    if has(urllib3.NewConnectionError):
        return say("refused", f"{host} cannot be reached{words(chain[-1])}")
    if has(requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError):
        return say("address", "not a usable address", last, transient=False)
    if has(urllib3.DecodeError):
        return say("garbled", "it compressed the file and sent broken data")
    if has(HeaderTooLarge):
        return say("garbled", "the header of its answer is larger than that of any file")
    if has(urllib3.IncompleteRead, urllib3.ProtocolError, ConnectionError):
        return say("closed", f"{host} closed the connection before the file was complete")
    return say("garbled", "invalid HTTP response", last)


def disk_error(error: OSError, folder: Path) -> StorageError:
    """An OSError from writing to the cache as a sentence."""
    return _storage_error(error, "the file cannot be written", folder)


def lock_error(error: OSError, lock: Path) -> StorageError:
    """An OSError from opening a lock file, such as one of another user's."""
    return _storage_error(error, "the lock file of the download cannot be opened", lock)


def cache_error(error: OSError, folder: Path) -> StorageError:
    """An OSError from looking for a file in the cache."""
    return _storage_error(error, "the cache cannot be read", folder, reading=True)


def read_error(error: OSError, path: Path) -> UnreadableError:
    """An OSError from reading a file that is in the cache."""
    denied = isinstance(error, PermissionError)
    return UnreadableError(
        f"the file is in the cache, but cannot be read: {_reason(error, reading=True)}",
        where=path,
        cause="the file in the cache cannot be read",
        remedy=f"{'Fix its permissions' if denied else 'Delete it'}, or choose another folder with "
        f"--cache DIR.{_owner(path)}",
    )


def _storage_error(
    error: OSError, what: str, place: Path, *, reading: bool = False
) -> StorageError:
    path = Path(error.filename) if isinstance(error.filename, str) else place
    path = path if path.is_relative_to(place) else place
    first = "Fix the permissions, or choose"
    if not isinstance(error, PermissionError):
        first = "Free disk space, or choose" if error.errno in _FULL else "Choose"
    return StorageError(
        f"{what}: {_reason(error, reading=reading)}",
        where=path,
        remedy=f"{first} another folder with --cache DIR.{_owner(path)}",
    )


def _reason(error: OSError, *, reading: bool = False) -> str:
    if isinstance(error, PermissionError) and reading:
        return "reading it is not permitted"
    if getattr(error, "winerror", None) in (5, 32):  # access denied, sharing violation
        return "access is denied, or another program has the file open"
    return _DISK.get(error.errno or 0, error.strerror or str(error))


def _owner(path: Path) -> str:
    """A sentence on whose the file or folder is; empty if it is the user's own."""
    while path != path.parent:
        try:
            found = path.stat()
        except OSError:  # it does not exist, or its folder may not be entered
            path = path.parent
            continue
        if not hasattr(os, "geteuid") or found.st_uid == os.geteuid():
            return ""
        try:
            owner = path.owner()
        except KeyError:
            owner = str(found.st_uid)
        kind = "folder" if path.is_dir() else "file"
        return f" The {kind} {path} belongs to the user {owner}, who can give others access."
    return ""


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


def _tls_reason(chain: list[BaseException]) -> str | None:
    """What is wrong with the server's certificate; None if it is not about that."""
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return _TLS.get(link.verify_code, link.verify_message)
    return None
