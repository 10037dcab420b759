"""Zip archives that two programs would read differently are refused."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.checkpoints import refusal, same
from tests.support.forge import FakeStorage, FakeTensor, forge_zip, save
from vanbench.checkpoints.state_dict import read_state_dict
from vanbench.checkpoints.zip_directory import read_directory

END = b"PK\x05\x06"
CONTENT = {"a": torch.arange(3.0), "b": torch.ones(2)}


def archive(folder: Path) -> bytes:
    return save(CONTENT, folder / "sound.pth").read_bytes()


def at_end(data: bytes) -> int:
    return data.rindex(END)


def changed(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def number(data: bytes, at: int, by: int) -> bytes:
    """The file with another 32-bit number at a place."""
    return changed(data, at, struct.pack("<L", struct.unpack_from("<L", data, at)[0] + by))


def without_zip64(data: bytes) -> bytes:
    return data[: at_end(data) - 76] + data[at_end(data) :]


def second(data: bytes, mark: bytes) -> int:
    """Where the second header of a kind begins."""
    return data.index(mark, data.index(mark) + 1)


MALFORMED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "prepended": (lambda d: b"PK\x03\x04" + bytes(60) + d, "disagree|end record"),
    "appended": (lambda d: d + b"\0", "something follows"),
    "another archive appended": (lambda d: d + d, "disagree|end record"),
    "comment": (lambda d: d[:-2] + b"\3\0abc", "something follows"),
    "comment with an end record": (lambda d: d[:-2] + b"\x16\0" + d[-22:], "end record|disagree"),
    "two end records": (lambda d: d + d[-22:], "end record|disagree"),
    "entries by the end record": (lambda d: changed(d, len(d) - 12, b"\5\0"), "disagree"),
    "start by the end record": (lambda d: number(d, len(d) - 6, 1), "disagree"),
    "size by the end record": (lambda d: number(d, len(d) - 10, -1), "disagree"),
    "disk": (lambda d: changed(d, len(d) - 18, b"\1"), "end record"),
    "locator": (lambda d: number(d, len(d) - 22 - 12, 1), "disagree"),
    "zip64 record": (lambda d: number(d, len(d) - 22 - 20 - 8, 1), "disagree"),
    "directory without an entry": (
        lambda d: changed(without_zip64(d), len(d) - 76 - 14, b"\3\0\3\0"),
        "are listed",
    ),
    "comment of an entry": (
        lambda d: changed(d, d.index(b"PK\1\2") + 32, b"\1"),
        "with comments|damaged directory",
    ),
    "name in its own header": (
        lambda d: changed(d, d.index(b"data.pkl"), b"DATA.PKL"),
        "header and central directory disagree",
    ),
    "size in its own header": (
        lambda d: changed(d, second(d, b"PK\3\4") + 22, b"\7"),
        "header and central directory disagree",
    ),
    "checksum in its own header": (
        lambda d: changed(d, second(d, b"PK\3\4") + 14, b"\7"),
        "header and central directory disagree",
    ),
    "method in its own header": (
        lambda d: changed(d, second(d, b"PK\3\4") + 8, b"\x08"),
        "header and central directory disagree",
    ),
    "data descriptor": (lambda d: changed(d, d.index(b"PK\7\x08") + 8, b"\1"), "its end and the"),
    "name that is not UTF-8": (lambda d: d.replace(b"byteorder", b"byte\xff\xfe\xfdxy"), "UTF-8"),
    "name with an escape": (lambda d: d.replace(b"byteorder", b"byte\x1b[31m"), "unsafe path"),
    "encrypted": (lambda d: changed(d, d.index(b"PK\1\2") + 8, b"\x09"), "encrypted"),
    "unknown flag": (lambda d: changed(d, d.index(b"PK\1\2") + 8, b"\x28"), "unknown flags"),
    "offset of an entry": (
        lambda d: number(d, second(d, b"PK\1\2") + 42, 1),
        "belong to no entry|overlaps",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path, name):
    change, words = MALFORMED[name]
    path = tmp_path / "f.pth"
    path.write_bytes(change(archive(tmp_path)))
    message = refusal(path)
    assert any(word in message for word in words.split("|")), message
    assert message.isprintable()


def test_two_directories_in_one_file(tmp_path):
    """Python's zipfile takes the second, torch's reader the first; neither is read."""
    forge_zip({"a": FakeTensor(FakeStorage("0", 1), (1,), (1,))}, tmp_path / "x", {"0": bytes(4)})
    sound, hidden = (tmp_path / "x").read_bytes(), archive(tmp_path)
    path = tmp_path / "f.pth"
    path.write_bytes(hidden[: at_end(hidden)] + sound)
    refusal(path)
    path.write_bytes(sound[: at_end(sound)] + hidden)
    refusal(path)


def test_an_entry_that_is_not_listed(tmp_path):
    """Bytes of an entry between two others that the directory leaves out."""
    path = forge_zip({}, tmp_path / "f.pth", {"0": bytes(4)})
    data = path.read_bytes()
    begin = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    stop = data.index(b"PK\x01\x02", begin + 1)
    end = struct.unpack_from("<4s4H2LH", data, at_end(data))
    fields = (END, 0, 0, end[3] - 1, end[4] - 1, end[5] - (stop - begin), end[6], 0)
    shorter = data[:begin] + data[stop : at_end(data)] + struct.pack("<4s4H2LH", *fields)
    path.write_bytes(shorter)
    assert "belong to no entry" in refusal(path)


@pytest.mark.parametrize("name", ["a/DATA/0", "a/Data.pkl"])
def test_names_that_differ_in_case_only(tmp_path, name):
    content = {"a": FakeTensor(FakeStorage("0", 1), (1,), (1,))}
    path = forge_zip(content, tmp_path / "f.pth", {"0": bytes(4)}, more={name: b"x"})
    assert "two archive entries" in refusal(path)


def test_the_same_entries_written_by_another_program_are_read(tmp_path):
    """With and without zip64 fields, and as a stream whose sizes follow the data."""

    class Stream(io.RawIOBase):
        """A file that cannot seek, so that sizes are written behind the data."""

        def __init__(self, path):
            self.file = path.open("wb")

        def writable(self):
            return True

        def write(self, data):
            return self.file.write(data)

        def close(self):
            self.file.close()

    source = io.BytesIO(archive(tmp_path))
    for number, zip64 in enumerate((False, True, False)):
        path = tmp_path / f"{number}.pth"
        target = Stream(path) if number == 2 else path.open("wb")
        with zipfile.ZipFile(source) as old, target, zipfile.ZipFile(target, "w") as new:
            for name in old.namelist():
                with new.open(name, "w", force_zip64=zip64) as entry:
                    entry.write(old.read(name))
        assert same(read_state_dict(path), CONTENT), number


def test_a_name_outside_of_ascii(tmp_path):
    assert same(read_state_dict(save(CONTENT, tmp_path / "größe.pth")), CONTENT)


def test_the_directory_agrees_with_that_of_the_standard_library(tmp_path):
    data = archive(tmp_path)
    found = read_directory(io.BytesIO(data), len(data)).entries
    with zipfile.ZipFile(io.BytesIO(data)) as expected:
        assert [(e.name, e.header, e.size, e.crc) for e in found] == [
            (i.filename, i.header_offset, i.file_size, i.CRC) for i in expected.infolist()
        ]


def test_the_size_of_the_directory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("vanbench.checkpoints.zip_directory.MOST_DIRECTORY", 100)
    assert "directory of" in refusal(save(CONTENT, tmp_path / "f.pth"))
