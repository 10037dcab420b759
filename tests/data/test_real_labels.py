"""The labels of ReaL: which image each list is for, and when they are the published ones."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import drawing
from tests.support.other_sets import IDS, imagenet, imagenet_v2, placed, real_json
from vanbench.data import real_labels
from vanbench.data.inspect import inspect
from vanbench.data.open import open_images
from vanbench.data.real_labels import find_real_labels
from vanbench.data.summary import DataSummary
from vanbench.errors import DataError

LABELS = [[970, 795], [230, 231], [], [516]]


@pytest.fixture
def images(tmp_path):
    """The first four validation images."""
    return open_images(imagenet(tmp_path, [0, 1, 2, 3]), IDS)


def by_number(images, labels):
    number = {drawing.official_name(n): n for n in range(1, 5)}
    return {number[Path(images.names[index]).name]: some for index, some in labels.of.items()}


def test_each_image_gets_its_list_and_one_without_labels_is_left_out(images, tmp_path):
    path = real_json(tmp_path, LABELS)
    found = find_real_labels(images)
    assert found.path == path
    assert by_number(images, found) == {1: {970, 795}, 2: {230, 231}, 4: {516}}
    assert set(found.among([0, 1])) <= {0, 1}


def test_the_digest_is_over_a_line_of_sorted_labels_for_each_image(images, tmp_path, monkeypatch):
    real_json(tmp_path, LABELS)
    found = find_real_labels(images)
    lines = "795 970\n230 231\n\n516\n" + "\n" * (50_000 - 4)
    assert found.digest == hashlib.sha256(lines.encode()).hexdigest()
    assert not found.is_published
    monkeypatch.setattr(real_labels, "PUBLISHED", found.digest)
    assert found.is_published


def test_without_the_file_or_official_names_there_are_none(images, tmp_path):
    assert find_real_labels(images) is None
    (tmp_path / "val" / "real.json").mkdir()  # a folder of that name is none
    real_json(tmp_path, LABELS)
    assert find_real_labels(images).path == tmp_path / "real.json"
    assert find_real_labels(replace(images, names=["a", "b", "c", "d"])) is None
    assert find_real_labels(open_images(imagenet_v2(tmp_path, placed()), IDS)) is None
    assert find_real_labels(replace(images, class_ids=("a", "b"))) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "not a readable list of labels"),
        ("{}", r"expected a list of 50,000 lists of labels, found \"?'?{}"),
        ("[[1]]", "expected a list of 50,000 lists of labels, found a list of 1"),
        (json.dumps([[1]] * 49_999 + [[1000]]), r"image 50,000.*found '?\[1000\]"),
        (json.dumps([[True]] * 50_000), r"image 1.*labels from 0 to 999"),
        (json.dumps([1] * 50_000), r"image 1.*labels from 0 to 999"),
    ],
    ids=["json", "object", "too short", "label", "bool", "flat"],
)
def test_another_file_of_that_name_is_an_error_that_says_what_to_do(
    content, problem, images, tmp_path
):
    (tmp_path / "real.json").write_text(content)
    with pytest.raises(DataError, match=problem) as caught:
        inspect(images)
    assert "move this file away" in str(caught.value)


SUMMARY = DataSummary(
    layout="class folders", images=4, classes=4, verdict="official", fingerprint="ab", whole=True,
    decoded=False, problems=(), used=4, total=4, unreadable={"a": "cut"},
)  # fmt: skip


def test_the_set_with_these_labels_is_whole_if_the_images_and_the_labels_are(
    images, tmp_path, monkeypatch
):
    real_json(tmp_path, LABELS)
    found = find_real_labels(images)
    other = found.summary(SUMMARY, images, 3)
    assert (other.other_set, other.used, other.images, other.total) == ("imagenet_real", 3, 3, 3)
    assert other.verdict == "altered"
    assert [p.message for p in other.problems if p.fault] == [
        "real.json does not have the published labels"
    ]
    monkeypatch.setattr(real_labels, "PUBLISHED", found.digest)
    whole = found.summary(SUMMARY, images, 3)
    assert (whole.verdict, whole.problems) == ("official", ())
    assert whole.layout == "class folders, labels in real.json"
    assert whole.fingerprint not in (SUMMARY.fingerprint, "")
    assert whole.unreadable == {}
    subset = found.summary(replace(SUMMARY, verdict="subset"), images, 2)
    assert (subset.verdict, subset.used, subset.total) == ("subset", 2, 3)


def test_an_unreadable_image_is_named_if_it_has_labels(images, tmp_path):
    real_json(tmp_path, LABELS)
    unreadable = dict.fromkeys(images.names, "cut")
    found = find_real_labels(images).summary(replace(SUMMARY, unreadable=unreadable), images, 3)
    assert len(found.unreadable) == 3
