"""The walk over a pickle: what it asks for is named, and nothing of it is done."""

import io
import pickle
from collections import Counter, OrderedDict

import pytest

from vanbench.checkpoints.pickle_scan import GETATTR, HISTORY_BUFFER, Made, Malformed, scan
from vanbench.errors import CheckpointError

MODULE, CLASS = HISTORY_BUFFER.rsplit(".", 1)


def name_of(dotted: str) -> bytes:
    """The instruction that names a class or function."""
    module, name = dotted.rsplit(".", 1)
    return b"c" + f"{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def getattr_of(owner: bytes, *names: str) -> bytes:
    """A pickle of ``getattr(owner, *names)``."""
    arguments = b"(" + owner + b"".join(map(text, names)) + b"t"
    return b"\x80\x02" + name_of(GETATTR) + arguments + b"R."


@pytest.mark.parametrize("statistic", ["current", "max", "mean", "min"])
def test_the_statistics_of_a_history_buffer_may_be_named(statistic):
    found = scan(io.BytesIO(getattr_of(name_of(HISTORY_BUFFER), statistic)))
    assert isinstance(found.value, Made)
    assert found.value.by == GETATTR


@pytest.mark.parametrize(
    "pickled",
    [
        getattr_of(name_of(HISTORY_BUFFER), "__init__"),
        getattr_of(name_of(HISTORY_BUFFER), "__globals__"),
        getattr_of(name_of(HISTORY_BUFFER), "mean.__globals__"),
        getattr_of(name_of(HISTORY_BUFFER)),
        getattr_of(name_of(HISTORY_BUFFER), "mean", "min"),
        getattr_of(name_of("argparse.Namespace"), "mean"),
        getattr_of(name_of("torch.FloatStorage"), "max"),
        getattr_of(name_of(GETATTR), "mean"),
        getattr_of(text("a string"), "mean"),
        getattr_of(b"N", "mean"),
        getattr_of(name_of(HISTORY_BUFFER), "mean")[:-1] + b"(tR.",  # calls what it gave
    ],
)
def test_any_other_getattr_is_refused(pickled):
    with pytest.raises((CheckpointError, Malformed)) as caught:
        scan(io.BytesIO(pickled))
    if isinstance(caught.value, CheckpointError):
        assert f"it asks for more than tensors: {GETATTR}" in caught.value.problem
    else:
        assert "not a function" in str(caught.value)


def test_a_counter_is_made_of_a_dict_only():
    counter = pickle.dumps(Counter({3: 1}), protocol=2)
    assert isinstance(scan(io.BytesIO(counter)).value, Made)
    call = b"\x80\x02" + name_of("collections.Counter") + b"]N\x86R."
    with pytest.raises(Malformed, match="a Counter that is not of a dict"):
        scan(io.BytesIO(call))


def test_getattr_under_its_newer_name_is_refused():
    with pytest.raises(CheckpointError, match=r"builtins\.getattr"):
        scan(
            io.BytesIO(
                getattr_of(name_of(HISTORY_BUFFER), "mean").replace(b"__builtin__", b"builtins")
            )
        )


def test_all_names_are_listed_even_after_the_first_problem():
    calls = b"".join(name_of(name) + b")R0" for name in ("os.system", "builtins.eval", "a.b"))
    with pytest.raises(CheckpointError) as caught:
        scan(io.BytesIO(b"\x80\x02" + calls + b"N."))
    assert "a.b, builtins.eval, os.system" in caught.value.problem


def test_plain_values_are_read_as_they_are():
    value = {"a": [1, 2.5, None, True], "b": (3, "x"), 7: OrderedDict(c="d")}
    assert scan(io.BytesIO(pickle.dumps(value, protocol=2))).value == value


def test_the_stream_is_left_behind_the_pickle():
    stream = io.BytesIO(pickle.dumps(1, protocol=2) + b"rest")
    scan(stream)
    assert stream.read() == b"rest"


@pytest.mark.parametrize(
    ("pickled", "words"),
    [
        (b"\x80\x02.", "pop from empty"),
        (b"\x80\x02h\x05.", "unknown memo entry"),
        (b"\x80\x02N\x86.", "stack underflow"),
        (b"\x80\x02N]a.", "not a list"),
        (b"\x80\x02}(Nu.", "not in pairs"),
    ],
)
def test_a_malformed_pickle_is_described(pickled, words):
    with pytest.raises(Malformed, match=words):
        scan(io.BytesIO(pickled))
