"""Parquet shards as the Hugging Face hub keeps them: a column ``image`` and a column ``label``.

Needs pyarrow, the extra ``parquet``. ``image`` holds the encoded file, alone or as the field
``bytes`` beside ``path``.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from vanbench.data.layouts.classes import resolve_classes
from vanbench.data.layouts.images import ImageSet, Item, arrange, basename
from vanbench.data.summary import Finding, finding
from vanbench.errors import DataError

IMAGE_COLUMNS = ("image", "jpg", "jpeg")
LABEL_COLUMNS = ("label", "cls", "fine_label")
CACHED_GROUPS = 2  # row groups kept per process: one of 100 images has about 11 MB

_CLASS_ID_AT_END = re.compile(r"_(n\d{8})\.\w+$")
_SHARD_OF = re.compile(r"-(\d+)-of-(\d{1,5})\.parquet$")

RowPlace = tuple[int, int, int]  # which shard, row group, row in the group


@dataclass(frozen=True)
class Rows:
    """Images in rows of Parquet files."""

    paths: Sequence[Path]
    column: str
    places: Sequence[RowPlace]

    def read(self, index: int) -> bytes:
        which, group, row = self.places[index]
        with _described(self.paths[which]):
            image = _row_group(self.paths[which], self.column, group)[row].as_py()
        content = image["bytes"] if isinstance(image, dict) else image
        if content is None:
            raise OSError("the row holds no image")
        return content

    def position(self, index: int) -> RowPlace:
        return self.places[index]


def open_parquet(shards: Sequence[Path], class_ids: tuple[str, ...]) -> ImageSet:
    """The set in Parquet shards; DataError if they have no images or labels, or without pyarrow."""
    schema = _open(shards[0]).schema_arrow
    image = _column(shards[0], schema, IMAGE_COLUMNS)
    label = _column(shards[0], schema, LABEL_COLUMNS)
    names = class_ids_in_metadata(schema, label)
    rows = [row for which in range(len(shards)) for row in _rows(shards, which, image, label)]
    written = {name: _class_text(name, value, names) for name, value, _ in rows}
    labels = resolve_classes(shards[0], written, class_ids)
    return arrange(
        [Item(name, labels.of[name], place) for name, _, place in rows if name in labels.of],
        partial(Rows, shards, image),
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
    text = "{n} shards are not here, by the names of the others"
    return finding("missing shard", expected - {shard.name for shard in shards}, text)


def _open(path: Path) -> Any:
    """The Parquet file; DataError if it is none, or pyarrow is not installed."""
    try:
        import pyarrow.lib
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            "the data set is in Parquet files, and pyarrow is not installed",
            where=path.parent,
            remedy="Install it with: pip install 'vanbench[parquet]'",
        ) from error
    with _described(path):
        return pyarrow.parquet.ParquetFile(path)


@contextmanager
def _described(path: Path) -> Iterator[None]:
    """Errors of Arrow while a file is read become a DataError about the file."""
    import pyarrow.lib

    try:
        yield
    except (pyarrow.lib.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"not a complete Parquet file: {reason}",
            where=path,
            remedy="Copy or download it again.",
        ) from error


@lru_cache(maxsize=CACHED_GROUPS)
def _row_group(path: Path, column: str, group: int) -> Any:
    # Without threads: those of Arrow do not survive a fork into worker processes.
    return _open(path).read_row_group(group, columns=[column], use_threads=False)[column]


def _column(path: Path, schema: Any, wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if name in schema.names:
            return name
    raise DataError(
        f"expected a column {' or '.join(wanted)}, found {', '.join(schema.names)}",
        where=path,
        remedy="Rename the column.",
    )


def _rows(
    shards: Sequence[Path], which: int, image: str, label: str
) -> list[tuple[str, Any, RowPlace]]:
    """(name, label as written, place) of each row of a shard, without reading the images."""
    file = _open(shards[which])
    has_path = f"{image}.path" in {c.path for c in _leaves(file)}
    rows: dict[str, tuple[str, Any, RowPlace]] = {}
    for group in range(file.num_row_groups):
        columns = [label, f"{image}.path"] if has_path else [label]
        with _described(shards[which]):
            table = file.read_row_group(group, columns=columns, use_threads=False)
        written = table[label].to_pylist()
        paths = [v["path"] for v in table[image].to_pylist()] if has_path else [None] * len(written)
        for row, (path, value) in enumerate(zip(paths, written, strict=True)):
            name = f"{shards[which].name}/{path or f'{len(rows):08d}'}"
            if name in rows:  # not unique, such as image.jpg in every row
                name = f"{shards[which].name}/{len(rows):08d}/{basename(name)}"
            rows[name] = (name, value, (which, group, row))
    return list(rows.values())


def _leaves(file: Any) -> list[Any]:
    return [file.schema.column(i) for i in range(len(file.schema))]


def _class_text(name: str, written: Any, names: Sequence[str]) -> str:
    """The class of a row: a class id if the row or its file name states one, else as written."""
    if isinstance(written, str):
        return written
    if isinstance(written, int) and 0 <= written < len(names):
        return names[written]
    match = _CLASS_ID_AT_END.search(name)
    return match[1] if match else str(written)


def class_ids_in_metadata(schema: Any, column: str) -> Sequence[str]:
    """The class ids that the file's metadata list for its labels; empty if these are words."""
    raw = (schema.metadata or {}).get(b"huggingface")
    info = json.loads(raw).get("info", {}) if raw else {}
    names = info.get("features", {}).get(column, {}).get("names") or []
    return names if all(re.fullmatch(r"n\d{8}", name) for name in names) else []
