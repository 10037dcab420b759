"""The sizes of pages as they are read here, against those that Arrow reports for sound files."""

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.outside.parquet_pages import row_groups, unpacked_bytes


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_the_pages_of_a_column_have_the_size_in_the_footer(compression, version, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = imagenet_1k()
    few = drawing.pictures(per_class=3, classes=(ids[0], ids[217], ids[482], ids[999]))
    path = tmp_path / "x.parquet"
    table = pa.table({"image": [{"bytes": p.encoded, "path": p.name} for p in few]})
    pq.write_table(
        table, path, compression=compression, data_page_version=version, row_group_size=5
    )
    metadata = pq.read_metadata(path)
    groups = row_groups(path)
    assert [group.rows for group in groups] == [5, 5, 2]
    for number, group in enumerate(groups):
        columns = [metadata.row_group(number).column(i) for i in range(2)]
        assert list(group.chunks) == [column.path_in_schema for column in columns]
        for column in columns:
            with path.open("rb") as file:
                unpacked = unpacked_bytes(file, group.chunks[column.path_in_schema])
            headers = column.total_uncompressed_size - unpacked
            assert 0 < headers < 3000  # with the least and greatest value


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff\xff\xff\x7fPAR1", bytes(100)])
def test_a_file_without_a_footer_is_a_value_error(content, tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="there is no footer"):
        row_groups(path)


def test_pages_that_are_not_in_the_file_are_a_value_error(tmp_path):
    root = drawing.parquet(tmp_path, drawing.pictures(1, drawing.imagenet_1k()[:3]), shards=1)
    path = next(root.rglob("*.parquet"))
    (group,) = row_groups(path)
    content = path.read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(content[:50])
    with cut.open("rb") as file, pytest.raises(ValueError, match="not where the footer says"):
        unpacked_bytes(file, group.chunks["image.bytes"])
