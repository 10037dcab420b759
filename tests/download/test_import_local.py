"""Importing existing files into the cache."""

import hashlib
import os

import pytest

from vanbench.download.cache import fetch
from vanbench.download.import_local import import_files
from vanbench.download.wanted import Wanted
from vanbench.errors import MissingError

CONTENTS = [b"first" * 100, b"second" * 100]
HASHES = [hashlib.sha256(content).hexdigest() for content in CONTENTS]
WANTED = [Wanted(f"weights-{sha256[:8]}.pth", ()) for sha256 in HASHES]


@pytest.fixture
def folder(tmp_path):
    """Both files under other names, one in a folder below, among others."""
    (tmp_path / "own" / "below").mkdir(parents=True)
    (tmp_path / "own" / "some name.bin").write_bytes(CONTENTS[0])
    (tmp_path / "own" / "below" / "x").write_bytes(CONTENTS[1])
    (tmp_path / "own" / "other").write_bytes(b"something else")
    (tmp_path / "own" / WANTED[0].filename).write_bytes(b"only the name is right")
    return tmp_path / "own"


def test_files_are_recognised_by_hash_whatever_their_names(folder, tmp_path):
    cache = tmp_path / "cache"
    found = import_files(folder, WANTED, cache)
    assert [i.status for i in found] == ["linked", "linked"]
    assert [i.source for i in found] == [folder / "some name.bin", folder / "below" / "x"]
    for wanted, content in zip(WANTED, CONTENTS, strict=True):
        assert fetch(wanted, cache, offline=True).path.read_bytes() == content
    assert os.path.samefile(cache / WANTED[0].filename, folder / "some name.bin")


def test_a_second_import_finds_them_present(folder, tmp_path):
    import_files(folder, WANTED, tmp_path / "cache")
    again = import_files(folder, WANTED, tmp_path / "cache")
    assert [i.status for i in again] == ["present", "present"]


def test_where_links_are_not_possible_files_are_copied(folder, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    cache = tmp_path / "cache"
    assert [i.status for i in import_files(folder, WANTED, cache)] == ["copied", "copied"]
    assert fetch(WANTED[0], cache, offline=True).status == "verified"


def test_a_wrong_file_under_the_name_is_set_aside(folder, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / WANTED[0].filename).write_bytes(b"wrong")
    import_files(folder, WANTED, cache)
    assert (cache / WANTED[0].filename).read_bytes() == CONTENTS[0]
    assert (cache / ".vanbench" / "rejected" / WANTED[0].filename).read_bytes() == b"wrong"


def test_what_is_not_there_or_cannot_be_recognised(folder, tmp_path):
    wanted = [Wanted("weights-00000000.pth", ()), Wanted("weights.pth", ())]
    found = import_files(folder, wanted, tmp_path / "cache")
    assert [i.status for i in found] == ["missing", "unverifiable"]
    assert [i.path for i in found] == [None, None]


def test_a_file_other_than_the_recorded_one_is_not_it(folder, tmp_path):
    wanted = Wanted(WANTED[0].filename, (), recorded=HASHES[0][:8] + "0" * 56)
    assert import_files(folder, [wanted], tmp_path / "cache")[0].status == "missing"


def test_files_of_one_name_get_names_of_their_own(folder, tmp_path):
    wanted = [Wanted("model.pth", (), sha256) for sha256 in HASHES]
    cache = tmp_path / "cache"
    found = import_files(folder, wanted, cache)
    assert [i.path for i in found] == [cache / f"model-{sha256[:16]}.pth" for sha256 in HASHES]
    assert [i.path.read_bytes() for i in found] == CONTENTS


def test_a_file_that_torch_hub_saved_under_the_plain_name_is_present(folder, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "model.pth").write_bytes(CONTENTS[1])
    first, second = import_files(folder, [Wanted("model.pth", (), h) for h in HASHES], cache)
    assert (first.status, second.status) == ("linked", "present")
    assert second.path == cache / "model.pth"


def test_no_folder(tmp_path):
    with pytest.raises(MissingError, match="expected a folder"):
        import_files(tmp_path / "none", WANTED, tmp_path / "cache")
