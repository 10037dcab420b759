"""Where a report's content comes from: records, benchmark records, stored predictions."""

import glob
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vanbench.errors import RecordError
from vanbench.html_report.stored import PredictionSummary, summarize
from vanbench.prediction_store.store import FILE, Store
from vanbench.report import bench_records, runtime_records
from vanbench.report.bench_records import BenchRecord
from vanbench.report.rows import ModelRow, rows_on_record
from vanbench.report.runtime_records import RuntimesRecord
from vanbench.zoo.entries import Zoo

Benched = TypeVar("Benched", BenchRecord, RuntimesRecord)


@dataclass(frozen=True)
class Sources:
    """What a report is made of.

    ``bench_problems`` are benchmark records that cannot be used; ``no_predictions`` is why there is
    no summary of stored predictions.
    """

    zoo: Zoo
    rows: tuple[ModelRow, ...]
    benches: tuple[BenchRecord, ...]
    bench_problems: tuple[str, ...]
    predictions: PredictionSummary | None
    no_predictions: str
    runtimes: tuple[RuntimesRecord, ...] = ()


def gather(zoo: Zoo, results: Path) -> Sources:
    """All that is on record of a zoo's models.

    RecordError if the record of a model cannot be used: a report without it would be wrong.
    """
    rows = tuple(rows_on_record(zoo, results))
    benches, problems = _benches(zoo, results / "bench", bench_records.read)
    folder = results / "bench" / runtime_records.FOLDER
    runtimes, others = _benches(zoo, folder, runtime_records.read)
    problems += others
    predictions, why = _predictions(results / FILE, [entry.name for entry in zoo.entries])
    return Sources(zoo, rows, benches, problems, predictions, why, runtimes)


def _benches(
    zoo: Zoo, folder: Path, read: Callable[[Path], Benched]
) -> tuple[tuple[Benched, ...], tuple[str, ...]]:
    """The benchmark records of a folder, and why others cannot be used."""
    found, problems = [], []
    for name, path in _bench_files(zoo, folder):
        try:
            record = read(path)
        except RecordError as error:
            problems.append(str(error))
            continue
        if record.name == name:
            found.append(record)
        else:
            problems.append(f"{path}: expected the benchmark of {name}, found {record.name}.")
    return tuple(found), tuple(problems)


def _bench_files(zoo: Zoo, folder: Path) -> Iterator[tuple[str, Path]]:
    """The model and the file of each record, in the order of the zoo; fp32 on a CPU first."""
    for entry in zoo.entries:
        plain = folder / f"{entry.name}.json"
        if plain.exists():
            yield entry.name, plain
        for path in sorted(folder.glob(f"{glob.escape(entry.name)}.*.json")):
            yield entry.name, path


def _predictions(path: Path, models: Sequence[str]) -> tuple[PredictionSummary | None, str]:
    """The summary, or why there is none."""
    if not path.exists():
        return None, ""
    try:
        with Store(path, create=False) as store:
            return summarize(store, models), ""
    except RecordError as error:
        return None, str(error)
