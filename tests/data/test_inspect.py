"""Each fault that copies of ImageNet have is found and named; the fingerprint is one of content."""

import hashlib
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.inspect import data_verdict, inspect, refuse_broken
from vanbench.data.layouts.images import ImageSet
from vanbench.data.layouts.official import official_label
from vanbench.data.open import open_images
from vanbench.data.published import PUBLISHED, Archive, archive_bytes, compare_with_archive
from vanbench.errors import DataError
from vanbench.zoo.class_ids import VALIDATION_IMAGES
from vanbench.zoo.entries import EvaluationProtocol

IDS = imagenet_1k()
SOME = IDS[:4]


@pytest.fixture(scope="module")
def few():
    return drawing.pictures(per_class=3, classes=SOME)


@pytest.fixture
def folders(few, tmp_path):
    return drawing.class_folders(tmp_path / "val", few)


def report(path, **options):
    return inspect(open_images(path, IDS), **options)


def kinds(found):
    return {problem.kind: problem.count for problem in found.faults}


def test_the_fingerprint_is_the_same_in_every_layout(few, tmp_path):
    found = {
        report(make(tmp_path / str(i), few)).fingerprint
        for i, make in enumerate(drawing.LAYOUTS.values())
    }
    lines = sorted(f"{p.wnid} {hashlib.sha256(p.encoded).hexdigest()}\n" for p in few)
    assert found == {hashlib.sha256("".join(lines).encode()).hexdigest()}


def test_the_documented_shell_command_gives_the_fingerprint(folders):
    command = (
        "cd " + str(folders) + " && for class in n*; do "
        'sha256sum "$class"/*.JPEG | while read -r hash _; do echo "$class $hash"; done; '
        "done | LC_ALL=C sort | sha256sum"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == report(folders).fingerprint


def test_the_fingerprint_changes_with_a_class_and_with_a_byte(folders, few):
    before = report(folders).fingerprint
    (first, second), image = SOME[:2], next(p for p in few if p.wnid == SOME[0])
    (folders / first / image.name).rename(folders / second / "x.JPEG")
    moved = report(folders).fingerprint
    (folders / second / "x.JPEG").write_bytes(image.encoded + b"\0")
    assert len({before, moved, report(folders).fingerprint}) == 3


def test_a_sound_part_of_imagenet_is_a_subset_without_faults(folders):
    found = report(folders, decode=True)
    assert (found.images, found.classes, found.verdict, found.faults) == (12, 4, "subset", ())
    notes = {problem.kind: problem.count for problem in found.problems}
    assert notes == {"missing class": 996, "few images": 4}
    assert not found.whole


def test_part_of_a_set_is_inspected_alone(folders, few):
    images = open_images(folders, IDS)
    found = inspect(images, indices=[1, 4])
    assert found.images == 2
    assert found.content == {i: hashlib.sha256(few[i].encoded).hexdigest() for i in (1, 4)}


def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def text(path):
    path.write_text("404: not found\n")


def dangling(path):
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("break_it", "kind"),
    [(empty, "empty"), (cut, "damaged"), (text, "damaged"), (dangling, "unreadable")],
)
def test_broken_images_are_found_by_their_headers_alone(break_it, kind, folders, few):
    break_it(folders / few[5].wnid / few[5].name)
    found = report(folders)
    assert (kinds(found), found.verdict) == ({kind: 1}, "altered")
    with pytest.raises(DataError, match=rf"1 file .*{few[5].name}.*--on-error count-wrong"):
        refuse_broken(found)


