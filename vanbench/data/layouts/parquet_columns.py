"""The columns of a Parquet file that are read, and their types; opening such a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from vanbench.errors import DataError
from vanbench.outside.files import check_regular
from vanbench.outside.safe_text import for_terminal

IMAGE_COLUMNS = ("image", "jpg", "jpeg")
LABEL_COLUMNS = ("label", "cls", "fine_label")

CACHED_METADATA = 16  # files

# Names of tests in pyarrow.types, some of which not every version has.
_TEXT = ("is_string", "is_large_string", "is_string_view")
_BYTES = ("is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view")


@dataclass(frozen=True)
class Columns:
    """The columns of a file that are read."""

    image: str
    content: str  # the path of the encoded images: ``image`` or a part of it
    label: str
    texts: tuple[str, ...]  # the paths of those that hold text: classes, names of images
    path: str | None  # the path of the images' names


def find_columns(path: Path) -> Columns:
    """The columns of a file; DataError if they are missing or do not have the right types."""
    schema = open_file(path).schema_arrow
    with described(path):
        image = _column(path, schema, IMAGE_COLUMNS)
        label = _column(path, schema, LABEL_COLUMNS)
        of_image, of_label = (schema.field(name).type for name in (image, label))
        parts = {part.name: part.type for part in of_image} if _is(("is_struct",), of_image) else {}
    if not _is(_BYTES, parts.get("bytes", of_image)):
        raise _wrong_type(path, image, of_image, "the encoded images, alone or as its part bytes")
    if not _is(("is_integer", *_TEXT), of_label):
        raise _wrong_type(path, label, of_label, "class ids or integers")
    path_of_names = f"{image}.path" if "path" in parts and _is(_TEXT, parts["path"]) else None
    texts = (label if _is(_TEXT, of_label) else None, path_of_names)
    return Columns(
        image=image,
        content=f"{image}.bytes" if parts else image,
        label=label,
        texts=tuple(name for name in texts if name),
        path=path_of_names,
    )


def _column(path: Path, schema: Any, wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if schema.names.count(name) == 1:
            return name
    found = for_terminal(", ".join(schema.names[:20]), most=200)
    raise DataError(
        f"expected a column {' or '.join(wanted)}, found {found}",
        where=path,
        remedy="Rename the column.",
    )


def _is(tests: tuple[str, ...], found: Any) -> bool:
    """Whether a type, or that of a dictionary's values, passes any of these tests."""
    import pyarrow.types as types

    plain = found.value_type if types.is_dictionary(found) else found
    return any(getattr(types, test)(plain) for test in tests if hasattr(types, test))


def _wrong_type(path: Path, column: str, found: Any, expected: str) -> DataError:
    return DataError(
        f"expected in the column {column} {expected}; found "
        f"{for_terminal(' '.join(str(found).split()), most=200)}",
        where=path,
        remedy="Write the images themselves into the file, not their addresses, and their classes "
        "as class ids or indices.",
    )


def open_file(path: Path, **options: Any) -> Any:
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
    found = check_regular(path, DataError)
    with described(path):
        known = _metadata(path, (found.st_size, found.st_mtime_ns))
        return pyarrow.parquet.ParquetFile(path, metadata=known, **options)


@lru_cache(maxsize=CACHED_METADATA)
def _metadata(path: Path, state: tuple[int, int]) -> Any:
    """What Arrow knows of a file, which takes long to read when it has many row groups."""
    import pyarrow.parquet

    return pyarrow.parquet.read_metadata(path)


@contextmanager
def described(path: Path) -> Iterator[None]:
    """Whatever Arrow raises while a file is read becomes a DataError about the file."""
    import pyarrow.lib

    try:
        yield
    except (
        pyarrow.lib.ArrowException,
        OSError,
        ValueError,  # also text that is not UTF-8
        LookupError,
        TypeError,
        OverflowError,
        MemoryError,
    ) as error:
        reason = for_terminal(" ".join(str(error).split()), most=300)
        raise DataError(
            f"not a complete Parquet file: {reason}",
            where=path,
            remedy="Copy or download it again.",
        ) from error
