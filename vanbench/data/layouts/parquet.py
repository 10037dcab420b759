"""Parquet shards as the Hugging Face hub keeps them: a column ``image`` and a column ``label``.

Needs pyarrow, the extra ``parquet``. ``image`` holds the encoded file, alone or as the field
``bytes`` beside ``path``. What a file says of itself is checked before it is read: the types of its
columns, the number of its rows and the size of its pages.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from vanbench.data.layouts.classes import resolve_classes
from vanbench.data.layouts.images import ImageSet, Item, arrange, basename
from vanbench.data.layouts.parquet_columns import Columns, described, find_columns, open_file
from vanbench.data.summary import Finding, finding
from vanbench.errors import DataError
from vanbench.outside.json_text import parse_json
from vanbench.outside.parquet_pages import row_groups, unpacked_bytes
from vanbench.outside.safe_text import shorten

CACHED_GROUPS = 2  # row groups kept per process: one of 100 images has about 11 MB
LEAST_IMAGE = 32  # bytes; a file with more rows than such images is not read …
ANY_ROWS = 100_000  # … unless it has no more than these
LONGEST_TEXT = 4096  # characters of a name or class
MOST_UNPACKED = 1 << 28  # bytes of a row group's column that a file may have, however small it is

_CLASS_ID_AT_END = re.compile(r"_(n\d{8})\.\w+$")
_CLASS_ID = re.compile(r"n\d{8}")
_SHARD_OF = re.compile(r"-(\d+)-of-(\d{1,5})\.parquet$")

RowPlace = tuple[int, int, int]  # which shard, row group, row in the group


@dataclass(frozen=True)
class Rows:
    """Images in rows of Parquet files."""

    paths: Sequence[Path]
    columns: Columns
    places: Sequence[RowPlace]

    def read(self, index: int) -> bytes:
        which, group, row = self.places[index]
        with described(self.paths[which]):
            image = _row_group(self.paths[which], self.columns, group)[row].as_py()
        content = image["bytes"] if isinstance(image, dict) else image
        if content is None:
            raise OSError("the row holds no image")
        return content

    def position(self, index: int) -> RowPlace:
        return self.places[index]

    def size(self, index: int) -> None:
        return None


def open_parquet(shards: Sequence[Path], class_ids: tuple[str, ...]) -> ImageSet:
    """The set in Parquet shards; DataError if they have no images or labels, or without pyarrow."""
    rows: list[tuple[str, str, RowPlace]] = []
    columns = [find_columns(shard) for shard in shards]
    for which, (shard, found) in enumerate(zip(shards, columns, strict=True)):
        if found.content != columns[0].content:
            raise DataError(
                f"expected the images in the column {columns[0].content}, as in "
                f"{shards[0].name}; found them in {found.content}",
                where=shard,
                remedy="Give the shards of one data set only.",
            )
        rows += _rows(which, shard, found)
    labels = resolve_classes(shards[0], {name: text for name, text, _ in rows}, class_ids)
    return arrange(
        [Item(name, labels.of[name], place) for name, _, place in rows if name in labels.of],
        partial(Rows, shards, columns[0]),
        layout="Parquet shards",
        path=shards[0].parent,
        class_ids=class_ids,
        findings=[*labels.findings, *_absent_shards(shards)],
    )


def _absent_shards(shards: Sequence[Path]) -> list[Finding]:
    """A finding about the shards that names such as ``val-00001-of-00014`` say are not here."""
    matches = [match for shard in shards if (match := _SHARD_OF.search(shard.name))]
    expected = {
        f"{match.string[: match.start()]}-{number:0{len(match[1])}d}-of-{match[2]}.parquet"
        for match in matches
        for number in range(int(match[2]))
    }
    text = "{n} {shard is|shards are} not here, by the names of the others"
    return finding("missing shard", expected - {shard.name for shard in shards}, text)


@lru_cache(maxsize=CACHED_GROUPS)
def _row_group(path: Path, columns: Columns, group: int) -> Any:
    """A row group's images, each distinct one once: a column of a few kilobytes may repeat one."""
    file = open_file(path, read_dictionary=[columns.content])
    return _read_group(path, file, group, [columns.content])[columns.image]


