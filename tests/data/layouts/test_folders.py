"""Class folders, and what else may be beside them."""

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.open import open_images

IDS = imagenet_1k()


def test_stray_folders_are_ignored_and_named(few, tmp_path):
    drawing.class_folders(tmp_path, few)
    for stray in (".ipynb_checkpoints", "__MACOSX", "n01440764/.ipynb_checkpoints"):
        (tmp_path / stray).mkdir()
        (tmp_path / stray / "x.JPEG").write_bytes(few[0].encoded)
    images = open_images(tmp_path, IDS)
    assert [IDS[label] for label in images.labels] == [p.wnid for p in few]
    (found,) = images.findings
    assert (found.kind, found.count, found.fault) == ("ignored", 3, False)
    assert ".ipynb_checkpoints" in str(found)


def test_images_of_unknown_classes_are_left_out_and_named(few, tmp_path):
    drawing.class_folders(tmp_path, few)
    (tmp_path / "n00000001").mkdir()
    (tmp_path / "n00000001" / "x.JPEG").write_bytes(few[0].encoded)
    images = open_images(tmp_path, IDS)
    assert len(images) == len(few)
    assert [(f.kind, f.count, f.fault) for f in images.findings] == [("unknown class", 1, True)]


def test_training_images_in_a_validation_folder_are_named(few, tmp_path):
    drawing.class_folders(tmp_path, few)
    (tmp_path / "n01440764" / "n01440764_10026.JPEG").write_bytes(few[0].encoded)
    images = open_images(tmp_path, IDS)
    assert [(f.kind, f.count) for f in images.findings] == [("training images", 1)]


def test_the_classes_of_a_custom_set(tmp_path):
    for folder in ("cat", "dog"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").write_bytes(drawing.jpeg(1))
    images = open_images(tmp_path, ("dog", "cat"))
    assert dict(zip(images.names, images.labels, strict=True)) == {"cat/1.jpg": 1, "dog/1.jpg": 0}


def test_images_in_a_folder_inside_a_class_folder_are_a_fault(few, tmp_path):
    drawing.class_folders(tmp_path, few)
    (tmp_path / "n01440764" / "images").mkdir()
    (tmp_path / "n01440764" / "images" / "x.JPEG").write_bytes(few[0].encoded)
    (tmp_path / "n01440764" / "empty").mkdir()
    images = open_images(tmp_path, IDS)
    assert len(images) == len(few)
    found = {f.kind: (f.examples, f.fault) for f in images.findings}
    assert found == {
        "nested": (("n01440764/images/x.JPEG",), True),
        "ignored": (("n01440764/empty",), False),
    }
