"""The instructions of a pickle are those that pickletools finds, within limits."""

import io
import pickle
import pickletools
from collections import OrderedDict

import pytest

from vanbench.checkpoints.pickle_steps import instructions
from vanbench.checkpoints.stored import Malformed

CONTENT = {"a": [1, -300, 70_000, 1.5, None, True], "b": OrderedDict(c=("text", b"bytes"))}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_names_are_those_of_pickletools(protocol):
    stream = io.BytesIO(pickle.dumps(CONTENT, protocol) + b"behind it")
    names = [name for name, _ in instructions(stream)]
    assert stream.read() == b"behind it"
    stream.seek(0)
    assert names == [operation.name for operation, *_ in pickletools.genops(stream)]


def test_arguments_are_the_values():
    found = list(instructions(io.BytesIO(pickle.dumps([7, -300, 70_000, 1.5, "text"], 2))))
    arguments = [argument for _, argument in found]
    assert all(value in arguments for value in (7, -300, 70_000, 1.5, "text"))
    (name,) = [
        a for n, a in instructions(io.BytesIO(pickle.dumps(OrderedDict(), 2))) if n == "GLOBAL"
    ]
    assert name == "collections.OrderedDict"


@pytest.mark.parametrize("length", range(20))
def test_a_pickle_that_is_cut_off_is_refused(length):
    content = pickle.dumps(CONTENT, 2)[:length]
    with pytest.raises(Malformed):
        list(instructions(io.BytesIO(content)))


def test_more_instructions_or_bytes_than_allowed_are_refused():
    content = pickle.dumps(list(range(100)), 2)
    with pytest.raises(Malformed, match="more than 50 instructions"):
        list(instructions(io.BytesIO(content), most_steps=50))
    with pytest.raises(Malformed):
        list(instructions(io.BytesIO(pickle.dumps("x" * 1000, 2)), most_bytes=500))
