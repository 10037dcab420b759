"""The published test sets: their classes, their numbers of images, and claims about them."""

import hashlib
import tomllib

import pytest

from vanbench.errors import ZooError
from vanbench.zoo.advice import advice
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.other_sets import OTHER_SETS, title_of
from vanbench.zoo.reader import parse_zoo, read_zoo

SHA256 = {
    "imagenet_a": "9826a24166e74ce62fb87b27889874ca26917542c745712309d6e25855d63bc2",
    "imagenet_r": "a6a0729f7a99230280639cab6e51e01485a3b41a676ea35621a501c9d6e83ca4",
}
"""Of the ids with a line feed after each, as timm 1.0 ships them (imagenet_a_synsets.txt, …_r_…).

The labels in the authors' scripts (natural-adv-examples/eval.py, imagenet-r/eval.py) are the same.
"""
FIRST, LAST = {"imagenet_a": 6, "imagenet_r": 1}, {"imagenet_a": 988, "imagenet_r": 988}


@pytest.mark.parametrize("key", SHA256)
def test_two_hundred_classes_are_those_of_the_authors_scripts(key):
    ids = OTHER_SETS[key].class_ids
    assert len(ids) == 200
    assert list(ids) == sorted(set(ids) & set(imagenet_1k()))
    assert hashlib.sha256("".join(f"{i}\n" for i in ids).encode()).hexdigest() == SHA256[key]
    labels = [imagenet_1k().index(i) for i in ids]
    assert (labels[0], labels[-1]) == (FIRST[key], LAST[key])


def test_the_other_sets_have_all_classes():
    others = {key: one.class_ids for key, one in OTHER_SETS.items() if key not in SHA256}
    assert set(others.values()) == {None}
    assert len(others) == 5


def test_a_set_is_whole_with_the_number_of_images_that_its_authors_name():
    assert {key: (one.images, one.per_class) for key, one in OTHER_SETS.items()} == {
        "imagenet_v2_matched_frequency": (10_000, 10),
        "imagenet_v2_threshold": (10_000, 10),
        "imagenet_v2_top_images": (10_000, 10),
        "imagenet_real": (46_837, None),
        "imagenet_a": (7_500, None),
        "imagenet_r": (30_000, None),
        "imagenet_sketch": (50_889, None),
    }
    assert title_of("imagenet_v2_threshold") == "ImageNet-V2 threshold-0.7"
    assert title_of("of another version") == "of another version"


ZOO = """
schema = 1
name = "mine"
title = "Mine"
source = "https://example.org"
protocol = {{ center_crop = 224 }}
[models."van_b0.in1k"]
architecture = "van_b0"
url = "https://example.org/van-01234567.pth"
reported = {{ top1 = "75.41", {} }}
"""


def entry(text):
    return parse_zoo(ZOO.format(text), "zoo.toml").entries[0]


def test_claims_about_other_sets_are_kept_as_printed():
    claims = entry('imagenet_a = { top1 = "7.50" }, imagenet_real = { top1 = "82", top5 = "9" }')
    found = {
        key: (str(one.top1), one.top5 and str(one.top5))
        for key, one in claims.claims.other_sets.items()
    }
    assert found == {"imagenet_a": ("7.50", None), "imagenet_real": ("82", "9")}
    assert str(claims.claims.top1) == "75.41"
    assert entry('top5 = "93.0"').claims.other_sets == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('imagenet_b = { top1 = "7.50" }', r"imagenet_b"),
        ("imagenet_a = 7.5", r"reported\], key 'imagenet_a': expected a table"),
        ("imagenet_a = { top1 = 7.5 }", r"imagenet_a\].*top1.*figure as printed"),
        ('imagenet_a = { top1 = "107.5" }', r"a percentage from 0 to 100"),
        ('imagenet_a = { params_m = "7.5" }', r"params_m"),
    ],
)
def test_a_claim_that_cannot_be_read_names_the_set(text, expected):
    with pytest.raises(ZooError, match=expected):
        entry(text)


def test_zoo_check_looks_at_claims_about_other_sets(tmp_path):
    text = ZOO.format('imagenet_a = { top1 = "0.075", top5 = "0.01" }')
    data = tomllib.loads(text)
    _, found = advice(tmp_path / "zoo.toml", data)
    keys = [one.key for one in found if one.key and "imagenet_a" in one.key]
    assert sorted(keys) == ["imagenet_a.top1", "imagenet_a.top5", "imagenet_a.top5"]
    assert read_zoo(tmp_path / "zoo.toml", data).entries[0].claims.other_sets
