"""Files of a few bytes that would take minutes or gigabytes: each is refused at once, shortly."""

import io
import os
import pickle
import struct
import time

import pytest
import torch

from tests.support.checkpoints import BOTH, refusal
from tests.support.forge import FakeStorage, FakeTensor, forge_legacy, forge_pickled, forge_zip
from vanbench.checkpoints.load import load_model, open_checkpoint
from vanbench.checkpoints.pickle_scan import scan
from vanbench.checkpoints.pickle_steps import instructions
from vanbench.checkpoints.state_dict import MOST_TENSORS, read_state_dict
from vanbench.checkpoints.stored import Malformed
from vanbench.errors import CheckpointError

DOUBLED = b"".join(b"q%ch%c\x86" % (i, i) for i in range(100, 200))  # put, get, make a pair
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\1tQ"
ORDERED = b"ccollections\nOrderedDict\n"
HUGE = b"\x8b" + struct.pack("<L", 100_000) + b"\x7f" * 100_000  # LONG4
DIMS = b"(" + b"K\1" * 100_000 + b"t"

BOMBS = {
    "nested pairs": (b"\x80\x02)" + DOUBLED + b".", "found tuple"),
    "nested pairs as a value": (b"\x80\x02}X\1\0\0\0a)" + DOUBLED + b"s.", "'a' (tuple)"),
    "nested pairs as a key": (b"\x80\x02})" + DOUBLED + b"K\1s.", "a dict key that is neither"),
    "nested pairs as a call": (b"\x80\x02" + ORDERED + b")" + DOUBLED + b"R.", "OrderedDict"),
    "nested pairs as a size": (
        b"\x80\x02" + REBUILD + b"(" + STORAGE + b"K\0)" + DOUBLED + b"K\1\x85\x89" + ORDERED
        + b")RtR.",
        "not those of a tensor",
    ),
    "nested pairs as a reference": (b"\x80\x02)" + DOUBLED + b"Q.", "malformed reference"),
    "huge number": (b"\x80\x02" + HUGE + b".", "the pickle instruction LONG4"),
    "long number": (b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".", "a whole number of 255 bytes"),
    "digits": (b"\x80\x02L" + b"9" * 100_000 + b"L\n.", "that does not end"),
    "dimensions": (
        b"\x80\x02" + REBUILD + b"(" + STORAGE + b"K\0" + DIMS + DIMS + b"\x89" + ORDERED + b")RtR.",
        "100,000 dimensions",
    ),
    "length of a text": (b"\x80\x02X\xff\xff\xff\xff.", "a value of 4,294,967,295 bytes"),
    "length of bytes": (b"\x80\x02\x8e" + b"\xff" * 8 + b".", "a value of"),
    "memo": (b"\x80\x02" + b"Nr\xff\xff\xff\xff" * 1000 + b".", "NoneType"),
    "name": (b"\x80\x02c" + b"a" * 100_000 + b"\nb\n.", "a name that does not end"),
    "nesting": (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", "found list"),
    "list in itself": (b"\x80\x02]q\0h\0a.", "found list"),
    "dict in itself": (b"\x80\x02}q\0X\1\0\0\0ah\0s.", "'a' (dict)"),
}  # fmt: skip


@BOTH
@pytest.mark.parametrize("name", BOMBS)
def test_a_pickle_that_grows_is_refused_at_once(tmp_path, name, legacy):
    pickled, words = BOMBS[name]
    path = forge_pickled(tmp_path / "f.pth", pickled, legacy=legacy)
    start = time.process_time()
    message = refusal(path)
    assert time.process_time() - start < 2
    assert len(message) < 1000
    if not (legacy and name == "nested pairs as a size") and not (legacy and name == "dimensions"):
        assert words in message


def test_a_key_list_that_grows(tmp_path):
    path = forge_legacy({}, tmp_path / "f.pth", {})
    keys = pickle.dumps([], protocol=2)
    data = path.read_bytes().removesuffix(keys)
    for pickled in (b"\x80\x02])" + DOUBLED + b"a.", b"\x80\x02](K\1NX\1\0\0\0ae.", b"\x80\x02N."):
        path.write_bytes(data + pickled)
        message = refusal(path)
        assert "a list of storages that differs" in message
        assert len(message) < 1000


def test_the_same_pairs_again_and_again_are_counted(monkeypatch):
    monkeypatch.setattr("vanbench.checkpoints.pickle_scan.MOST_PAIRS", 250)
    pair = b"X\1\0\0\0aK\1\x86"
    pairs = b"](" + pair * 100 + b"eq\0"
    pickled = b"\x80\x02" + pairs + (ORDERED + b"h\0\x85R") * 3 + b"."
    with pytest.raises(Malformed, match="too many pairs"):
        scan(io.BytesIO(pickled))


def test_keys_that_are_numbers_are_counted(monkeypatch):
    monkeypatch.setattr("vanbench.checkpoints.pickle_scan.MOST_NUMBER_KEYS", 99)
    with pytest.raises(Malformed, match="99 keys not of text"):
        scan(io.BytesIO(pickle.dumps({i: i for i in range(100)}, protocol=2)))


def test_instructions_and_bytes_are_counted():
    pickled = b"\x80\x02" + b"N0" * 100 + b"X\x64\0\0\0" + b"a" * 100 + b"."
    assert len(list(instructions(io.BytesIO(pickled)))) == 203
    with pytest.raises(Malformed, match="more than 202 instructions"):
        list(instructions(io.BytesIO(pickled), most_steps=202))
    with pytest.raises(Malformed, match="too large as a whole"):
        list(instructions(io.BytesIO(pickled), most_bytes=150))


def test_attributes_of_an_ordered_dict_change_nothing(tmp_path):
    """Attributes that have names of its methods, and a state that is no dict."""
    items = b"X\1\0\0\0aN"
    state = b"}X\5\0\0\0itemsNs"
    sound = b"\x80\x02" + ORDERED + b")R(" + items + b"u" + state + b"b."
    assert scan(io.BytesIO(sound)).value == {"a": None}
    with pytest.raises(Malformed, match="state for something"):
        scan(io.BytesIO(b"\x80\x02" + ORDERED + b")R(" + items + b"u" + b"K\1b."))


def test_a_tensor_whose_values_torch_would_change_is_refused():
    """The seventh argument may ask for the negative or the conjugate of what is stored."""
    call = b"\x80\x02" + REBUILD + b"(" + STORAGE + b"K\0K\1\x85K\1\x85\x89" + ORDERED + b")R%stR."
    assert scan(io.BytesIO(call % b"")).value.size == (1,)
    assert scan(io.BytesIO(call % b"}")).value.size == (1,)
    with pytest.raises(Malformed, match="not described as"):
        scan(io.BytesIO(call % b"}X\3\0\0\0neg\x88s"))


def test_more_tensors_than_a_network_has(tmp_path, monkeypatch):
    """All of one storage, which is read once."""
    content = {str(i): FakeTensor(FakeStorage("0", 1000), (1,), (1,), i) for i in range(1000)}
    path = forge_zip(content, tmp_path / "f.pth", {"0": bytes(4000)})
    assert len(read_state_dict(path)) == 1000 < MOST_TENSORS
    monkeypatch.setattr("vanbench.checkpoints.state_dict.MOST_TENSORS", 999)
    assert "found 1,000 tensors" in refusal(path)


@pytest.mark.parametrize(
    ("size", "stride"),
    [((0, 1 << 61), (1, 1)), ((1,), (1 << 61,)), ((0,), (1 << 62,)), ((0, 2**32, 2**32), (1,) * 3)],
)
def test_a_geometry_that_torch_cannot_express(tmp_path, size, stride):
    content = {"a": FakeTensor(FakeStorage("0", 1), size, stride)}
    assert "does not hold" in refusal(forge_zip(content, tmp_path / "f.pth", {"0": bytes(4)}))


def test_storages_of_no_bytes(tmp_path):
    content = {"a": FakeTensor(FakeStorage("0", 0), (0, 10**9), (1, 1))}
    for path in (
        forge_zip(content, tmp_path / "z.pth", {"0": b""}),
        forge_legacy(content, tmp_path / "l.pth", {"0": (0, b"")}),
    ):
        assert read_state_dict(path)["a"].shape == (0, 10**9)


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\u202eb", "\ud800", "a" * 2000, "model." * 10**5])
@BOTH
def test_names_of_tensors_are_shown_safely(tmp_path, name, legacy):
    stored = FakeTensor(FakeStorage("0", 1), (1,), (1,))
    if legacy:
        path = forge_legacy({name: stored}, tmp_path / "f.pth", {"0": (1, bytes(4))})
    else:
        path = forge_zip({name: stored}, tmp_path / "f.pth", {"0": bytes(4)})
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


# What is no regular file


@pytest.fixture(params=["pipe", "device", "folder", "loop", "link to a device", "NUL"])
def special(request, tmp_path):
    path = tmp_path / "f.pth"
    if request.param == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no named pipes here")
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "NUL":
        path = tmp_path / "f\0.pth"
    elif request.param == "loop":
        path.symlink_to(path)
    else:
        if not os.path.exists("/dev/zero"):
            pytest.skip("no such device here")
        path.symlink_to("/dev/zero")
    return request.param, path


@pytest.mark.parametrize("read", [read_state_dict, load_model, open_checkpoint])
def test_what_is_no_file_is_named_and_not_opened(special, read):
    kind, path = special
    words = {
        "pipe": "a named pipe", "device": "a character device", "folder": "a folder",
        "loop": "a loop of symbolic links", "link to a device": "a character device",
        "NUL": "no file can have this name",
    }  # fmt: skip
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert words[kind] in caught.value.problem
    assert caught.value.where == path


def test_a_file_that_becomes_shorter_while_it_is_read(tmp_path, monkeypatch):
    """Cut after it was checked, before its tensors are read."""
    path = tmp_path / "f.pth"
    torch.save({"a": torch.rand(100_000)}, path, _use_new_zipfile_serialization=False)

    def cut(*args):
        os.truncate(path, 200_000)
        return original(*args)

    from vanbench.checkpoints import state_dict

    original = state_dict._places
    monkeypatch.setattr(state_dict, "_places", cut)
    assert "became shorter" in refusal(path)


@pytest.mark.parametrize(
    "error", [RuntimeError("\x1b[31m" + "x" * 10**6), MemoryError(), KeyError()]
)
def test_a_failure_that_no_reader_expects_names_the_file(tmp_path, monkeypatch, error):
    path = tmp_path / "f.pth"
    torch.save({"a": torch.rand(3)}, path)

    def fail(*args):
        raise error

    monkeypatch.setattr("vanbench.checkpoints.state_dict.read_zip", fail)
    message = refusal(path)
    assert message.isprintable()
    assert len(message) < 1000
