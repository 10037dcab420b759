"""The development kit of ILSVRC2012, of which only the ground truth is read.

``data/ILSVRC2012_validation_ground_truth.txt`` has one number from 1 to 1000 per line, for image 1,
2, …, in an order of classes that is not the sorted one. Which class a number is follows from the
shipped labels of the same images.
"""

import gzip
import io
import tarfile
import zlib
from pathlib import Path

from vanbench.data.layouts.official import learn_order, official_stem
from vanbench.data.layouts.tar_members import BAD_TAR, LimitedHeaders, in_order
from vanbench.errors import DataError
from vanbench.outside.files import read_bytes
from vanbench.zoo.class_ids import VALIDATION_IMAGES

GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
MOST_BYTES = 1 << 26  # of the devkit, packed (2.6 MB as published) and unpacked
MOST_DIGITS = 4
GZIP_START = b"\x1f\x8b"

AGAIN = "Download the devkit of tasks 1 and 2 again."


def read_devkit(path: Path) -> dict[int, int]:
    """The label (index into the sorted WordNet ids) of each of the devkit's class numbers.

    ``path`` is its ``.tar.gz`` or the ground truth file. DataError if it cannot be read, or if it
    gives images that are in one class of ILSVRC2012 different numbers, or the other way round.
    """
    content = read_bytes(path, most=MOST_BYTES, error=DataError, remedy=AGAIN)
    text = _from_tar(path, content) if path.name.endswith(".gz") else content
    lines = text.split()
    numbers = [int(line) for line in lines if line.isdigit() and len(line) <= MOST_DIGITS]
    order = learn_order({official_stem(i): number for i, number in enumerate(numbers, 1)})
    if order is None or not len(lines) == len(numbers) == VALIDATION_IMAGES:
        raise DataError(
            f"expected the class numbers of the {VALIDATION_IMAGES:,} validation images as "
            f"published with ILSVRC2012, found {len(lines):,} lines that do not agree with the "
            "official labels",
            where=path,
            remedy=AGAIN,
        )
    return order


def _from_tar(path: Path, content: bytes) -> bytes:
    """The ground truth in a devkit, which may be compressed by gzip."""
    try:
        found = _find(_unpacked(path, content))
    except (*BAD_TAR, zlib.error, EOFError) as error:
        problem = f"the devkit cannot be read: {error}"
        raise DataError(problem, where=path, remedy=AGAIN) from error
    if found is None:
        raise DataError(
            f"expected a devkit with {GROUND_TRUTH}, which is not in it",
            where=path,
            remedy="Download the devkit of tasks 1 and 2 (ILSVRC2012_devkit_t12.tar.gz).",
        )
    return found


def _unpacked(path: Path, content: bytes) -> bytes:
    if not content.startswith(GZIP_START):
        return content
    unpacked = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MOST_BYTES + 1)
    if len(unpacked) > MOST_BYTES:
        raise DataError(
            f"expected a devkit of at most {MOST_BYTES:,} bytes, found more when it is unpacked",
            where=path,
            remedy=AGAIN,
        )
    return unpacked


def _find(content: bytes) -> bytes | None:
    """The ground truth in the bytes of a tar."""
    with tarfile.open(fileobj=LimitedHeaders(io.BytesIO(content)), mode="r:") as archive:
        for member in in_order(archive):
            wanted = member.name.rpartition("/")[2] == GROUND_TRUTH
            if wanted and member.isreg() and not member.issparse():
                return content[member.offset_data : member.offset_data + member.size]
    return None
