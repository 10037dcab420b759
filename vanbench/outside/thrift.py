"""Structures in Thrift's compact protocol, in which Parquet has its footer and its page headers.

A structure becomes a dict by the number of its fields; values that Parquet does not use are errors.
"""

from typing import Any

MOST_DEPTH = 10

_TRUE, _FALSE, _BYTE, _DOUBLE, _BYTES, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS = (4, 5, 6)
_LONG_LIST = 15

Fields = dict[int, Any]


def read_struct(data: bytes) -> tuple[Fields, int]:
    """The structure at the beginning of the bytes, and its length; ValueError if it is damaged."""
    try:
        return _struct(data, 0, MOST_DEPTH)
    except IndexError:
        raise ValueError("a structure is not complete") from None


def _struct(data: bytes, at: int, depth: int) -> tuple[Fields, int]:
    fields: Fields = {}
    number = 0
    if not depth:
        raise ValueError("structures are nested too deeply")
    while byte := data[at]:
        at += 1
        step, kind = byte >> 4, byte & 15
        if step:
            number += step
        else:
            number, at = _integer(data, at)
        if kind in (_TRUE, _FALSE):
            fields[number] = kind == _TRUE
        else:
            fields[number], at = _value(data, at, kind, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    """A value of this type, and the position after it."""
    if kind in _INTEGERS:
        return _integer(data, at)
    if kind == _BYTES:
        length, at = _varint(data, at)
        if length > len(data) - at:
            raise ValueError("a structure is not complete")
        return data[at : at + length], at + length
    if kind == _STRUCT:
        return _struct(data, at, depth - 1)
    if kind in (_LIST, _SET):
        return _list(data, at, depth - 1)
    if kind == _DOUBLE:
        return data[at : at + 8], at + 8
    if kind in (_BYTE, _TRUE, _FALSE):  # the latter two in a list
        return data[at], at + 1
    raise ValueError(f"a structure has a field of the unknown type {kind}")


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    if not depth:
        raise ValueError("structures are nested too deeply")
    length, kind = data[at] >> 4, data[at] & 15
    at += 1
    if length == _LONG_LIST:
        length, at = _varint(data, at)
    values = []
    for _ in range(length):  # each takes a byte at least, so that the end of the data ends it
        value, at = _value(data, at, kind, depth)
        values.append(value)
    return values, at


def _integer(data: bytes, at: int) -> tuple[int, int]:
    zigzag, at = _varint(data, at)
    return (zigzag >> 1) ^ -(zigzag & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("an integer is too long")
