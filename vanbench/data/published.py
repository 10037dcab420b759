"""Whether files are those of ImageNet-1k's validation archive as it is published.

The archive's size and MD5 are known, not the hash of each file. The size of a tar that holds
exactly the files is compared: resized or re-encoded copies give another one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tarfile import BLOCKSIZE, RECORDSIZE

from vanbench.data.layouts.images import ImageSet
from vanbench.data.layouts.official import official_number
from vanbench.data.summary import EXAMPLES, Finding
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k


@dataclass(frozen=True)
class Archive:
    """A tar of validation images as it is published: its size in bytes and its MD5."""

    size: int
    md5: str


# ILSVRC2012_img_val.tar. torchvision checks the same MD5 (torchvision/datasets/imagenet.py), and
# taming-transformers the same size (taming/data/imagenet.py).
PUBLISHED = Archive(6_744_924_160, "29b22e2961454d5413ddabcf34fc5622")


def archive_bytes(sizes: Iterable[int]) -> int:
    """The size of a tar that holds files of these sizes and nothing else.

    Each file takes a header block and its content in full blocks. Two blocks of zeros and the
    padding to a full record follow.
    """
    blocks = sum(1 + -(-size // BLOCKSIZE) for size in sizes) + 2
    return -(-blocks * BLOCKSIZE // RECORDSIZE) * RECORDSIZE


def compare_with_archive(
    published: Archive, images: ImageSet, sizes: Sequence[int]
) -> list[Finding]:
    """Whether files of these sizes are those of the published archive.

    They are if the set is a tar with the published size and MD5. Otherwise a tar of the files must
    have the published size, and the files their official names, because only these tell whether
    each is in its class. This assumes that the published archive holds nothing else.
    """
    notes = []
    if images.path.suffix == ".tar" and images.path.is_file():
        same, text = _is_archive(images.path, published)
        notes = [Finding("archive", 1, (), text, fault=False)]
        if same:
            return notes
    found = archive_bytes(sizes)
    numbers = {official_number(name) for name in images.names}
    named = None not in numbers and len(numbers) == len(images.names)
    if found == published.size:
        return notes if named else [*notes, _other_names(images)]
    text = (
        f"official {'names and ' if named else ''}counts, other files: as a tar they have "
        f"{found:,} bytes where the published archive has {published.size:,} (if it holds nothing "
        "else, which is not confirmed)"
    )
    return [*notes, Finding("other files", len(sizes), (), text)]


def _other_names(images: ImageSet) -> Finding:
    others = sorted(name for name in images.names if official_number(name) is None)
    text = (
        "official counts and size, other names: each image's class can be checked only by its "
        "official name"
    )
    return Finding("other names", len(others), tuple(others[:EXAMPLES]), text)


def size_findings(images: ImageSet, published: Archive = PUBLISHED) -> list[Finding]:
    """What the sizes of 50,000 images of ImageNet-1k say, where they are known without reading."""
    if images.other_set or images.class_ids != imagenet_1k() or len(images) != VALIDATION_IMAGES:
        return []
    sizes = images.sizes()
    return [] if sizes is None else compare_with_archive(published, images, sizes)


def _is_archive(path: Path, published: Archive) -> tuple[bool, str]:
    """Whether a tar is the published file, byte for byte, and how that is known."""
    size = path.stat().st_size
    if size != published.size:
        found = f"it has {size:,} bytes, not {published.size:,}"
        return False, f"{path.name} is not the published file: {found}"
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    if md5 != published.md5:
        found = f"its MD5 is {md5}, not {published.md5}"
        return False, f"{path.name} is not the published file: {found}"
    return True, f"{path.name} is the published file, by its MD5 {md5}"
