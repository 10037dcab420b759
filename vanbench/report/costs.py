"""What checking a whole zoo costs, for a document: the files to download, the time on a CPU.

Each is a sentence if the zoo and the records on hand tell it for every model; else it is left out.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from vanbench.outside.safe_text import for_markdown
from vanbench.progress import BEFORE_UNIT, duration, size_of
from vanbench.report import bench_records
from vanbench.report.bench_records import BenchRecord
from vanbench.report.records import HAVE_FILE
from vanbench.report.rows import ModelRow
from vanbench.zoo.entries import Entry

BYTES = 4  # of a parameter in fp32
FEWER = 2000  # images of a shorter run


def costs(rows: Sequence[ModelRow], results: Path, link: str) -> str:
    """The costs as a list in GitHub Markdown; empty if nothing is known.

    ``link`` is the address of the benchmark records under ``results``. RecordError if one of them
    cannot be used.
    """
    sentences = filter(None, (_download(rows), _time(rows, results, link)))
    return "\n".join(f"- {BEFORE_UNIT.sub('&nbsp;', sentence)}" for sentence in sentences)


def _download(rows: Iterable[ModelRow]) -> str:
    """The size of all files that are not on this machine; those of one address are one file."""
    published = [row for row in rows if row.entry.urls]
    remote = {
        row.entry.urls[0]: row for row in published if not row.entry.urls[0].startswith("file:")
    }
    known = [_recorded_size(row) for row in remote.values()]
    sizes = [size or _estimated_size(row) for size, row in zip(known, remote.values(), strict=True)]
    if not sizes or None in sizes:
        return ""
    total = size_of(sum(filter(None, sizes)))
    files = f"{len(sizes)} checkpoint files" if len(sizes) > 1 else "1 checkpoint file"
    estimated = f", if each parameter takes {BYTES} bytes" if None in known else ""
    return f"Download: {files} of {total}{' in total' if len(sizes) > 1 else ''}{estimated}."


def _recorded_size(row: ModelRow) -> int | None:
    """The bytes of the file that was there; None if none was."""
    checkpoint = row.record.checkpoint
    return checkpoint.bytes if checkpoint and checkpoint.status in HAVE_FILE else None


def _estimated_size(row: ModelRow) -> int | None:
    """The bytes of the parameters: as counted, else as corrected, else as claimed."""
    corrected = row.entry.erratum.corrected.params_m if row.entry.erratum else None
    claimed = corrected or row.entry.claims.params_m
    millions = row.params.measured or (claimed and claimed.value)
    return round(BYTES * millions * 10**6) if millions else None


def _time(rows: Iterable[ModelRow], results: Path, link: str) -> str:
    """How long the models with reported accuracies take, one after the other, on one CPU."""
    entries = [row.entry for row in rows if row.top1.reported or row.top5.reported]
    records = [record for entry in entries if (record := _bench(entry, results))]
    machines = {(record.environment.cpu, record.environment.threads) for record in records}
    numbers = {entry.claimed_images for entry in entries}
    if len(records) < len(entries) or len(machines) != 1 or len(numbers) != 1:
        return ""
    (images,), ((cpu, cores),) = numbers, machines
    if images is None:
        return ""
    per_image = sum(1 / record.optimized.images_per_s for record in records)
    models = f"{len(records)} models" if len(records) > 1 else "1 model"
    text = (
        f"Time: {duration(images * per_image)} for {models} × {images:,} images on {cores} "
        f"{'cores' if cores > 1 else 'core'} of a CPU ({for_markdown(cpu)}), at the speeds in "
        f"[`{link}`]({link}), without decoding the images"
    )
    if images > FEWER:
        text += f"; with `--limit {FEWER}`, {duration(FEWER * per_image)}"
    return f"{text}."


def _bench(entry: Entry, results: Path) -> BenchRecord | None:
    """The record of the default run on a CPU: fp32, not compiled; None without one of this network.

    Records are named by model alone: one of another zoo may be of another architecture.
    """
    path = results / "bench" / f"{entry.name}.json"
    if not path.exists():
        return None
    record = bench_records.read(path)
    found = (record.name, record.architecture, record.resolution, record.variant)
    expected = (entry.name, entry.architecture, entry.protocol.center_crop, ())
    return record if found == expected else None
