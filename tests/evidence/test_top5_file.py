"""The file of choices: round trip, form, size, counting; anything else is refused."""

import os
import random
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.evidence import arranged, sha256_of
from vanbench.evidence.labels_file import labels_of
from vanbench.evidence.rows_file import UnexpectedError
from vanbench.evidence.top5_file import FORM, About, Top5, count, decode, encode, top5_of
from vanbench.prediction_store.prediction import Tally

ABOUT = About("demo", "van_nano.digits", "ab" * 32, "plain", "fp32", "cd" * 32, 10)
CLASSES = tuple(f"digit-{i}" for i in range(10))

tops = st.just(()) | st.permutations(range(10)).map(lambda order: tuple(order[:5]))
choices = st.dictionaries(st.binary(min_size=32, max_size=32), tops, max_size=20)


@given(choices)
def test_what_was_written_is_read_in_any_order(found):
    top5 = top5_of(ABOUT, found)
    content = encode(top5)
    assert decode(content) == top5
    assert encode(top5_of(ABOUT, dict(reversed(found.items())))) == content
    assert dict(top5.rows) == {sha256[:8]: top for sha256, top in found.items()}


@pytest.mark.parametrize("classes", [1, 3, 5, 1000, 65_535])
def test_a_model_with_few_or_many_classes(classes):
    top = tuple(range(classes))[-5:]
    top5 = top5_of(replace(ABOUT, classes=classes), {b"\1" * 32: top, b"\2" * 32: ()})
    assert decode(encode(top5)).rows == ((b"\1" * 8, top), (b"\2" * 8, ()))


def test_the_bytes_are_those_of_the_documentation():
    content = encode(top5_of(ABOUT, {b"\2" * 32: (), b"\1" * 32: (9, 0, 1, 2, 3)}))
    header = (
        b'{"checkpoint":"%s","classes":10,"format":"vanbench-top5","labels":"%s",'
        b'"model":"van_nano.digits","precision":"fp32","rows":2,"schema":1,"weights":"plain",'
        b'"zoo":"demo"}\n' % (b"ab" * 32, b"cd" * 32)
    )
    rows = b"\1" * 8 + b"\x09\0\0\0\1\0\2\0\3\0" + b"\2" * 8 + b"\xff" * 10
    assert content == header + rows


def realistic(images):
    """Choices of a model with a Top-1 near 80 %, over sorted classes as ImageNet has them."""
    rng = random.Random(0)
    found = {}
    for i in range(images):
        near = rng.sample(range(max(0, i // 50 - 20), min(1000, i // 50 + 20)), 5)
        label = [i // 50] if rng.random() < 0.8 else []
        found[os.urandom(32)] = tuple(dict.fromkeys([*label, *near]))[:5]
    return found


def unstructured(images):
    rng = random.Random(0)
    return {os.urandom(32): tuple(rng.sample(range(1000), 5)) for _ in range(images)}


@pytest.mark.parametrize("make", [realistic, unstructured])
def test_fifty_thousand_images_take_less_than_a_megabyte(make):
    top5 = top5_of(replace(ABOUT, model="m" * 100, classes=1000), make(50_000))
    content = encode(top5)
    assert len(content) < 50_000 * 18 + 1000 < 1_000_000
    assert decode(content) == top5


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_the_counts_are_those_that_were_arranged(right, among5, wrong):
    images = right + among5 + wrong
    labelled, found = arranged(images, right, right + among5)
    tally = count(labels_of(CLASSES, labelled), top5_of(ABOUT, found))
    assert tally == Tally(images, right, right + among5)


def test_equal_and_unreadable_images_count_each():
    """Two copies of one image, one of which is in the wrong class; one that has no choices; two
    whose bytes could not be read.
    """
    copy, dark = sha256_of(1), sha256_of(2)
    labelled = [(copy.hex(), 3), (copy.hex(), 4), (dark.hex(), 5), (None, 3), (None, 3)]
    found = {copy: (3, 0, 1, 2, 5), dark: ()}
    assert count(labels_of(CLASSES, labelled), top5_of(ABOUT, found)) == Tally(5, 1, 1)


@pytest.mark.parametrize("change", ["one is missing", "one is too many", "another one"])
def test_choices_for_other_images_are_refused(change):
    labelled, found = arranged(5, 2, 3)
    if change != "one is too many":
        del found[sha256_of(0)]
    if change != "one is missing":
        found[sha256_of(77)] = ()
    with pytest.raises(UnexpectedError, match="images: expected"):
        count(labels_of(CLASSES, labelled), top5_of(ABOUT, found))


@pytest.mark.parametrize(
    ("top", "message"),
    [
        ((1, 2, 3), "5 distinct classes, or none"),
        ((1, 2, 3, 3, 4), "5 distinct classes, or none"),
        ((1, 2, 3, 4, 10), "classes below 10"),
    ],
)
def test_choices_that_no_model_makes_are_refused(top, message):
    with pytest.raises(UnexpectedError, match=message):
        top5_of(ABOUT, {b"\1" * 32: top})


def test_rows_out_of_order_or_twice_are_refused():
    rows = ((b"\2" * 8, ()), (b"\1" * 8, ()))
    for found in (rows, rows[:1] * 2):
        with pytest.raises(UnexpectedError, match="ids in order, each once"):
            decode(encode(Top5(ABOUT, found)))


def test_a_gap_between_choices_is_refused():
    content = encode(top5_of(ABOUT, {b"\1" * 32: (9, 0, 1, 2, 3)}))
    with pytest.raises(UnexpectedError, match="choices without a gap"):
        decode(content[:-4] + b"\xff\xff\3\0")


VALID = encode(top5_of(ABOUT, arranged(9, 3, 5)[1]))


@given(st.binary(max_size=300), st.integers(0, len(VALID)))
def test_any_bytes_are_refused_or_choices(content, position):
    for whole in (
        content,
        VALID[:position] + content,
        VALID[:position] + content + VALID[position:],
    ):
        try:
            top5 = decode(whole)
        except UnexpectedError:
            continue
        assert encode(top5) == whole


@given(st.integers(0, len(VALID) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_other_choices(position, value):
    content = bytearray(VALID)
    content[position] = value
    with suppress(UnexpectedError):
        assert encode(decode(bytes(content))) == content


def test_a_file_is_bounded():
    assert FORM.most < 40_000_000
