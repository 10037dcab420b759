"""The size and the MD5 of the published archive, and what they say about files."""

import hashlib
import random
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.layouts.images import ImageSet
from vanbench.data.layouts.official import official_label
from vanbench.data.open import open_images
from vanbench.data.published import (
    PUBLISHED,
    Archive,
    archive_bytes,
    compare_with_archive,
    size_findings,
)

IDS = imagenet_1k()


@pytest.mark.parametrize("seed", range(10))
def test_the_size_of_an_archive_is_that_of_a_tar_with_these_files(seed, tmp_path):
    rng = random.Random(seed)
    sizes = [rng.choice([0, 1, 511, 512, 513, 9000]) for _ in range(rng.randrange(1, 60))]
    path = tmp_path / "x.tar"
    drawing.write_tar(path, [(f"{i}.jpg", bytes(size)) for i, size in enumerate(sizes)])
    assert archive_bytes(sizes) == path.stat().st_size


def test_the_published_size_is_one_that_a_tar_can_have():
    assert PUBLISHED.size % tarfile.RECORDSIZE == 0
    mean = (PUBLISHED.size - 50_000 * 512) // 50_000
    assert 100_000 < mean < 150_000


def test_other_names_are_a_fault_because_only_names_tell_the_classes(few, tmp_path):
    for p in few:
        (tmp_path / p.wnid).mkdir(exist_ok=True)
        (tmp_path / p.wnid / f"x{p.name}").write_bytes(p.encoded)
    images, sizes = open_images(tmp_path, IDS), [len(p.encoded) for p in few]
    size = archive_bytes(sizes)
    (fault,) = compare_with_archive(Archive(size, ""), images, sizes)
    assert (fault.kind, fault.count, fault.fault) == ("other names", len(few), True)
    assert fault.message.startswith("official counts and size, other names: ")
    (fault,) = compare_with_archive(Archive(size - 10240, ""), images, sizes)
    assert fault.message.startswith("official counts, other files: ")


def test_a_tar_is_the_published_file_by_its_md5(few, tmp_path):
    images = open_images(drawing.original_tar(tmp_path, few), IDS)
    sizes = [len(p.encoded) for p in few]
    content = images.path.read_bytes()
    size, md5 = len(content), hashlib.md5(content).hexdigest()

    def compare(size, md5, sizes=sizes):
        found = compare_with_archive(Archive(size, md5), images, sizes)
        return [(f.kind, f.fault, f.message) for f in found]

    name = images.path.name
    published = ("archive", False, f"{name} is the published file, by its MD5 {md5}")
    assert compare(size, md5) == [published]
    assert compare(size, md5, sizes[1:]) == [published]  # an archive may hold something else
    assert compare(size, "0" * 32) == [
        ("archive", False, f"{name} is not the published file: its MD5 is {md5}, not {'0' * 32}")
    ]
    note, fault = compare(size + 10240, md5)
    assert (
        note[2] == f"{name} is not the published file: it has {size:,} bytes, not {size + 10240:,}"
    )
    assert fault[:2] == ("other files", True)


def test_sizes_are_known_without_reading_where_images_are_files_or_in_a_tar(few, tmp_path):
    sizes = [len(p.encoded) for p in few]
    for name, make in drawing.LAYOUTS.items():
        images = open_images(make(tmp_path / name.replace(" ", "_"), few), IDS)
        assert images.sizes() == (None if name == "Parquet shards" else sizes)


def test_the_sizes_of_fifty_thousand_other_files_are_noticed_without_reading_them():
    @dataclass(frozen=True)
    class Small:
        def read(self, index):
            raise AssertionError("read")

        def position(self, index):
            return index

        def size(self, index):
            return 100

    names = [drawing.official_name(number) for number in range(1, 50_001)]
    labels = [official_label(name) for name in names]
    images = ImageSet("memory", Path("memory"), IDS, names, labels, Small())
    (fault,) = size_findings(images)
    assert (fault.kind, fault.fault) == ("other files", True)
    same = Archive(archive_bytes([100] * 50_000), "")
    assert size_findings(images, same) == []
    assert size_findings(replace(images, class_ids=("cat", "dog"))) == []
