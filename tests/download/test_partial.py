"""The bytes of an unfinished download and the note on where they are from."""

import pytest

from tests.support.downloads import CONTENT, NAME
from vanbench.download.cache import fetch
from vanbench.download.partial import Origin, Part
from vanbench.download.wanted import Wanted


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
