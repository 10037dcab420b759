"""A small text from a file or the web, such as a README, with the limits of any download."""

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from vanbench.download.partial import Part
from vanbench.download.retry_policy import RETRY_POLICY, RetryPolicy
from vanbench.download.transfer import local_path, transfer
from vanbench.errors import SourceError, ZooError
from vanbench.outside.text import read_text
from vanbench.progress import Update, ignore

_BLOB = re.compile(r"https?://(?:www\.)?github\.com/([^/?#]+/[^/?#]+)/blob/([^?#]+)", re.I)


def raw_address(url: str) -> str:
    """The address of a file's text where ``url`` is the page on GitHub that shows the file.

    >>> raw_address("https://github.com/open-mmlab/mmpretrain/blob/main/configs/van/README.md")
    'https://raw.githubusercontent.com/open-mmlab/mmpretrain/main/configs/van/README.md'
    """
    match = _BLOB.match(url)
    return f"https://raw.githubusercontent.com/{match[1]}/{match[2]}" if match else url


def read_text_from(
    source: str, *, most: int, progress: Update = ignore, policy: RetryPolicy = RETRY_POLICY
) -> str:
    """The UTF-8 text of at most ``most`` bytes at a path or a URL; else an error.

    That is a SourceError for a URL, and a ZooError for a file or for what is no text.
    """
    path = local_path(source)
    if path is not None:
        return read_text(path, most=most, error=ZooError)
    with TemporaryDirectory() as folder:
        part = Part(Path(folder), "text")
        try:
            transfer(
                raw_address(source),
                part,
                hashed=False,
                policy=replace(policy, largest=most),
                progress=progress,
            )
        except SourceError as error:
            if error.kind == "page":
                error.problem = "expected a README or a metafile, got an HTML or XML page"
            raise
        return read_text(part.path, most=most, error=ZooError)
