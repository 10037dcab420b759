"""Files of crops: what was written comes back, and nothing that is damaged does."""

import hashlib
import os
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vanbench.data.crop_files import SLOTS, SUFFIX, CropKind, CropReader, CropWriter, crops_in
from vanbench.errors import DataError

KIND = CropKind("ab" * 32, 5)


def sha256(number):
    return hashlib.sha256(b"%d" % number).hexdigest()


def crop(number, side=KIND.side):
    """A crop as the decoder gives it: a view of (H, W, 3)."""
    rows = torch.randint(0, 256, (side, side, 3), generator=torch.Generator().manual_seed(number))
    return rows.to(torch.uint8).permute(2, 0, 1)


def fill(folder, count, kind=KIND):
    writer = CropWriter(kind, folder)
    for number in range(count):
        writer.write(sha256(number), crop(number))
    writer.close()
    return sorted(folder.glob(f"*{SUFFIX}"))


def test_crops_come_back_as_they_were_written(tmp_path):
    (path,) = fill(tmp_path, 7)
    found, reader = crops_in(path, KIND), CropReader(KIND)
    assert found == {sha256(number): number for number in range(7)}
    for number in range(7):
        pixels = reader.read(path, number, sha256(number))
        assert pixels.equal(crop(number))
        assert pixels.stride() == crop(number).stride()


def test_a_crop_in_another_memory_format_is_the_same_crop(tmp_path):
    CropWriter(KIND, tmp_path).write(sha256(1), crop(1).contiguous())
    (path,) = tmp_path.iterdir()
    assert CropReader(KIND).read(path, 0, sha256(1)).equal(crop(1))


def test_a_full_file_is_followed_by_another_and_the_size_is_known(tmp_path):
    files = fill(tmp_path, SLOTS + 3)
    assert sorted(len(crops_in(path, KIND)) for path in files) == [3, SLOTS]
    assert sum(path.stat().st_size for path in files) == KIND.bytes_of(SLOTS + 3)
    assert [KIND.bytes_of(n) for n in (0, SLOTS)] == [0, KIND.position(SLOTS)]


def test_a_slot_holds_one_image(tmp_path):
    (path,) = fill(tmp_path, 2)
    reader = CropReader(KIND)
    assert reader.read(path, 0, sha256(1)) is None
    assert reader.read(path, SLOTS - 1, sha256(1)) is None  # empty, and behind the end


@settings(max_examples=60, deadline=None)
@given(st.integers(0), st.integers(1, 255))
def test_no_flipped_byte_gives_other_pixels(tmp_path_factory, place, change):
    (path,) = fill(tmp_path_factory.mktemp("crops"), 3)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= change
    path.write_bytes(content)
    reader, intact = CropReader(KIND), 0
    for number in range(3):
        pixels = reader.read(path, number, sha256(number))
        intact += pixels is not None
        assert pixels is None or pixels.equal(crop(number))
    assert intact >= 2, "a byte belongs to one crop"


def test_a_byte_of_the_hash_of_the_checksum_and_of_the_pixels(tmp_path):
    (path,) = fill(tmp_path, 1)
    whole = path.read_bytes()
    for place in (128, 128 + 31, 128 + 32, 128 + 35, KIND.position(0), KIND.position(1) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert CropReader(KIND).read(path, 0, sha256(0)) is None
    path.write_bytes(whole)
    assert CropReader(KIND).read(path, 0, sha256(0)).equal(crop(0))


def test_a_file_cut_off_anywhere_has_the_crops_before(tmp_path):
    (path,) = fill(tmp_path, 4)
    whole = path.read_bytes()
    for size in [0, 1, 127, 128, 140, *random.Random(0).sample(range(len(whole)), 40)]:
        path.write_bytes(whole[:size])
        found = crops_in(path, KIND)
        complete = [n for n in range(4) if KIND.position(n + 1) <= size]
        assert found == {sha256(number): number for number in complete}
        reader = CropReader(KIND)
        assert all(reader.read(path, n, sha256(n)).equal(crop(n)) for n in complete)
        assert all(reader.read(path, n, sha256(n)) is None for n in range(4) if n not in complete)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"\0" * 20_000, b"vanbench crops\n" * 99])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "other.crops"
    path.write_bytes(content)
    with pytest.raises(DataError, match="expected crops of this protocol and decoder"):
        crops_in(path, KIND)


@pytest.mark.parametrize("other", [CropKind("cd" * 32, KIND.side), CropKind("ab" * 32, 6)])
def test_crops_of_another_kind_are_refused(tmp_path, other):
    (path,) = fill(tmp_path, 1)
    with pytest.raises(DataError, match="found other content"):
        crops_in(path, other)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.crops")
    with pytest.raises(OSError, match="expected a file, found a named pipe"):
        crops_in(tmp_path / "pipe.crops", KIND)


def test_few_files_are_open_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("vanbench.data.crop_files.MOST_OPEN", 2)
    for number in range(5):
        CropWriter(KIND, tmp_path).write(sha256(number), crop(number))
    files, reader = sorted(tmp_path.iterdir()), CropReader(KIND)
    for path in [*files, *reversed(files)]:
        ((image, slot),) = crops_in(path, KIND).items()
        assert reader.read(path, slot, image) is not None
        assert len(reader._files) <= 2
