"""Fetching: the cache, sources, mirrors, offline."""

import os
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tests.support.downloads import CONTENT, NAME, SHA256, failure
from vanbench.download.cache import default_cache, fetch, in_cache, locked
from vanbench.download.wanted import Wanted
from vanbench.errors import MismatchError, MissingError, StorageError, UnreadableError

OTHER = "weights-00000000.pth"


@pytest.mark.parametrize("home", [None, "/x/torch", "~/torch"])
@pytest.mark.parametrize("xdg", [None, "/x/cache", "~/cache"])
def test_the_cache_is_the_one_of_torch_hub(monkeypatch, home, xdg):
    for name, value in (("TORCH_HOME", home), ("XDG_CACHE_HOME", xdg)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    assert str(default_cache()) == os.path.join(torch.hub.get_dir(), "checkpoints")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\\b", "a\nb"])
def test_a_name_that_is_no_plain_file_name_is_refused(cache, name):
    assert isinstance(failure(Wanted(name, ("http://127.0.0.1:1/",)), cache), MissingError)
    assert not cache.exists()


def test_fetched_once_then_found_in_the_cache(server, cache):
    url = server.put(f"/{NAME}", CONTENT)
    first = fetch(Wanted(NAME, (url,)), cache)
    again = fetch(Wanted(NAME, (url,)), cache)

    assert first.path == cache / NAME
    assert first.path.read_bytes() == CONTENT
    assert (first.bytes, first.sha256, first.url) == (len(CONTENT), SHA256, url)
    assert first.status == again.status == "verified"
    assert again.url is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8], SHA256[:20], SHA256.upper()])
def test_a_published_hash_may_be_complete_or_a_prefix(server, cache, sha256):
    url = server.put("/weights.pth", CONTENT)
    assert fetch(Wanted("weights.pth", (url,), sha256), cache).status == "verified"


def test_without_a_published_hash_a_file_is_unverifiable(server, cache):
    url = server.put("/weights.pth", CONTENT)
    assert fetch(Wanted("weights.pth", (url,)), cache).status == "unverifiable"
    again = fetch(Wanted("weights.pth", (url,)), cache, offline=True)
    assert (again.status, again.url) == ("unverifiable", None)


def test_progress_ends_at_the_length(server, cache):
    seen: dict[str, list[tuple[int, int]]] = {}

    def note(done, total, text=""):
        seen.setdefault(text, []).append((done, total))

    url = server.put(f"/{NAME}", CONTENT, ["in_pieces"])
    fetch(Wanted(NAME, (url,)), cache, progress=note)
    assert list(seen) == ["", "checking the hash"]
    for amounts in seen.values():
        assert amounts[-1] == (len(CONTENT), len(CONTENT))
        assert [done for done, _ in amounts] == sorted({done for done, _ in amounts})


def test_a_wrong_file_in_the_cache_is_replaced_and_kept_aside(server, cache):
    cache.mkdir()
    (cache / NAME).write_bytes(b"wrong")
    fetched = fetch(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)

    assert fetched.path.read_bytes() == CONTENT
    rejected = cache / ".vanbench" / "rejected" / NAME
    assert rejected.read_bytes() == b"wrong"
    assert "expected a file with the published SHA-256" in Path(f"{rejected}.txt").read_text()


def test_a_wrong_file_in_the_cache_stays_where_no_source_has_the_right_one(cache):
    cache.mkdir()
    (cache / NAME).write_bytes(b"wrong")
    for options in ({"offline": True}, {}):
        error = failure(Wanted(NAME, ("http://127.0.0.1:1/x",)), cache, **options)
        assert isinstance(error, MismatchError)
        assert str(cache / NAME) in str(error)
        assert (cache / NAME).read_bytes() == b"wrong"


def test_another_file_than_the_recorded_one_is_a_mismatch(server, cache):
    url = server.put(f"/{NAME}", CONTENT)
    recorded = SHA256[:8] + "0" * 56
    error = failure(Wanted(NAME, (url,), recorded=recorded), cache)
    assert isinstance(error, MismatchError)
    assert f"an earlier verified run recorded another file; expected SHA-256 {recorded}" in str(
        error
    )
    assert fetch(Wanted(NAME, (url,), recorded=SHA256), cache).status == "verified"


def test_sources_are_tried_in_order_mirrors_first(server, cache):
    mirror = server.put(f"/mirror/{NAME}", CONTENT, ["not_found"]).rpartition("/")[0]
    first = server.put(f"/first/{NAME}", CONTENT, ["forbidden"])
    second = server.put(f"/second/{NAME}", CONTENT)
    fetched = fetch(Wanted(NAME, (first, second)), cache, mirrors=[mirror + "/"])
    assert fetched.url == second
    assert [r.path.split("/")[1] for r in server.requests] == ["mirror", "first", "second"]


