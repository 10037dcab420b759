"""What ``vanbench bench`` prints of models that run as they are."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from vanbench.cli.output import print_table
from vanbench.cli.phrases import next_command
from vanbench.cli.tables import MIDDLE, Column
from vanbench.report.baseline_records import FOLDER, BaselineRecord

BUSY = 0.1  # the share of the cores that other processes may use


def print_baselines(records: Sequence[BaselineRecord]) -> None:
    """A row for each model; the rewrite, which is of VAN, does not apply to them."""
    largest = max(record.batch_size for record in records)
    columns: list[str | Column] = [
        Column("model", fit=MIDDLE),
        Column(">input", drop=2),
        ">batch 1 images/s",
        Column(">p50 ms", drop=1),
        f">batch {largest} images/s",
        Column(">memory MiB", drop=3),
    ]
    print_table(columns, [_row(record) for record in records])


def _row(record: BaselineRecord) -> list[str]:
    peak = record.reference.peak_memory
    return [
        record.name,
        str(record.resolution),
        f"{record.images_per_s(1):.1f}",
        f"{record.reference.latency_ms.p50:.1f}",
        f"{record.reference.images_per_s:.1f}",
        "–" if peak is None else f"{peak / 2**20:.0f}",
    ]


def about_baselines(records: Sequence[BaselineRecord], results: Path) -> Iterator[str]:
    """Where the records are, what makes them doubtful, and what to do next."""
    if not records:
        return
    yield (
        "Models of torchvision run as they are: the rewrite is of VAN. Records in "
        f"{results / 'bench' / FOLDER}."
    )
    busy = max(record.load.other_cores or 0.0 for record in records)
    if busy > BUSY * records[0].load.cores:
        yield f"Other processes used up to {busy:.1f} cores meanwhile: run it again."
    yield f"Next: {next_command('compare-models', shared=('results',))}"