def test_damage_inside_an_image_is_found_by_decoding(folders, few):
    """A PNG with a wrong checksum in its middle has a sound header and end."""
    from PIL import Image

    path = folders / few[2].wnid / few[2].name
    Image.effect_noise((50, 50), 60).save(path, "PNG")
    broken = bytearray(path.read_bytes())
    broken[len(broken) // 2] ^= 255
    path.write_bytes(broken)
    assert kinds(report(folders)) == {}
    assert kinds(report(folders, decode=True)) == {"damaged": 1}


def test_a_jpeg_that_lost_data_and_has_a_proper_end_is_found_by_decoding(folders, few):
    """A validation takes it as decoders do; it is no reason to stop."""
    path = folders / few[2].wnid / few[2].name
    content = drawing.jpeg(9, size=(90, 80))
    path.write_bytes(content[: len(content) // 2] + b"\xff\xd9")
    assert kinds(report(folders)) == {}
    found = report(folders, decode=True)
    assert (kinds(found), found.verdict) == ({"truncated": 1}, "altered")
    assert f"{few[2].name}: the data end after" in str(found.faults[0])
    refuse_broken(found)


@pytest.mark.parametrize("decode", [False, True])
def test_an_image_that_the_protocol_cannot_resize_is_damaged(decode, folders, few):
    path = folders / few[2].wnid / few[2].name
    path.write_bytes(drawing.jpeg(9, size=(20_000, 1)))
    found = report(folders, decode=decode)
    assert kinds(found) == {"damaged": 1}
    assert "resizing its short edge to 248 makes 4,960,000×248" in str(found.faults[0])
    small = EvaluationProtocol(resize_short_edge=32, center_crop=32)
    assert kinds(report(folders, decode=decode, protocol=small)) == {}


def test_duplicates_are_named_with_what_they_repeat(folders, few):
    original = few[0]
    other = next(wnid for wnid in SOME if wnid != original.wnid)
    (folders / other / "copy.JPEG").write_bytes(original.encoded)
    (folders / original.wnid / "copy.JPEG").write_bytes(original.encoded)
    notes = [p for p in report(folders).problems if p.kind.startswith("duplicate")]
    assert [(n.kind, n.count) for n in notes] == [
        ("duplicate", 1),
        ("duplicate in another class", 1),
    ]
    assert f"= {original.wnid}/{original.name}" in str(notes[0])


def test_more_than_fifty_images_of_a_class_are_altered(folders):
    for i in range(50):
        (folders / SOME[0] / f"more{i}.JPEG").write_bytes(drawing.jpeg(10**6 + i))
    assert kinds(report(folders)) == {"many images": 1}


def test_an_image_in_the_wrong_class_is_named(folders, few):
    image = few[0]
    other = next(wnid for wnid in SOME if wnid != image.wnid)
    (folders / image.wnid / image.name).rename(folders / other / image.name)
    found = report(folders)
    assert kinds(found) == {"label": 1}
    assert f"{image.name} is {other}, officially {image.wnid}" in str(found.faults[0])


def test_progress_reaches_the_total(folders):
    seen = []
    report(folders, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (12, 12)


@dataclass(frozen=True)
class Numbered:
    """A source of distinct small JPEGs; images from ``broken`` on are cut."""

    broken: int = VALIDATION_IMAGES

    def read(self, index):
        return SMALL[: 100 if index >= self.broken else None] + index.to_bytes(4, "big")

    def position(self, index):
        return index


SMALL = drawing.jpeg(1, size=(4, 4))
TAR_OF_SMALL = archive_bytes([len(SMALL) + 4] * VALIDATION_IMAGES)


def validation_set(name=drawing.official_name, source=None):
    """An image set with the names and labels of all 50,000 images, in memory."""
    numbers = range(1, VALIDATION_IMAGES + 1)
    labels = [official_label(drawing.official_name(number)) for number in numbers]
    names = [name(number) for number in numbers]
    return ImageSet("memory", Path("memory"), IDS, names, labels, source or Numbered())


def test_fifty_thousand_images_with_the_size_of_the_archive_are_official():
    found = inspect(validation_set(), published=Archive(TAR_OF_SMALL, ""))
    assert (found.images, found.classes, found.verdict) == (50_000, 1000, "official")
    assert (found.whole, found.problems) == (True, ())


def test_fifty_thousand_other_files_are_altered_and_broken_ones_are_no_other_files():
    images = validation_set(source=Numbered(broken=VALIDATION_IMAGES - 2))
    found = inspect(images)
    assert (found.verdict, found.whole) == ("altered", True)
    assert kinds(found) == {"damaged": 2}
    counts = Counter(images.labels)
    sizes = [len(SMALL) + 4] * VALIDATION_IMAGES
    (fault,) = compare_with_archive(PUBLISHED, images, sizes)
    assert str(fault) == (
        f"official names and counts, other files: as a tar they have {TAR_OF_SMALL:,} bytes where "
        "the published archive has 6,744,924,160 (if it holds nothing else, which is not confirmed)"
    )
    assert data_verdict(images, counts, [fault]) == "altered"
    assert data_verdict(images, counts, []) == "official"
    assert data_verdict(images, counts - Counter({7: 1}), []) == "subset"


@pytest.mark.slow
def test_fifty_thousand_files_are_read_like_any_others(tmp_path):
    pictures = drawing.pictures(per_class=50)
    drawing.class_folders(tmp_path, pictures)
    published = Archive(archive_bytes(len(p.encoded) for p in pictures), "")
    found = report(tmp_path, published=published)
    assert (found.images, found.classes, found.verdict) == (50_000, 1000, "official")
    assert found.problems == ()
    assert found.whole
    (tmp_path / pictures[7].wnid / pictures[7].name).unlink()
    assert report(tmp_path, published=published).verdict == "subset"


def test_a_set_with_classes_of_its_own_is_custom(tmp_path):
    for i, folder in enumerate(("cat", "dog")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").write_bytes(drawing.jpeg(i))
    assert inspect(open_images(tmp_path, ("cat", "dog"))).verdict == "custom"
    found = inspect(open_images(tmp_path, ("cat", "cow", "dog")))
    assert (found.verdict, found.whole) == ("custom", True)
    assert [(p.kind, p.count) for p in found.problems] == [("missing class", 1)]
    assert inspect(open_images(tmp_path, ("cat", "dog")), indices=[0]).verdict == "subset"
