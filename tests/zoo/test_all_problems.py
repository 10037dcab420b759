"""Every problem of a zoo file is found at once, and none that is not there."""

import tomllib

import pytest

from vanbench.zoo.all_problems import all_problems
from vanbench.zoo.reader import SHIPPED

TEXT = """
schema = 1
name = "mine"
title = "Mine"
source = "https://example.org"
counting = { resolution = 32, num_classes = 2 }
[protocol]
resize_short_edge = 36
center_crop = 32
classes = ["a", "b"]
[models."van_b0.a"]
architecture = "van_b0"
url = "https://example.org/a.pth"
protocol = { resize_short_edge = 34 }
reported = { top1 = "50.0", top5 = "90.0" }
[models."van_b1.a"]
architecture = "van_b1"
url = "https://example.org/b.pth"
"""


def problems(text):
    found = all_problems("z.toml", tomllib.loads(text))
    assert len({str(error) for error in found}) == len(found)
    return [str(error).partition("z.toml, ")[2] for error in found]


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_ones_have_none(path):
    assert all_problems(str(path), tomllib.loads(path.read_text("utf-8"))) == []


def test_a_sound_file_has_none():
    assert problems(TEXT) == []


def test_all_are_found_each_once():
    text = TEXT
    for old, new in [
        ("schema = 1", "schema = 2"),
        ('name = "mine"', 'name = "bench"'),
        ('source = "https://example.org"', "images = 0"),
        ('"van_b1"', '"van_b9"'),
        ('top1 = "50.0", top5 = "90.0"', 'top1 = 50.0, top5 = "190"'),
        ('url = "https://example.org/b.pth"', "url = 1\ntypo = 1"),
    ]:
        assert old in text
        text = text.replace(old, new)
    places = [found.partition(": ")[0] for found in problems(text)]
    assert sorted(places) == sorted(
        [
            "top level, key 'schema'",
            "top level, key 'name'",
            "top level, key 'images'",
            "top level, key 'source'",
            "[models.\"van_b0.a\".reported], key 'top1'",
            "[models.\"van_b0.a\".reported], key 'top5'",
            "[models.\"van_b1.a\"], key 'architecture'",
            "[models.\"van_b1.a\"], key 'typo'",
            "[models.\"van_b1.a\"], key 'url'",
        ]
    )


def test_what_only_the_whole_shows_is_found():
    (found,) = problems(TEXT.replace('[models."van_b1.a"]', '[models."VAN-B0.a"]'))
    assert "differs from" in found


@pytest.mark.parametrize("text", ["", "models = 1", "[models]\na = 1", "models = []"])
def test_files_that_are_nearly_empty(text):
    assert problems(text)
