"""One transfer: from one URL into one file."""

import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests

from vanbench.errors import FetchError

_CHUNK = 1 << 18


def transfer(url: str, part: Path, progress: Callable[[int, int | None], None] | None) -> None:
    """Write what ``url`` serves to ``part``; FetchError if that fails."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        try:
            shutil.copyfile(unquote(parts.path), part)
        except OSError as error:
            raise FetchError(f"{url}: {error.strerror}.") from error
        return
    try:
        with requests.get(url, stream=True, timeout=(10, 60)) as response, part.open("wb") as file:
            response.raise_for_status()
            total = response.headers.get("Content-Length")
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                if progress:
                    progress(file.tell(), int(total) if total else None)
    except requests.RequestException as error:
        raise FetchError(f"{url}: {error}") from error
