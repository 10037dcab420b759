"""Reading files of weights: sound ones exactly, all others refused by name."""

import argparse
import json
import os
import pickle
import random
import subprocess
import sys
import zipfile
from collections import OrderedDict, defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support.forge import FakeStorage, FakeTensor, forge_legacy, forge_zip, save, tiny_state
from vanbench.checkpoints.state_dict import read_state_dict, read_state_dicts, suspicious_tensors
from vanbench.download.cache import Wanted, fetch
from vanbench.errors import CheckpointError, MismatchError
from vanbench.files import sha256_of

BOTH = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


def same(left: dict, right: dict) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def refusal(path: Path) -> str:
    """The message with which a file is refused; it must name the file."""
    with pytest.raises(CheckpointError) as caught:
        read_state_dict(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


# Sound files


@BOTH
@pytest.mark.parametrize("nest", [None, "state_dict", "model", "state_dict_ema"])
def test_bare_and_nested(tmp_path, legacy, nest):
    state = tiny_state()
    content = {nest: state, "epoch": 3, "meta": {"time": "now"}} if nest else OrderedDict(state)
    assert same(read_state_dict(save(content, tmp_path / "f.pth", legacy=legacy)), state)


@BOTH
def test_prefixes_of_data_parallel(tmp_path, legacy):
    state = tiny_state()
    wrapped = {f"module.{key}": tensor for key, tensor in state.items()}
    assert same(read_state_dict(save(wrapped, tmp_path / "f.pth", legacy=legacy)), state)


def test_a_prefix_that_only_some_names_have_stays(tmp_path):
    state = {"module.a": torch.ones(1), "a": torch.zeros(1)}
    assert read_state_dict(save(state, tmp_path / "f.pth")).keys() == state.keys()


@BOTH
def test_leftovers_of_training_frameworks_are_skipped(tmp_path, legacy):
    meta = {
        "score": np.float64(75.41),
        "classes": np.arange(3),
        "dtype": np.dtype("f4"),
        "args": argparse.Namespace(lr=0.1, betas=(0.9, 0.999)),
        "bytes": b"abc",
        "shape": torch.Size([1, 3]),
        "device": torch.device("cpu"),
        "metrics": OrderedDict(top1=75.4),
    }
    state = tiny_state()
    path = save({"meta": meta, "state_dict": state}, tmp_path / "f.pth", legacy=legacy)
    assert same(read_state_dict(path), state)


@BOTH
def test_parameters_and_views_that_do_not_overlap(tmp_path, legacy):
    flat = torch.rand(20)
    state = {
        "parameter": torch.nn.Parameter(torch.rand(3)),
        "first": flat[:8].view(2, 4),
        "second": flat[8:20].view(4, 3).t(),
        "scalar": torch.tensor(1.5),
        "none": torch.zeros(0, 3),
        "half": torch.rand(4).half(),
        "channels_last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
    }
    assert same(read_state_dict(save(state, tmp_path / "f.pth", legacy=legacy)), state)


def test_a_state_dict_with_metadata(tmp_path):
    state = torch.nn.Sequential(torch.nn.Linear(2, 3)).state_dict()
    assert same(read_state_dict(save(state, tmp_path / "f.pth")), state)


def test_safetensors(tmp_path):
    state = tiny_state()
    save_file(state, tmp_path / "f.safetensors", metadata={"source": "here"})
    assert same(read_state_dict(tmp_path / "f.safetensors"), state)
    assert read_state_dicts(tmp_path / "f.safetensors").metadata == {"source": "here"}


def test_metadata_of_other_files_is_empty(tmp_path):
    assert read_state_dicts(save(tiny_state(), tmp_path / "f.pth")).metadata == {}


# Files that are no checkpoints


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "nothing (it is empty)"),
        (b"<!DOCTYPE html><html><title>Moved</title>", 'an HTML or XML page ("Moved")'),
        (b"just some text", "the bytes b'just some text'"),
        (b"\x1f\x8b\x08\x00" + bytes(50), "gzip-compressed data"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        (bytes(1000), "zero bytes"),
        (pickle.dumps({"a": 1}, protocol=4), "a pickle"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path, content, words):
    (tmp_path / "f.pth").write_bytes(content)
    assert words in refusal(tmp_path / "f.pth")


def test_a_file_that_is_not_there(tmp_path):
    assert "No such file" in refusal(tmp_path / "f.pth")


def test_a_folder(tmp_path):
    assert "Is a directory" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(1)], "found list"),
        ({}, "an empty dict"),
        (torch.ones(1), "found Tensor"),
        ({"state_dict": {}}, "an empty dict"),
        ({"a": torch.ones(1), "lr": 0.1}, "'lr' (float)"),
        ({1: torch.ones(1)}, "1 (Tensor)"),
        ({"a": argparse.Namespace()}, "'a' (a leftover object)"),
        ({"a": torch.ones(2, dtype=torch.int64)}, "a (torch.int64)"),
        ({"num_batches_tracked": torch.ones(2, dtype=torch.int64)}, "(torch.int64)"),
        ({"a": torch.ones(2, dtype=torch.bool)}, "a (torch.bool)"),
    ],
)
@BOTH
def test_contents_that_are_no_state_dict(tmp_path, content, words, legacy):
    assert words in refusal(save(content, tmp_path / "f.pth", legacy=legacy))


