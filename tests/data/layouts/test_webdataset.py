"""WebDataset shards: samples, and the classes that they state."""

import json
import tarfile

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.open import open_images
from vanbench.errors import DataError

IDS = imagenet_1k()


def test_webdataset_classes_may_be_ids_in_the_json(few, tmp_path):
    members = []
    for i, p in enumerate(few):
        about = json.dumps({"label": 3, "wnid": p.wnid}).encode()
        members += [(f"{i:05d}.jpeg", p.encoded), (f"{i:05d}.json", about)]
    drawing.write_tar(tmp_path / "val-000.tar", members)
    assert [IDS[label] for label in open_images(tmp_path, IDS).labels] == [p.wnid for p in few]


def test_webdataset_samples_that_share_a_name_are_refused(few, tmp_path):
    members = [("a.jpg", few[0].encoded), ("a.cls", b"1")] * 2
    drawing.write_tar(tmp_path / "val-000.tar", members)
    with pytest.raises(DataError, match=r"expected one a.jpg, found two"):
        open_images(tmp_path, IDS)


def write_samples(path, *samples):
    """A shard with these dicts of suffix → content as its samples."""
    members = [
        (f"{i:05d}{s}", content) for i, sample in enumerate(samples) for s, content in sample
    ]
    drawing.write_tar(path, members)


def test_samples_without_image_or_class_are_faults(few, tmp_path):
    image = few[0].encoded
    write_samples(
        tmp_path / "val-000.tar",
        [(".jpg", image), (".cls", b"n01440764")],
        [(".jpg", image)],
        [(".cls", b"n01440764"), (".npy", b"x")],
        [(".jpg", image), (".json", b"[1]")],
        [(".jpg", image), (".json", b"{broken")],
        [(".jpg", image), (".json", b'{"text": "a fish"}')],
    )
    images = open_images(tmp_path, IDS)
    assert len(images) == 1
    found = {f.kind: (f.count, f.fault) for f in images.findings}
    assert found == {"unlabelled": (4, True), "incomplete": (1, True)}


def test_the_findings_of_every_shard_are_kept(few, tmp_path):
    root = drawing.webdataset(tmp_path, few)
    for path in sorted(root.glob("*.tar"))[1:]:
        with tarfile.open(path, "a") as archive:
            link = tarfile.TarInfo("x.jpg")
            link.type, link.linkname = tarfile.SYMTYPE, "y.jpg"
            archive.addfile(link)
    assert [f.kind for f in open_images(root, IDS).findings] == ["link", "link"]


@pytest.mark.parametrize("text", [b"fox", b"1.5", b"1000", b""])
def test_a_class_that_is_unknown_is_refused(text, few, tmp_path):
    write_samples(tmp_path / "val-000.tar", [(".jpg", few[0].encoded), (".cls", text)])
    with pytest.raises(DataError, match=r"val-000.tar: expected .*found"):
        open_images(tmp_path, IDS)


@pytest.mark.parametrize(
    "text",
    [
        b'"text"',
        b"[" * 100_000,
        b'{"label":' * 100_000,
        b'{"label": ' + b"1" * 10**6 + b"}",
        b"\xff",
    ],
)
def test_a_json_that_cannot_be_used_leaves_its_sample_out(text, few, tmp_path):
    sound = [(".jpg", few[1].encoded), (".cls", b"5")]
    write_samples(tmp_path / "val-000.tar", [(".jpg", few[0].encoded), (".json", text)], sound)
    images = open_images(tmp_path, IDS)
    assert [(f.kind, f.count) for f in images.findings if f.fault] == [("unlabelled", 1)]


@pytest.mark.parametrize("text", [b"9" * 30, b"1" * 4000, b"1" * 10**6, bytes(range(256)), b"-1"])
def test_a_class_that_is_a_huge_number_or_binary_is_one_short_error(text, few, tmp_path):
    write_samples(tmp_path / "val-000.tar", [(".jpg", few[0].encoded), (".cls", text)])
    with pytest.raises(DataError, match=r"val-000.tar: expected ") as caught:
        open_images(tmp_path, IDS)
    assert len(caught.value.problem) < 500
