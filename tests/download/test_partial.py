"""The bytes of an unfinished download and the note on where they are from."""

import os

import pytest

from tests.support.downloads import CONTENT, NAME
from vanbench.download.cache import fetch
from vanbench.download.partial import Origin, Part
from vanbench.download.wanted import Wanted
from vanbench.errors import StorageError


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[]",
        "{}",
        '{"url": 1}',
        '{"url": null}',
        '{"url": "u\\n", "length": "x"}',
        '{"url": "u", "length": true}',
        '{"url": "u", "length": -1}',
        '{"url": "u", "length": 1e400}',
        '{"url": "u", "length": ' + "1" * 5000 + "}",
        '{"url": "u", "etag": ["e"]}',
        '{"url": "u", "etag": "\\ud800"}',
        "[" * 10**5,
        " " * 10**6,
    ],
)
def test_a_damaged_note_means_from_zero(server, cache, note):
    part = Part(cache / ".vanbench", NAME)
    part.path.parent.mkdir(parents=True)
    part.path.write_bytes(b"what is this")
    part.note.write_text(note)
    url = server.put(f"/{NAME}", CONTENT)
    assert fetch(Wanted(NAME, (url,)), cache).path.read_bytes() == CONTENT
    assert "range" not in server.requests[0].headers


@pytest.fixture
def part(tmp_path):
    found = Part(tmp_path / "work", "x.pth")
    found.path.parent.mkdir()
    return found


def test_a_part_has_bytes_only_with_a_note(part):
    assert (part.size, part.origin) == (0, None)
    origin = Origin("u", '"e"', "date", 4)
    part.begin(origin)
    with part.append() as file:
        file.write(b"1234")
    assert (part.size, part.origin) == (4, origin)
    part.begin(Origin("v"))
    assert (part.size, part.origin) == (0, Origin("v"))
    part.discard()
    assert list(part.path.parent.iterdir()) == []


def test_a_finished_part_has_the_name_and_nothing_is_left(part, tmp_path):
    part.begin(Origin("u"))
    part.path.write_bytes(b"right")
    (tmp_path / "x.pth").write_bytes(b"wrong")
    part.finish(tmp_path / "x.pth", "not the published file")
    assert (tmp_path / "x.pth").read_bytes() == b"right"
    assert part.rejected.read_bytes() == b"wrong"
    assert part.rejected.with_name("x.pth.txt").read_text() == "not the published file\n"
    assert [p.name for p in part.path.parent.iterdir()] == ["rejected"]


@pytest.mark.parametrize(
    ("origin", "validator"),
    [
        (Origin("u", '"e"', "date"), '"e"'),
        (Origin("u", 'W/"e"', "date"), "date"),
        (Origin("u", 'W/"e"'), None),
        (Origin("u"), None),
    ],
)
def test_the_validator_of_a_conditional_request(origin, validator):
    assert origin.validator == validator


def test_a_link_in_place_of_a_part_is_replaced(server, cache, tmp_path):
    """Its target is neither continued nor written to."""
    other = tmp_path / "other"
    other.write_bytes(CONTENT[:100])
    part = Part(cache / ".vanbench", NAME)
    part.path.parent.mkdir(parents=True)
    url = server.put(f"/{NAME}", CONTENT)
    part.begin(Origin(url, '"right"', length=len(CONTENT)))
    part.path.symlink_to(other)
    fetched = fetch(Wanted(NAME, (url,)), cache)
    assert fetched.path.read_bytes() == CONTENT
    assert not fetched.path.is_symlink()
    assert other.read_bytes() == CONTENT[:100]


@pytest.mark.skipif(os.name != "posix", reason="has no named pipes in folders")
@pytest.mark.parametrize("suffix", [".part", ".part.json", ".part.tmp", ".lock"])
def test_a_named_pipe_in_place_of_a_work_file(server, cache, suffix):
    """It is replaced, or serves as a lock; nothing waits for its other end."""
    (cache / ".vanbench").mkdir(parents=True)
    os.mkfifo(cache / ".vanbench" / f"{NAME}{suffix}")
    url = server.put(f"/{NAME}", CONTENT)
    assert fetch(Wanted(NAME, (url,)), cache).path.read_bytes() == CONTENT


@pytest.mark.parametrize("suffix", [".part", ".part.json", ".lock"])
def test_a_folder_in_place_of_a_work_file(server, cache, suffix):
    (cache / ".vanbench" / f"{NAME}{suffix}").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"choose another folder|Choose another folder"):
        fetch(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)


@pytest.mark.skipif(os.name != "posix", reason="has no named pipes in folders")
def test_a_named_pipe_in_place_of_the_reason_of_a_rejected_file(part, tmp_path):
    part.rejected.parent.mkdir()
    os.mkfifo(part.rejected.with_name("x.pth.txt"))
    part.begin(Origin("u"))
    part.path.write_bytes(b"wrong")
    part.set_aside("not the published file: \udcff")
    assert part.rejected.with_name("x.pth.txt").read_text() == "not the published file: \\udcff\n"


@pytest.mark.parametrize("validator", ["é", '"' + "e" * 5000 + '"'])
def test_a_validator_that_cannot_be_sent_back(validator):
    assert Origin("u", validator).validator is None