@BOTH
def test_tensors_that_share_memory(tmp_path, legacy):
    flat = torch.rand(10)
    message = refusal(save({"a": flat[:6], "b": flat[5:]}, tmp_path / "f.pth", legacy=legacy))
    assert "the tensors a and b share memory" in message


@BOTH
def test_truncated_anywhere(tmp_path, legacy):
    path = save(tiny_state(), tmp_path / "f.pth", legacy=legacy)
    whole = path.read_bytes()
    for length in random.Random(5).sample(range(len(whole)), 40):
        path.write_bytes(whole[:length])
        refusal(path)


@pytest.mark.parametrize("name", ["f.pth", "legacy.pth", "f.safetensors"])
def test_damage_is_detected_by_the_hash_and_never_a_traceback(tmp_path, name):
    """100 copies in all, each with one flipped bit or truncated."""
    if name.endswith(".safetensors"):
        save_file(tiny_state(), tmp_path / name)
    else:
        save(tiny_state(), tmp_path / name, legacy=name.startswith("legacy"))
    whole, sha256 = (tmp_path / name).read_bytes(), sha256_of(tmp_path / name)
    rng, detected = random.Random(6), 0
    for number in range(34):
        damaged = bytearray(whole)
        place = rng.randrange(len(whole))
        if number % 3:
            damaged[place] ^= 1 << rng.randrange(8)
        else:
            del damaged[place:]
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(MismatchError):
            fetch(Wanted(name, (), sha256=sha256[:8]), tmp_path, offline=True)
        detected += 1
        with suppress(CheckpointError):  # a flip in the numbers themselves is a sound file
            read_state_dict(tmp_path / name)
    assert detected == 34


# Hostile files


