"""The cache of crops: what it depends on, interruptions, several processes, and full disks."""

import errno
import json
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import tempfile
import time
from collections import namedtuple
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.data.test_crop_files import crop, sha256
from tests.evaluation.test_run_key import digest
from vanbench.data.decoder_check import check_decoder
from vanbench.data.pixel_cache import NOT_PIXELS, PIXELS_VERSION, open_pixel_cache
from vanbench.data.summary import PixelDifference
from vanbench.errors import VanbenchError
from vanbench.zoo.entries import EvaluationProtocol

CODE_OF_VERSION = {1: "14c0af3664451bb8f2a2e6fa657ce06db3a35e527ca58eb1a21a23deeede5328"}
"""PIXELS_VERSION → SHA-256 over the code from an encoded image to its crop.

Where this fails, decide: can the change move a pixel, however little? Then raise PIXELS_VERSION in
vanbench/data/pixel_cache.py and add a line here. If not, put the new SHA-256 into the last line.
"""

SIDE = 5
PROTOCOL = EvaluationProtocol(resize_short_edge=6, center_crop=SIDE)
DECODER = check_decoder()
IMAGES = [sha256(number) for number in range(20)]
FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
forks = pytest.mark.skipif(FORK is None, reason="processes are not forked here")


def test_the_version_stands_for_the_code_that_can_change_pixels():
    assert list(CODE_OF_VERSION) == list(range(1, PIXELS_VERSION + 1))
    found = digest(("data/decode.py", "data/preprocess.py"))
    assert CODE_OF_VERSION[PIXELS_VERSION] == found, "see CODE_OF_VERSION in this file"


@pytest.fixture
def notes():
    return []


@pytest.fixture
def open_cache(tmp_path, notes):
    def open_it(images=IMAGES, protocol=PROTOCOL, decoder=DECODER, folder=tmp_path / "cache"):
        cache = open_pixel_cache(folder, images, protocol, decoder, notes.append)
        cache.announce(images, notes.append)
        return cache

    return open_it


def fill(cache, numbers=range(20)):
    for number in numbers:
        cache.write(sha256(number), crop(number))
    cache.close()


def intact(cache, numbers=range(20)):
    """The numbers of the images whose crop is there; each is the right one."""
    found = {n: cache.read(sha256(n)) for n in numbers}
    assert all(pixels.equal(crop(n)) for n, pixels in found.items() if pixels is not None)
    return [n for n, pixels in found.items() if pixels is not None]


def files_of(tmp_path):
    return sorted((tmp_path / "cache").glob("*/*.crops"))


def test_what_was_written_is_there_the_next_time(open_cache, notes, tmp_path):
    first = open_cache()
    assert intact(first) == []
    fill(first)
    second = open_cache()
    assert intact(second) == list(range(20))
    assert all(image in second for image in IMAGES)
    assert notes == [
        f"Decoded images are kept in {tmp_path / 'cache'}: 0 of 20 are there, the rest takes 10.8 "
        "kB."
    ]


def test_only_what_is_missing_is_announced(open_cache, notes, tmp_path):
    fill(open_cache(IMAGES[:15]), range(15))
    cache = open_cache()
    assert notes[1] == (
        f"Decoded images are kept in {tmp_path / 'cache'}: 15 of 20 are there, the rest takes 9.72 "
        "kB."
    )
    assert [image in cache for image in IMAGES] == [True] * 15 + [False] * 5


def test_only_images_that_are_about_to_be_decoded_are_announced(open_cache, notes):
    cache = open_cache([])
    cache.announce([], notes.append)
    assert not notes
    cache.announce(IMAGES[:2] * 2, notes.append)
    assert "0 of 2 are there" in notes[0]


def test_the_order_of_the_images_and_other_images_do_not_matter(open_cache):
    fill(open_cache())
    assert intact(open_cache(IMAGES[::-2]), range(19, -1, -2)) == list(range(19, -1, -2))


def test_an_image_is_stored_once(open_cache, tmp_path):
    cache = open_cache()
    fill(cache, [3, 3, 3])
    (path,) = files_of(tmp_path)
    assert path.stat().st_size < 128 + 36 * 256 + 2 * 75


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": replace(PROTOCOL, exif_orientation=False)},
        {"protocol": replace(PROTOCOL, resize_short_edge=7)},
        {"protocol": replace(PROTOCOL, interpolation="bilinear")},
        {"decoder": replace(DECODER, libraries={"Pillow": "0.1"})},
        {"decoder": replace(DECODER, differences={"jpeg-420": PixelDifference(9, 1, 1)})},
    ],
    ids=str,
)
def test_whatever_can_change_a_pixel_makes_another_cache(open_cache, changed):
    fill(open_cache())
    assert intact(open_cache(**changed)) == []
    assert intact(open_cache()) == list(range(20))


