"""Parquet shards: names, labels, and shards that are missing."""

import json

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.open import open_images
from vanbench.errors import DataError

IDS = imagenet_1k()
SOME = (IDS[0], IDS[217], IDS[482], IDS[999])


def write_parquet(path, images, labels, **metadata):
    """A Parquet file with a column of images and one of labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"image": images, "label": labels}).replace_schema_metadata(metadata)
    pq.write_table(table, path, row_group_size=5)
    return path


@pytest.mark.parametrize("name", [None, "image.jpg", "a/b/image.jpg"])
def test_rows_whose_paths_are_not_unique(name, few, tmp_path):
    images = [{"bytes": p.encoded, "path": name} for p in few]
    path = write_parquet(tmp_path / "x.parquet", images, [IDS.index(p.wnid) for p in few])
    opened = open_images(path, IDS)
    assert len(set(opened.names)) == len(few)
    found = {(opened.read(i), IDS[opened.labels[i]]) for i in range(len(few))}
    assert found == {(p.encoded, p.wnid) for p in few}


def test_labels_may_be_class_ids_or_in_the_names_of_the_files(few, tmp_path):
    plain = [p.encoded for p in few]
    by_id = write_parquet(tmp_path / "a.parquet", plain, [p.wnid for p in few])
    named = [{"bytes": p.encoded, "path": f"{p.name[:-5]}_{p.wnid}.JPEG"} for p in few]
    by_name = write_parquet(tmp_path / "b.parquet", named, [-1] * len(few))
    for path in (by_id, by_name):
        opened = open_images(path, IDS)
        assert [IDS[label] for label in opened.labels] == [p.wnid for p in few]


def test_labels_of_a_subset_are_mapped_by_the_ids_in_the_metadata(few, tmp_path):
    """Imagenette-like: ten classes counted from 0, with their WordNet ids named."""
    feature = {"names": list(SOME), "_type": "ClassLabel"}
    about = json.dumps({"info": {"features": {"label": feature}}})
    labels = [SOME.index(p.wnid) for p in few]
    path = write_parquet(
        tmp_path / "x.parquet", [p.encoded for p in few], labels, huggingface=about
    )
    assert [IDS[label] for label in open_images(path, IDS).labels] == [p.wnid for p in few]


def test_a_shard_that_is_missing_is_a_fault(few, tmp_path):
    root = drawing.parquet(tmp_path, few)
    next(root.rglob("validation-00001-of-00003.parquet")).unlink()
    (found,) = (f for f in open_images(root, IDS).findings if f.fault)
    assert (found.kind, found.examples) == (
        "missing shard",
        ("validation-00001-of-00003.parquet",),
    )


def test_a_damaged_page_is_an_error_that_names_the_file(few, tmp_path):
    path = write_parquet(tmp_path / "x.parquet", [p.encoded for p in few], [p.wnid for p in few])
    content = bytearray(path.read_bytes())
    place = content.find(few[0].encoded[:40])
    content[place - 30 : place] = b"\xff" * 30
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x.parquet: not a complete Parquet file"):
        read_all(open_images(path, IDS))


def read_all(images):
    return [images.read(i) for i in range(len(images))]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([-1] * 12, "found '-1' for x.parquet/00000000"),
        ([None] * 12, "expected in the column label class ids or integers; found null"),
        ([None, *[1] * 11], "found 'None' for"),
        ([0.0] * 12, "found double"),
        ([[1]] * 12, "found list<"),
        ([True] * 12, "found bool"),
        (["n01440764"] * 11 + ["fox"], "found 'fox' for x.parquet/00000011"),
        ([1000] * 12, "found 12 outside"),
    ],
)
def test_labels_that_are_not_classes_are_refused(labels, message, few, tmp_path):
    path = write_parquet(tmp_path / "x.parquet", [p.encoded for p in few], labels)
    with pytest.raises(DataError, match=message):
        open_images(path, IDS)


def test_a_file_without_the_columns_is_refused(few, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"picture": [b"x"], "label": [1]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="expected a column image or jpg or jpeg, found picture"):
        open_images(tmp_path / "x.parquet", IDS)