@pytest.mark.parametrize("form", ["path", "file URL"])
@pytest.mark.parametrize("offline", [True, False])
def test_a_folder_as_mirror(tmp_path, cache, form, offline):
    folder = tmp_path / "own files"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    mirror = str(folder) if form == "path" else folder.as_uri()
    fetched = fetch(Wanted(NAME, ()), cache, mirrors=[mirror], offline=offline)
    assert fetched.status == "verified"
    assert fetched.path.read_bytes() == CONTENT


def test_offline_asks_no_server(server, cache):
    url = server.put(f"/{NAME}", CONTENT)
    error = failure(Wanted(NAME, (url,)), cache, offline=True)
    assert isinstance(error, MissingError)
    assert error.status == "missing"
    assert "vanbench import DIR" in str(error)
    assert not server.requests


def test_every_source_is_in_the_message_with_the_remedy(server, cache):
    urls = (server.put("/a", CONTENT, ["not_found"]), "http://127.0.0.1:1/b", "file:///no/c")
    error = failure(Wanted(NAME, urls), cache)
    assert error.kinds == ("absent", "refused", "absent")
    refused = "127.0.0.1:1 refused the connection"
    assert error.cause == f"HTTP status 404; {refused}; no such file"
    assert error.status == "unreachable"
    for text in (*urls, "404", "refused the connection", "no such file", "--mirror", "import DIR"):
        assert text in str(error)


def test_a_file_that_no_source_has_is_missing(server, cache):
    error = failure(Wanted(NAME, (server.put("/a", b"", ["gone"]), "/no/such/file")), cache)
    assert (error.status, error.kinds) == ("missing", ("absent", "absent"))


def test_the_cause_has_equal_reasons_once(server, cache):
    urls = [server.put(path, b"", ["forbidden"]) for path in ("/a", "/b")]
    error = failure(Wanted(NAME, tuple(urls)), cache)
    assert error.kinds == ("status", "status")
    assert error.cause == "HTTP status 403"


def test_a_mismatch_gives_both_hashes_and_what_was_received(server, cache):
    url = server.put(f"/{OTHER}", CONTENT)
    error = failure(Wanted(OTHER, (url,)), cache)
    assert error.status == "mismatch"
    assert error.cause == f"hash mismatch: expected 00000000…, got {SHA256[:8]}…"
    rejected = cache / ".vanbench" / "rejected" / OTHER
    kept = f"kept in the cache as .vanbench/rejected/{OTHER}"
    for text in (url, "00000000", SHA256, f"{len(CONTENT)} bytes", "the bytes b'", kept):
        assert text in str(error)
    assert rejected.read_bytes() == CONTENT
    assert len(server.requests) == 2  # once more from zero


def test_a_cache_below_a_file(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), tmp_path / "file" / "cache")
    assert isinstance(error, StorageError)
    assert not server.requests


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache(server, cache):
    cache.mkdir(mode=0o500)
    error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache)
    assert isinstance(error, StorageError)
    assert "not permitted" in str(error)


def test_the_right_file_in_a_read_only_cache_needs_no_lock(cache):
    cache.mkdir()
    (cache / NAME).write_bytes(CONTENT)
    assert fetch(Wanted(NAME, ()), cache).status == "verified"
    assert [path.name for path in cache.iterdir()] == [NAME]


def test_the_query_of_a_mirror_is_kept(server, cache):
    server.put(f"/mirror/{NAME}?key=1", CONTENT)
    fetched = fetch(Wanted(NAME, ()), cache, mirrors=[f"{server.url}/mirror/?key=1"])
    assert fetched.status == "verified"
    assert server.requests[0].path == f"/mirror/{NAME}?key=1"


@pytest.mark.parametrize("kind", ["folder", "server"])
def test_a_percent_encoded_name(server, cache, tmp_path, kind):
    """The URL has it encoded; a folder has it as text."""
    name = f"my%20weights-{SHA256[:8]}.pth"
    (tmp_path / name.replace("%20", " ")).write_bytes(CONTENT)
    server.put(f"/mirror/{name}", CONTENT)
    mirror = {"folder": str(tmp_path), "server": f"{server.url}/mirror"}[kind]
    fetched = fetch(Wanted(name, (f"http://127.0.0.1:1/{name}",)), cache, mirrors=[mirror])
    assert fetched.path.read_bytes() == CONTENT


def test_an_encoded_name_does_not_lead_out_of_a_mirror(cache, tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "secret.pth").write_bytes(CONTENT)
    wanted = Wanted("..%2Fsecret.pth", (), SHA256)
    assert failure(wanted, cache, mirrors=[str(tmp_path / "mirror")]).status == "missing"


