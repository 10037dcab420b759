"""The fingerprint of a data set: one hash over its images and their classes."""

import hashlib
from collections.abc import Iterable


def fingerprint(lines: Iterable[tuple[str, str | None]]) -> str:
    """SHA-256 over the sorted lines ``<class id> <SHA-256 of the encoded image>``.

    It depends on the images and their classes, not on names, order or layout. An image that cannot
    be read has ``unreadable`` in place of its hash.
    """
    text = "".join(sorted(f"{class_id} {sha256 or 'unreadable'}\n" for class_id, sha256 in lines))
    return hashlib.sha256(text.encode()).hexdigest()