class Runs:
    """Unpickled in earnest, it would create the marker file."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def runs(marker: Path) -> Runs:
    return Runs(os.system, f"touch {marker}")


def hostile_files(folder: Path, marker: Path) -> dict[Path, str]:
    """Each hostile file, and words with which it must be refused."""
    one = FakeStorage("0", 1)
    tensor = FakeTensor(one, (1,), (1,))
    bytes4 = {"0": bytes(4)}
    files: dict[Path, str] = {}

    def add(name: str, words: str) -> Path:
        files[folder / name] = words
        return folder / name

    for legacy in (False, True):
        kind = "legacy" if legacy else "zip"
        for name, content, words in (
            ("bare", runs(marker), "posix.system"),
            ("meta", {"state_dict": {"a": torch.ones(1)}, "meta": runs(marker)}, "posix.system"),
            ("deep", {"a": torch.ones(1), "m": [{"x": (runs(marker),)}]}, "posix.system"),
            ("eval", {"a": Runs(eval, f"open({str(marker)!r}, 'w')")}, "eval"),
            ("getattr", {"a": Runs(getattr, "text", "upper")}, "getattr"),
            ("bytearray", {"a": Runs(bytearray, 10**11)}, "bytearray"),
            ("class", {"a": pytest.Session.Failed}, "Failed"),
            ("defaultdict", {"a": defaultdict(list)}, "collections.defaultdict"),
            ("sparse", {"a": torch.eye(3).to_sparse()}, "_rebuild_sparse_tensor"),
            ("complex", {"a": torch.ones(2, dtype=torch.complex64)}, "ComplexFloatStorage"),
            ("float8", {"a": torch.ones(2).to(torch.float8_e5m2)}, "_rebuild_tensor_v3"),
            ("model", torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        ):
            save(content, add(f"{name}-{kind}.pth", words), legacy=legacy)

    for name, fake, words in (
        ("beyond", FakeTensor(one, (2,), (1,)), "does not hold"),
        ("offset", FakeTensor(one, (1,), (1,), 1), "does not hold"),
        ("negative", FakeTensor(one, (1,), (1,), -1), "no tensor"),
        ("expanded", FakeTensor(one, (10**6, 10**6), (0, 0)), "does not hold"),
        ("within-itself", FakeTensor(FakeStorage("0", 4), (2, 2), (1, 1)), "does not hold"),
        ("claims", FakeTensor(FakeStorage("0", 10**10), (10**10,), (1,)), "40000000000"),
        ("absurd", FakeTensor(FakeStorage("0", 10**40), (10**40,), (1,)), "bytes"),
        ("wrong-size", FakeTensor(FakeStorage("0", -1), (1,), (1,)), "an odd storage"),
        ("no-data", FakeTensor(FakeStorage("9", 1), (1,), (1,)), "no data"),
    ):
        forge_zip({"weight": fake}, add(f"{name}-zip.pth", words), {"0": bytes(16)})
    forge_zip({"a": Runs(torch.Tensor, 10**11)}, add("call.pth", "torch.Tensor"), {})
    for name, entry in (
        ("up", "../../evil"), ("within", "a/../../evil"), ("absolute", "/tmp/evil"),
        ("backslash", "a\\..\\evil"), ("folders", "b/more"), ("empty", "a//evil"),
    ):  # fmt: skip
        words = "not one folder" if name == "folders" else "unsafe path"
        forge_zip({"a": tensor}, add(f"path-{name}.pth", words), bytes4, more={entry: b"x"})
    forge_zip(
        {"a": tensor}, add("case.pth", "two archive entries"), bytes4, more={"a/DATA/0": b"evil"}
    )
    big = FakeTensor(FakeStorage("0", 10**7), (10**7,), (1,))
    forge_zip(
        {"a": big}, add("bomb.pth", "compressed archive entry"), {"0": bytes(4 * 10**7)},
        compression=zipfile.ZIP_DEFLATED,
    )  # fmt: skip
    # A key ((…), (…)) doubled sixty times: a few bytes, but its hash would take 2**60 steps.
    doubled = b"".join(b"q%ch%c\x86" % (i, i) for i in range(100, 160))  # put, get, make a pair
    nested_key = b"\x80\x02})" + doubled + b"K\x01s."
    forge_zip(nested_key, add("nested-key.pth", "a dict key too deep"), {})
    forge_zip({}, add("script.pth", "TorchScript"), {}, more={"a/constants.pkl": b""})
    with zipfile.ZipFile(add("no-pickle.pth", "without data.pkl"), "w") as archive:
        archive.writestr("a/data/0", b"")
    with zipfile.ZipFile(add("overlap.pth", "disagree"), "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("a/data/0", bytes(4))
        archive.infolist()[1].header_offset = 0

    for name, storage, data, words in (
        ("claims", FakeStorage("0", 10**10), (10**10, bytes(4)), "too few bytes"),
        ("differs", FakeStorage("0", 1), (2, bytes(8)), "another length"),
        ("short", FakeStorage("0", 4), (4, bytes(8)), "too few bytes"),
    ):
        fake = FakeTensor(storage, (storage.numel,), (1,))
        forge_legacy({"a": fake}, add(f"{name}-legacy.pth", words), {"0": data})
    good = {"0": (1, bytes(4))}
    forge_legacy({"a": tensor}, add("keys-legacy.pth", "a list of storages"), good, ["0", "1"])
    forge_legacy({"a": tensor}, add("twice-legacy.pth", "a list of storages"), good, ["0", "0"])
    twin = {"a": tensor, "b": FakeTensor(FakeStorage("0", 1, torch.DoubleStorage), (1,), (1,))}
    forge_legacy(twin, add("twins-legacy.pth", "two different storages"), good)

    header = json.dumps({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}})
    for name, head, words in (
        ("claims", header, "safetensors"),
        ("json", "{" * 50, "safetensors"),
    ):
        data = len(head).to_bytes(8, "little") + head.encode() + bytes(4)
        add(f"{name}.safetensors", words).write_bytes(data)
    return files


READ_ALL = """
import resource, sys
from vanbench.checkpoints.state_dict import read_state_dict
from vanbench.errors import CheckpointError

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        read_state_dict(path)
        sys.exit(f"{path} was read")
    except CheckpointError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_hostile_files_are_refused_by_name_and_run_nothing(tmp_path):
    marker = tmp_path / "marker"
    files = hostile_files(tmp_path, marker)
    for path, words in files.items():
        assert words in refusal(path), path.name
    assert len(files) > 50
    assert not marker.exists()


def test_hostile_files_take_no_memory(tmp_path):
    """They claim up to 40 GB; reading all of them takes less than 64 MiB."""
    files = [str(path) for path in hostile_files(tmp_path, tmp_path / "marker")]
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64 << 10  # KiB


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_are_refused_whatever_the_protocol(tmp_path, protocol):
    path = tmp_path / "f.pth"
    path.write_bytes(pickle.dumps(runs(tmp_path / "marker"), protocol=protocol))
    refusal(path)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_newer_pickles_within_an_archive_are_refused_with_the_globals(tmp_path, protocol):
    path = tmp_path / "f.pth"
    torch.save({"a": runs(tmp_path / "marker")}, path, pickle_protocol=protocol)
    assert "posix.system" in refusal(path)
    assert not (tmp_path / "marker").exists()


# Odd weights


def test_sound_weights_have_no_suspicious_tensors():
    assert suspicious_tensors(tiny_state()) == []


def test_oddities_are_named():
    state = {
        "a.weight": torch.tensor([1.0, float("nan"), float("inf")]),
        "b.weight": torch.zeros(2, 2),
        "b.bias": torch.zeros(2),
        "n.running_var": torch.zeros(2),
        "n.num_batches_tracked": torch.tensor(0),
    }
    assert suspicious_tensors(state) == [
        "a.weight has 2 of 3 values that are NaN or infinite",
        "b.weight is zero throughout",
        "n.running_var is zero throughout",
    ]
