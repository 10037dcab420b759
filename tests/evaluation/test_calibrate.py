"""Which images int8 is calibrated on, and what is said of them."""

import hashlib
import io
import tarfile

import pytest
import torch

from tests.support.drawing import jpeg
from tests.support.runs import CLASSES, PROTOCOL
from vanbench.data.open import open_images
from vanbench.data.preprocess import preprocess
from vanbench.errors import DataError
from vanbench.evaluation import calibrate
from vanbench.evaluation.calibrate import calibration_images


def sha256(*contents):
    lines = "\n".join(hashlib.sha256(content).hexdigest() for content in contents)
    return hashlib.sha256(lines.encode()).hexdigest()


@pytest.fixture
def validation(tmp_path):
    """Twelve images, drawn with the numbers 0 to 11."""
    for number in range(12):
        path = tmp_path / "val" / CLASSES[number % 3] / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number))
    return open_images(tmp_path / "val", CLASSES)


@pytest.fixture
def other(tmp_path):
    """Three images of their own; two of the validation set, one of them twice; a broken one."""
    folder = tmp_path / "other"
    folder.mkdir()
    contents = [jpeg(50), jpeg(3), jpeg(51), jpeg(7), jpeg(52), b"\xff\xd8 broken", jpeg(3)]
    for number, content in enumerate(contents):
        (folder / f"{number}.jpg").write_bytes(content)
    return folder


def test_images_of_the_validation_set_spread_evenly(validation, monkeypatch):
    monkeypatch.setattr(calibrate, "IMAGES", 4)
    found = calibration_images(validation, PROTOCOL, None)
    contents = [jpeg(number) for number in (0, 3, 6, 9)]
    expected = torch.stack([preprocess(content, PROTOCOL) for content in contents])
    torch.testing.assert_close(found.images, expected, rtol=0, atol=0)
    about = found.about
    assert (about.source, about.images) == ("validation set", 4)
    assert about.sha256 == sha256(*contents)
    assert about.tool.startswith("onnxruntime 1.")
    assert about.text == "calibrated on 4 images of the validation set itself"


def test_a_small_validation_set_is_taken_as_a_whole(validation):
    assert calibration_images(validation, PROTOCOL, None).about.images == 12


def test_other_images_without_those_of_the_validation_set(validation, other):
    found = calibration_images(validation, PROTOCOL, other)
    about = found.about
    assert (about.source, about.images) == ("other images", 3)
    assert (about.in_validation_set, about.unreadable) == (3, 1)
    assert about.sha256 == sha256(jpeg(50), jpeg(51), jpeg(52))
    assert about.text == "calibrated on 3 images outside the validation set"
    torch.testing.assert_close(found.images[1], preprocess(jpeg(51), PROTOCOL), rtol=0, atol=0)


def test_a_validation_set_that_does_not_tell_sizes_is_read(validation, other, monkeypatch):
    monkeypatch.setattr(type(validation), "sizes", lambda self: None)
    assert calibration_images(validation, PROTOCOL, other).about.in_validation_set == 3


def test_the_same_images_in_a_tar(validation, other, tmp_path):
    path = tmp_path / "other.tar"
    with tarfile.open(path, "w") as archive:
        for file in other.iterdir():
            member = tarfile.TarInfo(file.name)
            member.size = file.stat().st_size
            archive.addfile(member, io.BytesIO(file.read_bytes()))
    in_folder, in_tar = (calibration_images(validation, PROTOCOL, p) for p in (other, path))
    assert in_tar.about == in_folder.about
    assert torch.equal(in_tar.images, in_folder.images)


def test_the_validation_set_itself_as_other_images_is_refused(validation):
    with pytest.raises(DataError, match="and is not in the validation set") as failed:
        calibration_images(validation, PROTOCOL, validation.path)
    assert "or leave it out" in failed.value.remedy
