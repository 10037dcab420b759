"""A file to download, and the error with which a download of it ends."""

import hashlib
from pathlib import Path

import pytest

from vanbench.download.cache import fetch, in_cache
from vanbench.download.retry_policy import RetryPolicy
from vanbench.download.wanted import Wanted
from vanbench.errors import FetchError

CONTENT = bytes(range(256)) * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = f"weights-{SHA256[:8]}.pth"
QUICK = RetryPolicy(connect_timeout=2, read_timeout=0.5, attempts=2, backoff=0.005)


def failure(wanted: Wanted, cache: Path, **options) -> FetchError:
    """The error of a fetch; it leaves no new file under the name."""
    before = in_cache(wanted, cache)
    with pytest.raises(FetchError) as caught:
        fetch(wanted, cache, policy=QUICK, **options)
    assert in_cache(wanted, cache) == before
    assert "://" not in caught.value.cause
    assert not wanted.filename or wanted.filename not in caught.value.cause
    assert not caught.value.cause.endswith(".")
    return caught.value
