"""Lists of labels: where they are found, and what their lines may look like."""

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.open import open_images
from vanbench.errors import DataError

IDS = imagenet_1k()


@pytest.mark.parametrize("prefix", ["", "val/", "./", "/data/imagenet/val/"])
def test_val_txt_with_and_without_paths(prefix, few, tmp_path):
    images = open_images(drawing.flat_with_val_txt(tmp_path, few, prefix), IDS)
    assert [IDS[label] for label in images.labels] == [p.wnid for p in few]


def test_val_txt_may_be_in_meta_beside_the_folder(few, tmp_path):
    drawing.flat_with_val_txt(tmp_path, few)
    (tmp_path / "meta").mkdir()
    (tmp_path / "val.txt").rename(tmp_path / "meta" / "val.txt")
    assert len(open_images(tmp_path / "val", IDS)) == len(few)


def test_val_txt_may_give_class_ids(few, tmp_path):
    drawing.flat(tmp_path, few)
    (tmp_path / "val.txt").write_text("".join(f"{p.name}\t{p.wnid}\n" for p in few))
    assert [IDS[label] for label in open_images(tmp_path, IDS).labels] == [p.wnid for p in few]


@pytest.mark.parametrize("folder", ["val", r"..\data\val", r"D:\ImageNet\val"])
def test_backslashes_separate_folders_too(folder, few, tmp_path):
    images = open_images(drawing.flat_with_val_txt(tmp_path, few, folder + "\\"), IDS)
    assert [IDS[label] for label in images.labels] == [p.wnid for p in few]
    assert images.findings == ()


def test_lines_may_have_commas_tabs_blank_lines_and_a_byte_order_mark(few, tmp_path):
    drawing.flat(tmp_path, few)
    separators = [",", ", ", "\t", "  ", " "]
    lines = [f"{p.name}{separators[i % 5]}{IDS.index(p.wnid)}\r\n\r\n" for i, p in enumerate(few)]
    (tmp_path / "val.txt").write_bytes(b"\xef\xbb\xbf" + "".join(lines).encode())
    assert [IDS[label] for label in open_images(tmp_path, IDS).labels] == [p.wnid for p in few]


def test_a_list_of_other_images_is_skipped_for_one_above_it(few, tmp_path):
    drawing.flat_with_val_txt(tmp_path, few)
    (tmp_path / "val" / "val.txt").write_text("other.JPEG 3\n")
    assert len(open_images(tmp_path / "val", IDS)) == len(few)


def test_a_list_of_other_images_only_is_named(few, tmp_path):
    drawing.flat(tmp_path / "val", few)
    listing = tmp_path / "val.txt"
    listing.write_text("other.JPEG 3\n")
    with pytest.raises(DataError) as caught:
        open_images(tmp_path / "val", IDS)
    assert f"found 12 images in one folder ({tmp_path / 'val'}: " in caught.value.problem
    assert f"none of which is listed in {listing}" in caught.value.problem
    assert "Use the list that belongs to these images" in caught.value.remedy


def kaggle(few, tmp_path, row):
    drawing.kaggle(tmp_path, few)
    (tmp_path / "LOC_val_solution.csv").write_text(f"ImageId,PredictionString\n{row}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("x,", "expected the columns ImageId and PredictionString.* found 'x' and ''"),
        (",n01440764 1 2 3 4", "found '' and 'n01440764 1 2 3 4'"),
        ("x,n00000000 1 2 3 4", "found 'x' and 'n00000000 1 2 3 4'"),
        ("x", "expected 2 fields, found 1"),
        ("x," + "n01440764 " * 20_000, "line 2: expected at most 65,536 characters"),
        ('"', "line 2: expected 2 fields, found 1"),
    ],
)
def test_a_row_of_kaggles_list_without_a_class_is_refused(row, problem, few, tmp_path):
    with pytest.raises(DataError, match=rf"LOC_val_solution.csv.* {problem}"):
        open_images(kaggle(few, tmp_path, row), IDS)


def test_a_list_in_another_encoding_is_refused(few, tmp_path):
    drawing.flat(tmp_path, few)
    (tmp_path / "val.txt").write_text(f"{few[0].name} 0\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"val.txt: expected UTF-8 text, found UTF-16"):
        open_images(tmp_path, IDS)


def test_images_and_lists_that_differ_are_named(few, tmp_path):
    root = drawing.flat_with_val_txt(tmp_path, few[:-1])
    (root / "val" / few[0].name).unlink()
    (root / "val" / few[-1].name).write_bytes(few[-1].encoded)
    found = {f.kind: (f.count, f.fault, f.examples) for f in open_images(root, IDS).findings}
    assert found == {
        "unlabelled": (1, True, (few[-1].name,)),
        "missing": (1, False, (few[0].name,)),
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\0b 1\n", "line 1: expected at most 65,536 characters and no NUL"),
        (b"a" * 100_000 + b" 1\n", "line 1: expected at most 65,536 characters and no NUL"),
        (b"a " + b"1" * 5000 + b"\n", "a known class id for each image, or an index for each"),
        (b"a \xc2\xb2\n", "a known class id for each image, or an index for each; found '²'"),
        (b"\n" * 2_000_001, "expected at most 2,000,000 lines, found 2,000,001"),
        (b"\xed\xa0\x80 1\n", "expected UTF-8 text, found the byte 0xed in line 1"),
    ],
)
def test_a_list_that_is_no_list_is_one_short_error(content, problem, few, tmp_path):
    drawing.flat(tmp_path, few)
    (tmp_path / "val.txt").write_bytes(content)
    with pytest.raises(DataError, match=problem) as caught:
        open_images(tmp_path, IDS)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("name", ["val.txt", "ILSVRC2012_validation_ground_truth.txt"])
def test_a_list_of_gigabytes_is_not_read(name, few, tmp_path):
    drawing.flat(tmp_path, few)
    with (tmp_path / name).open("wb") as file:
        file.truncate(8 << 30)
    with pytest.raises(DataError, match="expected at most 67,108,864 bytes, found 8,589,934,592"):
        open_images(tmp_path, IDS)
