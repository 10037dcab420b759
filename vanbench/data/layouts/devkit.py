"""The development kit of ILSVRC2012: the validation images' classes in the kit's own numbering.

``data/ILSVRC2012_validation_ground_truth.txt`` has one number from 1 to 1000 per line, for image 1,
2, …; ``data/meta.mat`` says which WordNet id each number is. That order is not the sorted one.
"""

import tarfile
from pathlib import Path

from vanbench.data.layouts.matfile import read_mat
from vanbench.errors import DataError

GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
META = "meta.mat"


def read_devkit(path: Path) -> tuple[dict[str, int], dict[int, str] | None]:
    """The number of each image by its name without suffix, and the WordNet id of each number.

    ``path`` is the kit's ``.tar.gz`` or its ground truth file, which has ``meta.mat`` beside it, or
    else the second is None. DataError if either cannot be read.
    """
    truth, meta = _from_tar(path) if path.name.endswith(".gz") else _from_folder(path)
    try:
        numbers = [int(line) for line in truth.split()]
        wnids = None if meta is None else read_synsets(meta)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"{path}: not a devkit of ILSVRC2012 as published: {error}.") from error
    return {f"ILSVRC2012_val_{i:08d}": number for i, number in enumerate(numbers, 1)}, wnids


def read_synsets(meta: bytes) -> dict[int, str]:
    """ILSVRC2012_ID → WordNet id of the classes proper, which have no children."""
    synsets = read_mat(meta)["synsets"]
    return {
        int(synset["ILSVRC2012_ID"][0]): synset["WNID"]
        for synset in synsets
        if not int(synset["num_children"][0])
    }


def _from_folder(path: Path) -> tuple[bytes, bytes | None]:
    meta = path.with_name(META)
    return path.read_bytes(), meta.read_bytes() if meta.is_file() else None


def _from_tar(path: Path) -> tuple[bytes, bytes]:
    found = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in (GROUND_TRUTH, META):
                    found[name] = archive.extractfile(member).read()  # type: ignore[union-attr]
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path}: the devkit cannot be read: {error}.") from error
    missing = {GROUND_TRUTH, META} - found.keys()
    if missing:
        raise DataError(f"{path}: the devkit has no {' and no '.join(sorted(missing))} in it.")
    return found[GROUND_TRUTH], found[META]
