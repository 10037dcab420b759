"""Parquet shards as the Hugging Face hub keeps them: a column ``image`` and a column ``label``.

Needs pyarrow, the extra ``parquet``. ``image`` holds the encoded file, alone or as the field
``bytes`` beside ``path``.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from vanbench.data.layouts.images import ImageSet, Item, arrange, basename
from vanbench.data.layouts.labels import resolve_indices
from vanbench.errors import DataError

IMAGE_COLUMNS = ("image", "jpg", "jpeg")
LABEL_COLUMNS = ("label", "cls", "fine_label")
CACHED_GROUPS = 2  # row groups kept per process: one of 100 images has about 11 MB

_CLASS_ID_AT_END = re.compile(r"_(n\d{8})\.\w+$")

Place = tuple[int, int, int]  # which shard, row group, row in the group


@dataclass(frozen=True)
class Rows:
    """Images in rows of Parquet files."""

    paths: Sequence[Path]
    column: str
    places: Sequence[Place]

    def read(self, index: int) -> bytes:
        which, group, row = self.places[index]
        image = _row_group(self.paths[which], self.column, group)[row].as_py()
        content = image["bytes"] if isinstance(image, dict) else image
        if content is None:
            raise OSError("the row holds no image")
        return content

    def position(self, index: int) -> Place:
        return self.places[index]


def open_parquet(shards: Sequence[Path], class_ids: tuple[str, ...]) -> ImageSet:
    """The set in Parquet shards; DataError if they have no images, no labels, or no pyarrow."""
    schema = _open(shards[0]).schema_arrow
    image, label = (
        _column(shards[0], schema, IMAGE_COLUMNS),
        _column(shards[0], schema, LABEL_COLUMNS),
    )
    rows = [row for which in range(len(shards)) for row in _rows(shards, which, image, label)]
    labels, findings = _as_labels(shards[0], schema, label, rows, class_ids)
    return arrange(
        [Item(name, labels[name], place) for name, _, place in rows if name in labels],
        partial(Rows, shards, image),
        layout="Parquet shards",
        path=shards[0].parent,
        class_ids=class_ids,
        findings=findings,
    )


def _open(path: Path) -> Any:
    """The Parquet file; DataError if it is none, or pyarrow is not installed."""
    try:
        import pyarrow.lib
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"{path.parent} holds Parquet files, which need pyarrow. "
            "Install it with: pip install 'vanbench[parquet]'"
        ) from error
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.lib.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a whole Parquet file: {error}.") from error


@lru_cache(maxsize=CACHED_GROUPS)
def _row_group(path: Path, column: str, group: int) -> Any:
    # Threads of Arrow's would not survive a fork into worker processes.
    return _open(path).read_row_group(group, columns=[column], use_threads=False)[column]


def _column(path: Path, schema: Any, wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if name in schema.names:
            return name
    raise DataError(
        f"{path}: expected a column {' or '.join(wanted)}; found {', '.join(schema.names)}."
    )


def _rows(
    shards: Sequence[Path], which: int, image: str, label: str
) -> list[tuple[str, Any, Place]]:
    """(name, label as written, place) of each row of a shard, without reading the images."""
    file = _open(shards[which])
    has_path = f"{image}.path" in {c.path for c in _leaves(file)}
    rows: dict[str, tuple[str, Any, Place]] = {}
    for group in range(file.num_row_groups):
        columns = [label, f"{image}.path"] if has_path else [label]
        table = file.read_row_group(group, columns=columns, use_threads=False)
        written = table[label].to_pylist()
        paths = [v["path"] for v in table[image].to_pylist()] if has_path else [None] * len(written)
        for row, (path, value) in enumerate(zip(paths, written, strict=True)):
            name = f"{shards[which].name}/{path or f'{len(rows):08d}'}"
            if name in rows:  # a path that says nothing, such as image.jpg in every row
                name = f"{shards[which].name}/{len(rows):08d}/{basename(name)}"
            rows[name] = (name, value, (which, group, row))
    return list(rows.values())


def _leaves(file: Any) -> list[Any]:
    return [file.schema.column(i) for i in range(len(file.schema))]


def _as_labels(
    path: Path, schema: Any, column: str, rows: list[tuple[str, Any, Place]], class_ids: tuple
) -> tuple[Any, tuple]:
    """The label by name. A class id in the label, its name or the file's name decides.

    Only where there is none is the label an index in the order of the sorted ids.
    """
    label_of = {class_id: label for label, class_id in enumerate(class_ids)}
    names = class_ids_in_metadata(schema, column)
    ids = {name: _class_id(name, written, names) for name, written, _ in rows}
    if all(class_id in label_of for class_id in ids.values()):
        return {name: label_of[class_id] for name, class_id in ids.items()}, ()
    known = {name: label_of[class_id] for name, class_id in ids.items() if class_id in label_of}
    indices = {name: written for name, written, _ in rows if name not in known}
    bad = next((f"{n}: {w!r}" for n, w in indices.items() if not _is_index(w)), None)
    if bad is not None or known:
        found = bad or f"{next(iter(indices))}, whose class is not among the known ones"
        raise DataError(f"{path}: expected a known class id or index for each row; found {found}.")
    labels = resolve_indices(path, indices, class_ids)
    return labels.of, labels.findings


def _is_index(written: Any) -> bool:
    return isinstance(written, int) and written >= 0


def _class_id(name: str, written: Any, names: Sequence[str]) -> str | None:
    """The class id that a row itself states, or None."""
    if isinstance(written, str):
        return written
    if _is_index(written) and written < len(names):
        return names[written]
    match = _CLASS_ID_AT_END.search(name)
    return match[1] if match else None


def class_ids_in_metadata(schema: Any, column: str) -> Sequence[str]:
    """The class ids that the file's metadata name for its labels; empty where they are words."""
    raw = (schema.metadata or {}).get(b"huggingface")
    info = json.loads(raw).get("info", {}) if raw else {}
    names = info.get("features", {}).get(column, {}).get("names") or []
    return names if all(re.fullmatch(r"n\d{8}", name) for name in names) else []