def test_another_crop_makes_another_cache(open_cache, tmp_path):
    fill(open_cache())
    assert open_cache(protocol=replace(PROTOCOL, center_crop=6)).read(IMAGES[0]) is None
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_another_version_of_the_code_makes_another_cache(open_cache, monkeypatch):
    fill(open_cache())
    monkeypatch.setattr("vanbench.data.pixel_cache.PIXELS_VERSION", PIXELS_VERSION + 1)
    assert intact(open_cache()) == []


def test_mean_std_and_classes_do_not(open_cache):
    fill(open_cache())
    other = replace(PROTOCOL, mean=(1.0,) * 3, std=(2.0,) * 3, classes=("p", "q"))
    assert intact(open_cache(protocol=other)) == list(range(20))
    assert set(NOT_PIXELS) < {field.name for field in fields(EvaluationProtocol)}


def test_crops_of_another_decoder_are_pointed_out(open_cache, notes, tmp_path):
    open_cache(decoder=replace(DECODER, libraries={"Pillow": "0.1"}))
    (other,) = (tmp_path / "cache").iterdir()
    open_cache(protocol=replace(PROTOCOL, resize_short_edge=9))
    del notes[:]
    open_cache()
    assert notes[1:] == [
        f"{other} is of another decoder or version and is not used. Delete it if no other machine "
        "needs it."
    ]
    (other / "about.json").write_text("[[")
    del notes[:]
    open_cache()
    assert len(notes) == 1


def test_a_folder_says_what_is_in_it(open_cache, tmp_path):
    open_cache()
    (about,) = (tmp_path / "cache").glob("*/about.json")
    content = json.loads(about.read_text())
    assert content["protocol"]["center_crop"] == SIDE
    assert content["decoder"]["libraries"] == DECODER.libraries


@pytest.mark.parametrize("place", [128, 128 + 33, -1], ids=["hash", "checksum", "pixels"])
def test_a_damaged_crop_is_written_again(open_cache, tmp_path, place):
    fill(open_cache(), [4])
    (path,) = files_of(tmp_path)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    cache = open_cache()
    assert cache.read(IMAGES[4]) is None
    fill(cache, [4])
    assert intact(open_cache(), [4]) == [4]


def test_a_file_that_is_cut_off_keeps_the_crops_before(open_cache, tmp_path):
    fill(open_cache())
    (path,) = files_of(tmp_path)
    os.truncate(path, path.stat().st_size - 80)
    cache = open_cache()
    assert intact(cache) == list(range(18))
    fill(cache, [18, 19])
    assert intact(open_cache()) == list(range(20))


def test_a_file_that_is_cut_off_while_it_is_used(open_cache, tmp_path):
    fill(open_cache())
    cache = open_cache()
    worker = pickle.dumps(cache)
    assert intact(cache, [0]) == [0]
    (path,) = files_of(tmp_path)
    os.truncate(path, path.stat().st_size - 80)
    assert intact(pickle.loads(worker)) == list(range(18))
    os.truncate(path, 5_000)
    assert intact(pickle.loads(worker)) == []
    assert len(intact(cache)) < 20


def test_a_foreign_file_is_left_out_and_named(open_cache, notes, tmp_path):
    fill(open_cache())
    (path,) = files_of(tmp_path)
    foreign = path.with_name("0.crops")
    foreign.write_text("my notes")
    del notes[:]
    assert intact(open_cache()) == list(range(20))
    assert notes == [
        f"{foreign} is not used (expected crops of this protocol and decoder, found other "
        "content). Delete it."
    ]
    assert foreign.read_text() == "my notes"


def test_a_damaged_first_line_is_named_and_its_crops_are_written_again(open_cache, notes, tmp_path):
    fill(open_cache())
    (path,) = files_of(tmp_path)
    path.write_bytes(b"?" + path.read_bytes()[1:])
    cache = open_cache()
    assert str(path) in notes[-2]
    assert intact(cache) == []
    fill(cache)
    assert intact(open_cache()) == list(range(20))


def test_a_full_disk_is_said_before(open_cache, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9, 9, 10_000))
    with pytest.raises(VanbenchError) as caught:
        open_cache()
    assert str(caught.value) == (
        f"{tmp_path / 'cache'}: expected 10.8 kB of free disk space for 20 decoded images, found "
        "10.0 kB. Free disk space. Choose another folder with --cache-images, or run without it."
    )
    open_cache(IMAGES[:8])


def test_nothing_needs_space_where_nothing_is_missing(open_cache, monkeypatch):
    fill(open_cache())
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9, 9, 0))
    assert intact(open_cache()) == list(range(20))


