"""The files of zoo entries: the published hash, the recorded one, and failures beside successes."""

from pathlib import Path

import pytest

from tests.support.downloads import CONTENT, NAME, SHA256
from vanbench.download.obtain import Sources, obtain, obtain_all, plausible_bytes, wanted_file
from vanbench.errors import FetchError, MismatchError, MissingError
from vanbench.model.architecture import ARCHITECTURES
from vanbench.report.records import FileRecord, Record
from vanbench.zoo.reader import load_zoo

ZOO = """
schema = 1
name = "mine"
title = "Mine"
source = "here"
"""
ENTRY = """
[models."{name}"]
architecture = "van_b0"
url = "{url}"
"""


@pytest.fixture
def zoo(tmp_path, server):
    """One model whose file the server has, and one whose file it has not."""
    url = server.put(f"/{NAME}", CONTENT)
    path = tmp_path / "zoo.toml"
    gone = server.url + "/gone-00000000.pth"
    path.write_text(
        ZOO + ENTRY.format(name="gone.x", url=gone) + ENTRY.format(name="there.x", url=url)
    )
    return load_zoo(str(path))


def record(sha256, status="verified"):
    file = FileRecord(url="u", file=NAME, status=status, date="2026-01-01", sha256=sha256)
    return Record("mine", "there.x", checkpoint=file)


def test_a_failure_does_not_stop_the_others(zoo, cache, tmp_path):
    gone, there = obtain_all(zoo, zoo.entries, Sources(cache), tmp_path / "results")
    assert isinstance(gone.error, MissingError)
    assert gone.as_json()["checkpoint"]["status"] == "missing"
    assert "404" in gone.as_json()["checkpoint"]["reason"]
    assert there.error is None
    assert there.as_json() == {
        "name": "there.x",
        "checkpoint": {
            "url": zoo.entries[1].urls[0],
            "path": str(cache / NAME),
            "bytes": len(CONTENT),
            "sha256": SHA256,
            "status": "verified",
            "reason": None,
        },
        "error": None,
    }


def test_a_recorded_hash_counts(zoo, cache):
    entry, other = zoo.entries[1], SHA256[:8] + "0" * 56
    assert obtain(entry, Sources(cache), record(SHA256)).sha256 == SHA256
    with pytest.raises(MismatchError, match="an earlier verified run recorded another file"):
        obtain(entry, Sources(cache), record(other))


@pytest.mark.parametrize("status", ["unverifiable", "mismatch", "unreachable"])
def test_only_the_hash_of_a_verified_file_counts(zoo, status):
    assert wanted_file(zoo.entries[1], record("0" * 64, status)).recorded is None
    assert wanted_file(zoo.entries[1], record("0" * 64)).recorded == "0" * 64
    assert wanted_file(zoo.entries[1]).recorded is None


def test_the_folders_of_this_machine():
    mirrors = ("https://host/x", "/mnt/weights", "file:///a%20b", "~/weights")
    assert Sources(Path("/cache"), mirrors).folders == ("/cache", *mirrors[1:])


def test_a_file_has_a_plausible_size(zoo):
    """That of the smallest network does not matter; the largest has 200 million parameters."""
    assert wanted_file(zoo.entries[0]).most == 256 << 20
    assert 6e9 < plausible_bytes(ARCHITECTURES["van_b6"]) < 7e9


def test_a_file_larger_than_any_of_its_architecture_is_refused_at_once(tmp_path, server, cache):
    url = server.put("/large.pth", CONTENT, ["claims_a_gigabyte"])
    path = tmp_path / "zoo.toml"
    path.write_text(ZOO + ENTRY.format(name="large.x", url=url))
    with pytest.raises(FetchError, match="more than the 268435456 that such a checkpoint may have"):
        obtain(load_zoo(str(path)).entries[0], Sources(cache))
    assert len(server.requests) == 1
