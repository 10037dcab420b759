"""Write vanbench/data/layouts/ilsvrc2012_val.bin from a list of the images' WordNet ids.

The list has one WordNet id per line, in the order of the image numbers. The shipped labels were
made on 2026-11-24 from ``tensorflow_datasets/datasets/imagenet2012/validation_labels.txt`` in the
wheel of tensorflow-datasets 4.9.10 (Apache-2.0).

    python tools/write_official_labels.py validation_labels.txt
"""

import sys
from array import array
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "vanbench"


def main(listing: Path) -> None:
    """Check that the list has 50 images of each of the 1,000 classes, and write the labels."""
    class_ids = (PACKAGE / "zoo" / "imagenet1k.txt").read_text().split()
    wnids = listing.read_text().split()
    assert Counter(wnids) == dict.fromkeys(class_ids, 50)
    labels = array("H", (class_ids.index(wnid) for wnid in wnids))
    if sys.byteorder == "big":
        labels.byteswap()
    (PACKAGE / "data" / "layouts" / "ilsvrc2012_val.bin").write_bytes(labels.tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
