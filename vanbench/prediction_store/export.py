"""Predictions as tables: one row per image, in CSV or Parquet."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vanbench.errors import DataError

FIVE = 5
TOP = [f"top{i}" for i in range(1, FIVE + 1)]
LOGITS = [f"logit{i}" for i in range(1, FIVE + 1)]
COLUMNS = ["image", "sha256", "class", "correct1", "correct5", *TOP, *LOGITS]


@dataclass(frozen=True)
class PredictionRow:
    """What a run said about one image; ``top`` are class ids, best first, with their logits."""

    name: str
    sha256: str
    wnid: str
    top: tuple[str, ...]
    logits: tuple[float, ...]

    @property
    def correct1(self) -> bool:
        """Whether the first choice is right."""
        return self.wnid in self.top[:1]

    @property
    def correct5(self) -> bool:
        """Whether one of the five is right."""
        return self.wnid in self.top

    def cells(self) -> list:
        """The values of COLUMNS; None where a model has fewer than five classes."""
        missing = [None] * (FIVE - len(self.top))
        right = [int(self.correct1), int(self.correct5)]
        return [
            self.name, self.sha256, self.wnid, *right, *self.top, *missing, *self.logits, *missing
        ]  # fmt: skip


def write(path: Path, rows: Iterable[PredictionRow]) -> int:
    """Write the rows to a ``.csv`` or ``.parquet`` file; how many there were."""
    rows = list(rows)
    if path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(row.cells() for row in rows)
    elif path.suffix == ".parquet":
        _write_parquet(path, rows)
    else:
        raise DataError(f"{path}: predictions are written to a .csv or a .parquet file.")
    return len(rows)


def _write_parquet(path: Path, rows: list[PredictionRow]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            "Writing Parquet needs pyarrow. Install it with: pip install 'vanbench[parquet]'"
        ) from error
    cells = [row.cells() for row in rows]
    columns = {name: [row[i] for row in cells] for i, name in enumerate(COLUMNS)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def read_csv(path: Path) -> Iterator[PredictionRow]:
    """The rows of a file that ``write`` wrote; DataError if it is another one."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != COLUMNS:
                raise DataError(
                    f"{path}: expected the columns {', '.join(COLUMNS)}; found "
                    f"{', '.join(reader.fieldnames or ['none'])}. "
                    "Write such files with: vanbench predictions RUN --write FILE"
                )
            yield from (_row(cells) for cells in reader)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path}: the predictions cannot be read: {error}.") from error


def _row(cells: dict[str, str]) -> PredictionRow:
    return PredictionRow(
        cells["image"],
        cells["sha256"],
        cells["class"],
        tuple(cells[name] for name in TOP if cells[name]),
        tuple(float(cells[name]) for name in LOGITS if cells[name]),
    )
