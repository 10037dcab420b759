"""Images in one folder, compared with the list of their labels."""

from pathlib import Path

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.inspect import inspect
from vanbench.data.layouts.classes import Labels
from vanbench.data.layouts.flat import compare_with_list, labelled
from vanbench.data.open import open_images


def test_only_listed_images_are_taken():
    labels = Labels(Path("val.txt"), {"a.jpg": 3, "c": 4})
    found = labelled([("a.jpg", 10), ("b.jpg", 11), ("c.png", 12)], labels)
    assert [(item.name, item.label, item.place) for item in found] == [
        ("a.jpg", 3, 10),
        ("c.png", 4, 12),
    ]
    findings = compare_with_list(["a.jpg", "b.jpg"], labels)
    assert [(f.kind, f.examples, f.fault) for f in findings] == [
        ("unlabelled", ("b.jpg",), True),
        ("missing", ("c",), False),
    ]


def test_stray_files_and_folders_beside_the_images_are_ignored(few, tmp_path):
    drawing.flat_with_val_txt(tmp_path, few)
    (tmp_path / "val" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "val" / "thumbnails").mkdir()
    (found,) = open_images(tmp_path / "val", imagenet_1k()).findings
    assert (found.kind, found.examples) == ("ignored", (".DS_Store", "thumbnails"))


def test_a_custom_set_without_all_listed_images_is_a_subset(tmp_path):
    """Not the whole set, though no rule says how many images it has."""
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(drawing.jpeg(number))
    (tmp_path / "val.txt").write_text("0.jpg cat\n1.jpg dog\n2.jpg cat\n3.jpg dog\n")
    found = inspect(open_images(tmp_path, ("cat", "dog")))
    assert (found.verdict, found.whole) == ("subset", False)
