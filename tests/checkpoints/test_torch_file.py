"""Files of torch.save: damaged, of another kind, or hostile; each is refused by name."""

import json
import os
import pickle
import random
import subprocess
import sys
import warnings
import zipfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.serialization import set_crc32_options

from tests.support.checkpoints import BOTH, refusal, same
from tests.support.forge import FakeStorage, FakeTensor, forge_legacy, forge_zip, save, tiny_state
from vanbench.checkpoints.state_dict import read_state_dict
from vanbench.errors import CheckpointError
from vanbench.files import sha256_of

# Damage


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
    rng = random.Random(6)
    for number in range(34):
        damaged = bytearray(whole)
        place = rng.randrange(len(whole))
        if number % 3:
            damaged[place] ^= 1 << rng.randrange(8)
        else:
            del damaged[place:]
        (tmp_path / name).write_bytes(damaged)
        assert sha256_of(tmp_path / name) != sha256
        with suppress(CheckpointError):  # without a checksum, a flip in a number is a sound file
            read_state_dict(tmp_path / name)


def entries(path: Path) -> list[tuple[str, int, int]]:
    """Name, first byte and size of what each archive entry holds."""
    found = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as entry:
                start = entry._orig_compress_start
            found.append((info.filename, start, info.file_size))
    return found


def test_a_flipped_byte_in_the_data_of_an_archive_is_reported(tmp_path):
    """Of each entry: the pickle, the storages and the small ones."""
    path = save(tiny_state(), tmp_path / "f.pth")
    whole = path.read_bytes()
    for name, start, size in entries(path):
        damaged = bytearray(whole)
        damaged[start + size // 2] ^= 1
        path.write_bytes(damaged)
        message = refusal(path)
        assert "CRC-32" in message, name
        assert name in message
        assert "the file is damaged" in message


def test_a_flip_anywhere_in_an_archive_is_reported_or_changes_no_weight(tmp_path):
    state = tiny_state()
    path = save(state, tmp_path / "f.pth")
    whole, rng = path.read_bytes(), random.Random(7)
    reported = 0
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            assert same(read_state_dict(path), state)
        except CheckpointError:
            reported += 1
    assert reported > 20


def test_an_archive_that_was_written_without_checksums_is_read(tmp_path):
    """As torch writes it when the program turned the computation off."""
    state = tiny_state()
    set_crc32_options(False)
    try:
        path = save(state, tmp_path / "f.pth")
    finally:
        set_crc32_options(True)
    with zipfile.ZipFile(path) as archive:
        assert {info.CRC for info in archive.infolist()} == {0}
    assert same(read_state_dict(path), state)


# Archives of another kind


class Twice(torch.nn.Module):
    def forward(self, x):
        return 2 * x


def write_script(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls it deprecated
        torch.jit.script(Twice()).save(path)


def write_export(path: Path) -> None:
    torch.export.save(torch.export.export(Twice(), (torch.ones(2),)), path)


def write_older_export(path: Path) -> None:
    """As torch 2.1 to 2.7 did it: entries without a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", b"")
        archive.writestr("version", "8.8")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_script, "a TorchScript archive (torch.jit.save), which is a program"),
        (write_export, "a program of torch.export or AOTInductor (.pt2)"),
        (write_older_export, "a program of torch.export (.pt2)"),
        (lambda path: np.savez(path.open("wb"), a=np.ones(2)), "a NumPy archive (.npz)"),
    ],
)
def test_an_archive_of_another_kind_is_named_for_what_it_is(tmp_path, write, words):
    write(tmp_path / "f.pt2")
    message = refusal(tmp_path / "f.pt2")
    assert f"expected a state dict, found {words}." in message
    assert "Save the state_dict" in message


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
        ("negative", FakeTensor(one, (1,), (1,), -1), "not those of a tensor"),
        ("expanded", FakeTensor(one, (10**6, 10**6), (0, 0)), "does not hold"),
        ("within-itself", FakeTensor(FakeStorage("0", 4), (2, 2), (1, 1)), "does not hold"),
        ("claims", FakeTensor(FakeStorage("0", 10**10), (10**10,), (1,)), "40000000000"),
        ("absurd", FakeTensor(FakeStorage("0", 10**40), (10**40,), (1,)), "bytes"),
        (
            "wrong-size",
            FakeTensor(FakeStorage("0", -1), (1,), (1,)),
            "malformed reference to a storage",
        ),
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
    forge_zip(nested_key, add("nested-key.pth", "a dict key that is neither text nor a number"), {})
    forge_zip({}, add("script.pth", "TorchScript"), {}, more={"a/constants.pkl": b""})
    with zipfile.ZipFile(add("no-pickle.pth", "without data.pkl"), "w") as archive:
        archive.writestr("a/data/0", b"")
    with zipfile.ZipFile(add("overlap.pth", "overlaps another"), "w") as archive:
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
