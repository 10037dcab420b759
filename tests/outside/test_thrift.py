"""Thrift's compact protocol: structures by hand, and what is no structure."""

import random
from contextlib import suppress

import pytest

from vanbench.outside.thrift import read_struct


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"\0", {}),
        (b"\x15\x08\x15\x03\0", {1: 4, 2: -2}),
        (b"\x05\x80\x01\x02\0", {64: 1}),
        (b"\x11\x12\0", {1: True, 2: False}),
        (b"\x18\x03abc\0", {1: b"abc"}),
        (b"\x19\x25\x02\x04\0", {1: [1, 2]}),
        (b"\x1c\x15\x02\0\0", {1: {1: 1}}),
    ],
)
def test_a_structure_is_a_dict_by_the_numbers_of_its_fields(data, fields):
    assert read_struct(data + b"more") == (fields, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x15",
        b"\x15" + b"\xff" * 20,
        b"\x1c" * 100,
        b"\x19" * 100,
        b"\x1d\0",
        b"\x18\xff\xff\x7f",
    ],
)
def test_what_is_no_structure_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"structure|integer"):
        read_struct(data)


def test_no_bytes_raise_anything_else():
    rng = random.Random(0)
    for _ in range(5000):
        with suppress(ValueError):
            read_struct(rng.randbytes(rng.randrange(60)))