def test_a_file_in_place_of_the_folder(open_cache, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VanbenchError, match="the folder for decoded images cannot be made: "):
        open_cache(folder=tmp_path / "file")


def test_a_folder_that_disappears_in_the_middle(open_cache, tmp_path):
    fill(open_cache())
    cache = open_cache()
    shutil.rmtree(tmp_path / "cache")
    assert intact(cache) == []
    cache.write("ab" * 32, crop(1))
    assert cache.failure == os.strerror(errno.ENOENT)
    cache.write("cd" * 32, crop(1))
    assert not (tmp_path / "cache").exists()


def test_a_copy_for_another_process_opens_its_own_files(open_cache, tmp_path):
    fill(open_cache())
    cache = open_cache()
    assert intact(cache) == list(range(20))
    copy = pickle.loads(pickle.dumps(cache))
    assert intact(copy) == intact(cache)
    for one, number in ((cache, 30), (copy, 31)):
        one.write(sha256(number), crop(number))
    assert len(files_of(tmp_path)) == 3


def in_child(act):
    """Run ``act`` in a forked process, and return its exit code."""
    process = FORK.Process(target=act)
    process.start()
    process.join()
    return process.exitcode


@forks
def test_a_forked_process_does_not_move_the_positions_of_its_parent(open_cache, tmp_path):
    fill(open_cache())
    cache = open_cache([*IMAGES, sha256(30), sha256(31)])
    cache.write(sha256(30), crop(30))
    assert intact(cache) == list(range(20))

    def child():
        assert intact(cache) == list(range(20))
        cache.write(sha256(31), crop(31))

    assert in_child(child) == 0
    cache.write(sha256(32), crop(32))
    numbers = [*range(20), 30, 31, 32]
    assert intact(open_cache([sha256(n) for n in numbers]), numbers) == numbers


@forks
def test_two_processes_at_once(open_cache):
    both = FORK.Barrier(2)

    def child():
        cache = open_cache()
        both.wait()
        fill(cache)

    processes = [FORK.Process(target=child) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert intact(open_cache()) == list(range(20))


@forks
def test_processes_that_are_killed_leave_the_crops_that_they_have_written(open_cache):
    rng, done = random.Random(7), 0
    numbers = range(2_000)
    images = [sha256(number) for number in numbers]
    for _ in range(6):
        started = FORK.Event()

        def child(started=started):
            cache = open_cache(images)
            started.set()
            for number in numbers:
                if cache.read(images[number]) is None:
                    cache.write(images[number], crop(number))
                    time.sleep(0.0002)

        process = FORK.Process(target=child)
        process.start()
        assert started.wait(20)
        time.sleep(rng.uniform(0, 0.04))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        found = intact(open_cache(images), numbers)
        assert found == list(range(len(found)))
        assert len(found) >= done
        done = len(found)
    assert 0 < done < 2_000
    fill(open_cache(images), range(done, 2_000))
    assert intact(open_cache(images), numbers) == list(numbers)


@forks
def test_a_disk_that_becomes_full_ends_the_writing_and_loses_nothing(open_cache):
    import resource

    def child():
        cache = open_cache()
        most = 128 + 36 * 256 + 75 * 6 + 20
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        fill(cache)
        assert cache.failure == os.strerror(errno.EFBIG)

    assert in_child(child) == 0
    cache = open_cache()
    assert intact(cache) == list(range(6))
    fill(cache, range(6, 20))
    assert intact(open_cache()) == list(range(20))


@pytest.fixture
def everyones():
    """A folder that other users may read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "cache"


def set_modes(folder, mode):
    for path in (folder, *folder.iterdir()):
        path.chmod(mode)


@forks
@pytest.mark.parametrize("stored", [12, 0])
def test_a_folder_that_cannot_be_written_is_used_as_it_is(open_cache, everyones, stored):
    fill(open_cache(folder=everyones), range(stored))
    set_modes(everyones, 0o555)

    def child():
        if os.geteuid() == 0:  # root may write everywhere
            os.setgid(65534)
            os.setuid(65534)
        notes = []
        cache = open_pixel_cache(everyones, IMAGES, PROTOCOL, DECODER, notes.append)
        cache.announce(IMAGES, notes.append)
        assert intact(cache) == list(range(stored))
        fill(cache)
        assert not cache.failure
        assert notes == [
            f"{everyones} cannot be written (Permission denied): the {stored} decoded images in it "
            f"are used, the other {20 - stored} are decoded in every run."
        ]

    before = sorted(everyones.rglob("*"))
    assert in_child(child) == 0
    set_modes(everyones, 0o755)
    assert sorted(everyones.rglob("*")) == before