def _read_group(path: Path, file: Any, group: int, leaves: Sequence[str]) -> Any:
    """The columns of a row group whose paths are ``leaves``, where the file has them.

    DataError if they are much larger than the file, as only a few images of one colour would be.
    """
    chunks = row_groups(path)[group].chunks
    wanted = [leaf for leaf in leaves if leaf in chunks]
    with path.open("rb") as opened:
        unpacked = sum(unpacked_bytes(opened, chunks[leaf]) for leaf in wanted)
    most = max(MOST_UNPACKED, 2 * path.stat().st_size)
    if unpacked > most:
        raise DataError(
            f"expected at most {most:,} bytes in a row group, found {unpacked:,} when it is "
            "unpacked",
            where=path,
            remedy="Write the file with smaller row groups.",
        )
    # Without threads: those of Arrow do not survive a fork into worker processes.
    return file.read_row_group(group, columns=wanted, use_threads=False)


def _rows(which: int, shard: Path, columns: Columns) -> list[tuple[str, str, RowPlace]]:
    """(name, class as written, place) of each row of a shard, without reading the images."""
    leaves = [columns.label, *([columns.path] if columns.path else [])]
    file = open_file(shard, read_dictionary=columns.texts)
    names = class_ids_in_metadata(shard, file.schema_arrow, columns.label)
    rows: dict[str, tuple[str, str, RowPlace]] = {}
    with described(shard):
        groups = row_groups(shard)
    _refuse_rows(shard, sum(group.rows for group in groups))
    for group in range(len(groups)):
        with described(shard):
            table = _read_group(shard, file, group, leaves)
            written = _values(shard, table[columns.label])
            image = table.flatten()[columns.path] if columns.path else None
            paths = [None] * len(written) if image is None else _values(shard, image)
            pairs = list(zip(paths, written, strict=True))
        for row, (path, value) in enumerate(pairs):
            name = f"{shard.name}/{path or f'{len(rows):08d}'}"
            if name in rows:  # not unique, such as image.jpg in every row
                name = f"{shard.name}/{len(rows):08d}/{basename(name)}"
            rows[name] = (name, _class_text(name, value, names), (which, group, row))
    return list(rows.values())


def _values(path: Path, column: Any) -> list[Any]:
    """The values of a column of integers or texts; DataError for a text that is too long.

    Texts are read as a dictionary, so that a long one that is repeated takes no memory yet.
    """
    values: list[Any] = []
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):
            known = chunk.dictionary.to_pylist()
            for text in known:
                if isinstance(text, str) and len(text) > LONGEST_TEXT:
                    raise DataError(
                        f"expected names and classes of at most {LONGEST_TEXT:,} characters, "
                        f"found {len(text):,}: {shorten(text)}",
                        where=path,
                    )
            values += [None if i is None else known[i] for i in chunk.indices.to_pylist()]
        else:
            values += chunk.to_pylist()
    return values


def _refuse_rows(path: Path, rows: int) -> None:
    """DataError if a file has more rows than it can have images."""
    most = max(ANY_ROWS, path.stat().st_size // LEAST_IMAGE)
    if rows > most:
        raise DataError(
            f"expected at most {most:,} rows in a file of this size, found {rows:,}",
            where=path,
            remedy="Copy or download it again.",
        )


def _class_text(name: str, written: Any, names: Sequence[str]) -> str:
    """The class of a row: a class id if the row or its file name states one, else as written."""
    if isinstance(written, str):
        return written
    if isinstance(written, int) and 0 <= written < len(names):
        return names[written]
    match = _CLASS_ID_AT_END.search(name)
    return match[1] if match else str(written)


def class_ids_in_metadata(path: Path, schema: Any, column: str) -> Sequence[str]:
    """The class ids that the file's metadata list for its labels; empty if these are words.

    DataError if the metadata are there and not JSON.
    """
    raw = (schema.metadata or {}).get(b"huggingface")
    if not raw:
        return []
    remedy = "Write the file again, with the library datasets, or without the key huggingface."
    found: Any = parse_json(
        raw, where=path, error=DataError, what="description of the columns", remedy=remedy
    )
    for key in ("info", "features", column, "names"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, list):
        return []
    are_ids = all(isinstance(name, str) and _CLASS_ID.fullmatch(name) for name in found)
    return found if are_ids else []
