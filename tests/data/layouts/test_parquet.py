"""Parquet shards: names, labels, and shards that are missing."""

import json
import subprocess
import sys

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.inspect import inspect
from vanbench.data.layouts import parquet
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


@pytest.mark.parametrize(
    "images",
    [
        ["https://example.org/x.jpg"] * 12,
        [1] * 12,
        [None] * 12,
        [[b"x"]] * 12,
        [{"path": "x.jpg"}] * 12,
        [{"bytes": "text", "path": "x.jpg"}] * 12,
        [{"bytes": {"bytes": b"x"}}] * 12,
    ],
)
def test_an_image_column_of_another_type_is_refused(images, tmp_path):
    path = write_parquet(tmp_path / "x.parquet", images, [0] * 12)
    with pytest.raises(DataError, match=r"x.parquet: expected in the column image the encoded"):
        open_images(path, IDS)


@pytest.mark.parametrize("kind", ["binary", "large_binary", "binary_view", "dictionary"])
def test_every_type_of_bytes_is_read(kind, few, tmp_path):
    import pyarrow as pa

    encoded = [p.encoded for p in few]
    images = pa.array(encoded)
    images = (
        images.dictionary_encode() if kind == "dictionary" else images.cast(getattr(pa, kind)())
    )
    path = write_parquet(tmp_path / "x.parquet", images, [p.wnid for p in few])
    assert read_all(open_images(path, IDS)) == encoded


def test_rows_without_an_image_are_unreadable(few, tmp_path):
    rows = [{"bytes": few[0].encoded, "path": "a"}, None, {"bytes": None, "path": "b"}]
    path = write_parquet(tmp_path / "x.parquet", rows, [0, 1, 2])
    (fault,) = inspect(open_images(path, IDS)).faults
    assert (fault.kind, fault.count) == ("unreadable", 2)


def test_shards_with_the_images_in_different_places_are_refused(few, tmp_path):
    encoded, labels = [p.encoded for p in few], [p.wnid for p in few]
    write_parquet(tmp_path / "a.parquet", encoded, labels)
    write_parquet(tmp_path / "b.parquet", [{"bytes": e, "path": "x"} for e in encoded], labels)
    with pytest.raises(DataError, match=r"b.parquet: .* column image, as in a.parquet; found them"):
        open_images(tmp_path, IDS)


@pytest.mark.parametrize(
    "about", [b"{", b"[" * 10_000, b'{"info":' + b"1" * 1000 + b"}", b"\xff\xfe", b'{"a":NaN}']
)
def test_a_description_that_is_no_json_is_refused(about, few, tmp_path):
    labels = [p.wnid for p in few]
    path = write_parquet(
        tmp_path / "x.parquet", [p.encoded for p in few], labels, huggingface=about
    )
    with pytest.raises(DataError, match=r"x.parquet: .* library datasets"):
        open_images(path, IDS)


@pytest.mark.parametrize(
    "about", [b"[1]", b'{"info": [1]}', b'{"info": {"features": {"label": 1}}}']
)
def test_a_description_of_something_else_says_nothing(about, few, tmp_path):
    labels = [p.wnid for p in few]
    path = write_parquet(
        tmp_path / "x.parquet", [p.encoded for p in few], labels, huggingface=about
    )
    assert len(open_images(path, IDS)) == len(few)


def write_bomb(path, megabytes):
    """A file of a few kilobytes whose page of images unpacks to that much."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = pa.array([bytes(megabytes << 20)], pa.large_binary())
    table = pa.table({"image": images, "label": ["n01440764"]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 100_000
    return path


@pytest.mark.parametrize("honest", [True, False])
def test_a_page_that_unpacks_to_more_than_allowed_is_not_read(honest, tmp_path, monkeypatch):
    """Also when the footer says that it is small."""
    monkeypatch.setattr(parquet, "MOST_UNPACKED", 1 << 22)
    path = write_bomb(tmp_path / "x.parquet", 5)
    if not honest:
        size = 2 * unpacked_bytes_in_footer(path)  # as zigzag
        content = path.read_bytes()
        assert content.count(varint(size)) == 1
        path.write_bytes(content.replace(varint(size), varint(2000, len(varint(size)))))
    (fault,) = inspect(open_images(path, IDS)).faults
    assert (fault.kind, fault.count) == ("unreadable", 1)
    assert "expected at most 4,194,304 bytes in a row group, found 5,242,8" in str(fault)


def unpacked_bytes_in_footer(path):
    import pyarrow.parquet as pq

    return pq.read_metadata(path).row_group(0).column(0).total_uncompressed_size


def varint(value, length=1):
    """An integer as Thrift has it, filled up to a number of bytes."""
    groups = [value >> shift & 127 for shift in range(0, 7 * length, 7)]
    while value >> 7 * len(groups):
        groups.append(value >> 7 * len(groups) & 127)
    return bytes(group | 128 for group in groups[:-1]) + bytes(groups[-1:])


def test_a_file_with_millions_of_rows_in_a_few_kilobytes_is_not_read(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 200_000
    table = pa.table({"image": pa.nulls(rows, pa.binary()), "label": pa.array([0] * rows)})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(
        DataError, match="at most 100,000 rows in a file of this size, found 200,000"
    ):
        open_images(tmp_path, IDS)


def test_one_image_that_is_repeated_takes_the_memory_of_one(tmp_path):
    """A dictionary of one image and 50,000 rows would be 25 GB in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, image = 50_000, drawing.jpeg(1) + bytes(500_000)
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * rows), pa.array([image]))
    table = pa.table({"image": repeated, "label": pa.array([0] * rows)})
    pq.write_table(table, tmp_path / "x.parquet", store_schema=False)
    images = open_images(tmp_path, IDS)
    assert images.read(0) == images.read(rows - 1) == image


def test_names_that_are_long_or_not_utf_8_are_an_error(few, tmp_path):
    def write(name):
        rows = [{"bytes": p.encoded, "path": f"{name}{i}"} for i, p in enumerate(few)]
        return write_parquet(tmp_path / "x.parquet", rows, [0] * len(few))

    with pytest.raises(DataError, match="at most 4,096 characters, found 1,000,0"):
        open_images(write("n" * 1_000_000), IDS)
    path = write("éé")
    path.write_bytes(path.read_bytes().replace("éé".encode(), b"\xff\xfe\xfd\xfc"))
    with pytest.raises(DataError, match="can't decode byte 0xff"):
        open_images(path, IDS)


def test_damaged_footers_never_end_the_process(few, tmp_path):
    """Arrow's own description of a column calls abort() for some of them."""
    rows = [{"bytes": p.encoded, "path": p.name} for p in few]
    path = write_parquet(tmp_path / "x.parquet", rows, [p.wnid for p in few])
    code = f"""
import random
from pathlib import Path
from vanbench.data.inspect import inspect
from vanbench.data.open import open_images
from vanbench.errors import DataError
from vanbench.zoo.class_ids import imagenet_1k
path = Path({str(path)!r})
sound, rng = path.read_bytes(), random.Random(0)
for _ in range(150):
    content = bytearray(sound)
    for _ in range(rng.choice([1, 1, 2, 5])):
        content[rng.randrange(len(sound) - 1200, len(sound))] = rng.randrange(256)
    path.write_bytes(content)
    try:
        inspect(open_images(path, imagenet_1k()), workers=1)
    except DataError:
        pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
