"""Why a file could not be downloaded: exceptions of the network and the disk as sentences."""

import errno
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import requests
from urllib3 import exceptions as urllib3

from vanbench.errors import SourceError, StorageError
from vanbench.file_types import printable

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


def network_error(error: Exception, url: str) -> SourceError:
    """An exception of requests, urllib3 or a socket as one sentence with its cause."""
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    chain = list(_chain(error))

    def has(*kinds: type) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    def say(kind: str, what: str, more: str = "", *, transient: bool = True) -> SourceError:
        reached = not has(urllib3.NewConnectionError, urllib3.ConnectTimeoutError)
        return SourceError(url, what + more, kind, cause=what, transient=transient, reached=reached)

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
    return say("garbled", "invalid HTTP response", last)


def disk_error(error: OSError, folder: Path) -> StorageError:
    """An OSError from writing to the cache as a sentence."""
    reason = _DISK.get(error.errno or 0, error.strerror or str(error))
    return StorageError(
        f"the file cannot be written: {reason}",
        where=folder,
        remedy="Free disk space, or fix the permissions, or choose another folder with "
        "--cache DIR.",
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