def test_a_copy_of_a_cache_is_a_mirror(server, cache, tmp_path):
    """Also for files without a hash in their name, or without any."""
    wanted = [
        Wanted("model.pth", (server.put(f"/{folder}/model.pth", CONTENT),), sha256, shares_filename=True)
        for folder, sha256 in (("a", SHA256), ("b", None))
    ]  # fmt: skip
    for w in wanted:
        fetch(w, cache)
    for w in wanted:
        again = fetch(w, tmp_path / "new", mirrors=[str(cache)], offline=True)
        assert again.path.read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_a_mirror_is_not_asked_for_a_name_that_two_files_have(server, cache):
    """Unless a hash tells them apart."""
    other = server.put("/mirror/model.pth", b"\x80 other").rpartition("/")[0]
    url = server.put("/a/model.pth", CONTENT)
    for sha256 in (None, SHA256):
        wanted = Wanted("model.pth", (url,), sha256, shares_filename=True)
        fetched = fetch(wanted, cache, mirrors=[other])
        assert fetched.path.read_bytes() == CONTENT
    asked = [r.path for r in server.requests]
    assert asked[0].startswith("/mirror/model_url")
    assert "/mirror/model.pth" in asked[1:]


def test_a_file_of_torch_hub_is_found_by_its_hash_and_left_as_it_is(cache):
    cache.mkdir()
    (cache / "model.pth").write_bytes(CONTENT)
    for sha256 in (SHA256, SHA256[:8]):
        wanted = Wanted("model.pth", ("http://127.0.0.1:1/model.pth",), sha256)
        assert in_cache(wanted, cache)
        fetched = fetch(wanted, cache, offline=True)
        assert (fetched.status, fetched.path) == ("verified", cache / "model.pth")
    assert [path.name for path in cache.iterdir()] == ["model.pth"]


@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_another_file_under_the_plain_name_is_no_mismatch(server, cache, sha256):
    cache.mkdir()
    (cache / "model.pth").write_bytes(CONTENT)
    gone = server.put("/model.pth", b"", ["gone"])
    wanted = Wanted("model.pth", (gone,), sha256)
    assert not in_cache(wanted, cache)
    assert failure(wanted, cache, offline=True).status == "missing"
    error = failure(wanted, cache)
    assert error.kinds == ("absent",)
    assert ("nothing shows that it is this file" in str(error)) is (sha256 is None)
    assert (cache / "model.pth").read_bytes() == CONTENT


def test_a_wait_for_another_process_is_reported(server, cache):
    notes = []
    url = server.put(f"/{NAME}", CONTENT)

    def note(done, total, text=""):
        if text.startswith("waiting"):
            notes.append(text)
            lock.release()

    (cache / ".vanbench").mkdir(parents=True)
    lock = FileLock(cache / ".vanbench" / f"{NAME}.lock")
    lock.acquire()
    assert fetch(Wanted(NAME, (url,)), cache, progress=note).status == "verified"
    assert notes == [f"waiting for another process, which has locked {lock.lock_file}"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o775, 0o777])
def test_locks_and_their_folder_have_the_permissions_of_the_cache(cache, mode):
    cache.mkdir()
    cache.chmod(mode)
    with locked(cache, NAME):
        pass
    work = cache / ".vanbench"
    assert work.stat().st_mode & 0o777 == mode
    assert (work / f"{NAME}.lock").stat().st_mode & 0o777 == mode & 0o666


def _named_pipe(path: Path) -> None:
    os.mkfifo(path)


def _looping_link(path: Path) -> None:
    path.symlink_to(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(os.name != "posix", reason="has no such things in folders")
@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_named_pipe, "expected a file, found a named pipe"),
        (_looping_link, "a loop of symbolic links"),
        (_device, "expected a file, found a character device"),
        (Path.mkdir, "expected a file, found a folder"),
    ],
)
def test_what_is_not_a_file_is_named_and_not_opened(server, cache, make, words, offline):
    cache.mkdir()
    make(cache / NAME)
    error = failure(Wanted(NAME, (server.put(f"/{NAME}", CONTENT),)), cache, offline=offline)
    assert isinstance(error, UnreadableError)
    assert words in str(error)
    assert str(cache / NAME) in str(error)
    assert not server.requests


@pytest.mark.skipif(os.name != "posix", reason="has no such things in folders")
@pytest.mark.parametrize("make", [_named_pipe, _looping_link, _device, Path.mkdir])
def test_what_is_not_a_file_in_a_mirror(server, cache, tmp_path, make):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    make(mirror / NAME)
    wanted = Wanted(NAME, (server.put(f"/{NAME}", CONTENT, ["gone"]),))
    assert failure(wanted, cache, mirrors=[str(mirror)]).kinds == ("unreadable", "absent")


def test_a_link_to_nothing_is_replaced(server, cache):
    cache.mkdir()
    (cache / NAME).symlink_to(cache / "nothing")
    url = server.put(f"/{NAME}", CONTENT)
    assert fetch(Wanted(NAME, (url,)), cache).path.read_bytes() == CONTENT
    assert not (cache / NAME).is_symlink()
