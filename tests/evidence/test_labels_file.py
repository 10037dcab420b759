"""The file of images and labels: round trip, form, size, fingerprint; anything else is refused."""

import json
import os
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.evidence import sha256_of
from vanbench.data.fingerprint import fingerprint
from vanbench.evidence.labels_file import FORM, Labels, decode, encode, labels_of
from vanbench.evidence.rows_file import MOST_IMAGES, UnexpectedError

CLASSES = ("cat", "dog", "Katze · 猫")

images = st.lists(
    st.tuples(
        st.none() | st.binary(min_size=32, max_size=32).filter(any).map(bytes.hex),
        st.integers(0, 2),
    ),
    max_size=30,
)


@given(images)
def test_what_was_written_is_read_in_any_order(labelled):
    labels = labels_of(CLASSES, labelled)
    content = encode(labels)
    assert decode(content) == labels
    assert encode(labels_of(CLASSES, labelled[::-1])) == content
    assert labels.fingerprint == fingerprint((CLASSES[n], sha256) for sha256, n in labelled)


def test_the_bytes_are_those_of_the_documentation():
    content = encode(labels_of(("a", "b"), [("02" * 32, 1), (None, 0), ("01" * 32, 1)]))
    header = b'{"classes":["a","b"],"format":"vanbench-labels","rows":3,"schema":1}\n'
    rows = bytes(32) + b"\0\0" + b"\1" * 32 + b"\1\0" + b"\2" * 32 + b"\1\0"
    assert content == header + rows


def test_fifty_thousand_images_of_imagenet_take_1_7_megabytes():
    labelled = [(os.urandom(32).hex(), i // 50) for i in range(50_000)]
    labels = labels_of("imagenet-1k", labelled)
    content = encode(labels)
    assert 34 * 50_000 < len(content) < 34 * 50_000 + 100
    assert decode(content) == labels
    assert set(labels.per_class.values()) == {50}


def test_an_image_may_be_in_two_classes():
    labels = labels_of(CLASSES, [("01" * 32, 2), ("01" * 32, 0), ("01" * 32, 0)])
    assert decode(encode(labels)).rows == ((b"\1" * 32, 0), (b"\1" * 32, 0), (b"\1" * 32, 2))
    assert list(labels.contents()) == [b"\1" * 32]


def test_images_with_one_id_are_refused():
    """Their choices could not be told apart; the chance is one in 10^10 for 50,000 images."""
    with pytest.raises(UnexpectedError, match="other first 8 bytes of each SHA-256"):
        labels_of(CLASSES, [("01" * 32, 0), ("01" * 8 + "02" * 24, 0)])


def changed(**header):
    content = encode(labels_of(CLASSES, [(sha256_of(i).hex(), i % 3) for i in range(9)]))
    line, _, rows = content.partition(b"\n")
    document = {**json.loads(line), **header}
    text = json.dumps({k: v for k, v in document.items() if v is not None},
                      sort_keys=True, separators=(",", ":"))  # fmt: skip
    return text.encode() + b"\n" + rows


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"schema": 2}, "schema: expected 1, found 2, which a newer vanbench wrote"),
        ({"schema": True}, "schema: expected 1, found True"),
        ({"format": "vanbench-top5"}, "format: expected vanbench-labels"),
        ({"rows": 8}, "expected 8 rows of 34 bytes, found 306 bytes"),
        ({"rows": -1}, "images: expected at most 2,000,000, found -1"),
        ({"rows": 10**9}, "images: expected at most 2,000,000"),
        ({"rows": None}, "header: expected a JSON object"),
        ({"note": "x"}, "unknown key 'note'"),
        ({"classes": []}, "classes: expected 1 to 65,535, found 0"),
        ({"classes": ["a"]}, "labels: expected at most 0"),
        ({"classes": "cifar"}, "classes: expected a list, or imagenet-1k"),
        ({"classes": [["a"]]}, "header: expected a JSON object"),
    ],
)
def test_another_header_is_refused(header, message):
    with pytest.raises(UnexpectedError, match=message):
        decode(changed(**header))


def test_other_spaces_order_and_line_ends_are_refused():
    content = changed()
    assert decode(content)
    for other in (content.replace(b":", b": ", 1), content.replace(b"\n", b"\r\n", 1), b"",
                  b"\n", content[:20], b"x" * (FORM.most_header + 1) + b"\n"):  # fmt: skip
        with pytest.raises(UnexpectedError):
            decode(other)


def test_rows_out_of_order_are_refused():
    content = changed()
    at = content.index(b"\n") + 1
    rows = [content[i : i + 34] for i in range(at, len(content), 34)]
    with pytest.raises(UnexpectedError, match="row 2: expected rows in order"):
        decode(content[:at] + rows[1] + rows[0] + b"".join(rows[2:]))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_labels(content):
    for whole in (content, changed()[:70] + content, changed() + content):
        try:
            labels = decode(whole)
        except UnexpectedError:
            continue
        assert encode(labels) == whole


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_other_labels(position, value):
    content = bytearray(changed())
    content[position % len(content)] = value
    with suppress(UnexpectedError):
        assert encode(decode(bytes(content))) == content


def test_a_file_is_bounded():
    assert FORM.most < 80_000_000
    with pytest.raises(UnexpectedError, match="at most 2,000,000"):
        encode(Labels(CLASSES, ((b"\1" * 32, 0),) * (MOST_IMAGES + 1)))


def test_a_label_has_two_bytes():
    with pytest.raises((UnexpectedError, struct.error)):
        encode(labels_of(tuple(map(str, range(70_000))), [("01" * 32, 69_999)]))
