"""The devkit: its ground truth, checked against the labels that are shipped."""

import gzip
import io
import random
import tarfile
from contextlib import suppress

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.layouts.devkit import GROUND_TRUTH, read_devkit
from vanbench.data.layouts.labels import find_devkit
from vanbench.data.open import open_images
from vanbench.errors import DataError

IDS = imagenet_1k()


def test_ground_truth_without_meta_mat_is_mapped_by_official_names(two_of_each, tmp_path):
    drawing.flat(tmp_path, two_of_each)
    (tmp_path / GROUND_TRUTH).write_bytes(drawing.devkit_files()[GROUND_TRUTH])
    images = open_images(tmp_path, IDS)
    assert [IDS[label] for label in images.labels] == [p.wnid for p in two_of_each]


def test_the_numbers_follow_from_the_official_labels(tmp_path):
    drawing.original_tar(tmp_path, [])
    order = read_devkit(tmp_path / "ILSVRC2012_devkit_t12.tar.gz")
    assert [IDS[order[number]] for number in range(1, 1001)] == drawing.devkit_order()


def test_the_class_of_each_number_for_diagnosis(few, tmp_path):
    root = drawing.flat_with_devkit(tmp_path, few)
    found = find_devkit(root / "val")
    assert [found[number] for number in range(1, 1001)] == drawing.devkit_order()
    assert find_devkit(root / "ILSVRC2012_devkit_t12" / "data") is not None


def swap_two_images(lines):
    return [lines[1], lines[0], *lines[2:]]


def swap_a_class_of_one_image(lines):
    return [lines[1], *lines[1:]]


def merge_two_classes(lines):
    return [lines[0] if line == lines[1] else line for line in lines]


@pytest.mark.parametrize(
    "change",
    [
        swap_two_images,
        swap_a_class_of_one_image,
        merge_two_classes,
        lambda lines: lines[:-1],
        lambda lines: [*lines, lines[0]],
        lambda lines: [*lines[:-1], b"n01440764"],
        lambda lines: lines[::-1],
        lambda lines: [],
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_ground_truth_that_contradicts_the_official_labels_is_an_error(
    change, packed, few, tmp_path
):
    lines = drawing.devkit_files()[GROUND_TRUTH].splitlines()
    content = b"".join(line + b"\n" for line in change(lines))
    drawing.flat(tmp_path / "val", few)
    if packed:
        path = tmp_path / "ILSVRC2012_devkit_t12.tar.gz"
        drawing.write_tar(path, [(f"kit/data/{GROUND_TRUTH}", content)], mode="w:gz")
    else:
        path = tmp_path / GROUND_TRUTH
        path.write_bytes(content)
    with pytest.raises(DataError, match="do not agree with the official labels") as caught:
        open_images(tmp_path / "val", IDS)
    assert caught.value.where == path


def test_a_devkit_without_ground_truth_is_an_error(few, tmp_path):
    drawing.flat(tmp_path, few)
    drawing.write_tar(tmp_path / "ILSVRC2012_devkit_t12.tar.gz", [("readme.txt", b"x")], "w:gz")
    with pytest.raises(DataError, match=f"expected a devkit with {GROUND_TRUTH}"):
        open_images(tmp_path, IDS)


def test_a_flipped_byte_in_a_packed_devkit_never_gives_other_labels(few, tmp_path):
    root = drawing.original_tar(tmp_path, few)
    kit = root / "ILSVRC2012_devkit_t12.tar.gz"
    content, wanted = kit.read_bytes(), read_devkit(kit)
    rng = random.Random(1)
    for place in [0, 3, 20, *(rng.randrange(len(content)) for _ in range(10))]:
        kit.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with suppress(DataError):
            assert read_devkit(kit) == wanted


def test_the_devkit_of_imagenet_does_not_fit_other_classes(few, tmp_path):
    root = drawing.flat_with_devkit(tmp_path, few)
    with pytest.raises(DataError, match="997 classes that are not among the 3 of the protocol"):
        open_images(root, IDS[:3])


def packed(*members):
    """A devkit with these (name, content, type of member)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(content), "/etc/passwd"
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


TRUTH = f"kit/data/{GROUND_TRUTH}"
BAD = {
    "bomb": packed(("a", bytes(80 << 20), tarfile.REGTYPE)),
    "truth that is a bomb": packed((TRUTH, bytes(80 << 20), tarfile.REGTYPE)),
    "nested": gzip.compress(packed((TRUTH, b"1\n", tarfile.REGTYPE))),
    "link": packed((TRUTH, b"", tarfile.SYMTYPE)),
    "hard link": packed((TRUTH, b"", tarfile.LNKTYPE)),
    "digits": packed((TRUTH, b"1" * 1_000_000, tarfile.REGTYPE)),
    "cut": packed((TRUTH, random.Random(1).randbytes(5000), tarfile.REGTYPE))[:3000],
    "empty": b"",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_devkit_that_is_none_is_an_error(kind, tmp_path):
    kit = tmp_path / "ILSVRC2012_devkit_t12.tar.gz"
    kit.write_bytes(BAD[kind])
    with pytest.raises(DataError, match="devkit") as caught:
        read_devkit(kit)
    assert caught.value.where == kit
