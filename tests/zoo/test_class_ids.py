"""The shipped list of ImageNet-1k's class ids."""

import re

from vanbench.zoo.class_ids import imagenet_1k


def test_a_thousand_sorted_wordnet_ids():
    ids = imagenet_1k()
    assert len(ids) == len(set(ids)) == 1000
    assert list(ids) == sorted(ids)
    assert all(re.fullmatch(r"n\d{8}", class_id) for class_id in ids)
    assert (ids[0], ids[-1]) == ("n01440764", "n15075141")
