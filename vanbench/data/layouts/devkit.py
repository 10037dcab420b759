"""The development kit of ILSVRC2012, of which only the ground truth is read.

``data/ILSVRC2012_validation_ground_truth.txt`` has one number from 1 to 1000 per line, for image 1,
2, …, in an order of classes that is not the sorted one. Which class a number is follows from the
shipped labels of the same images.
"""

import tarfile
import zlib
from pathlib import Path

from vanbench.data.layouts.official import learn_order, official_stem
from vanbench.errors import DataError
from vanbench.zoo.class_ids import VALIDATION_IMAGES

GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"


def read_devkit(path: Path) -> dict[int, int]:
    """The label (index into the sorted WordNet ids) of each of the devkit's class numbers.

    ``path`` is its ``.tar.gz`` or the ground truth file. DataError if it cannot be read, or if it
    gives images that are in one class of ILSVRC2012 different numbers, or the other way round.
    """
    text = _read_from_tar(path) if path.name.endswith(".gz") else _read_file(path)
    lines = text.split()
    numbers = [int(line) for line in lines if line.isdigit()]
    order = learn_order({official_stem(i): number for i, number in enumerate(numbers, 1)})
    if order is None or not len(lines) == len(numbers) == VALIDATION_IMAGES:
        raise DataError(
            f"expected the class numbers of the {VALIDATION_IMAGES:,} validation images as "
            f"published with ILSVRC2012, found {len(lines):,} lines that do not agree with the "
            "official labels",
            where=path,
            remedy="Download the devkit of tasks 1 and 2 again.",
        )
    return order


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"the devkit cannot be read: {error.strerror or error}"
        raise DataError(problem, where=path, remedy="Check its permissions.") from error


def _read_from_tar(path: Path) -> bytes:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.name.rpartition("/")[2] == GROUND_TRUTH:
                    file = archive.extractfile(member)
                    return b"" if file is None else file.read()
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        problem = f"the devkit cannot be read: {error}"
        raise DataError(problem, where=path, remedy="Download it again.") from error
    raise DataError(
        f"expected a devkit with {GROUND_TRUTH}, which is not in it",
        where=path,
        remedy="Download the devkit of tasks 1 and 2 (ILSVRC2012_devkit_t12.tar.gz).",
    )
