"""``vanbench bench``."""

import json
from typing import Any

import click

from vanbench.cli.options import Settings, common, models, option, rewriting
from vanbench.zoo.reader import Entry

EXAMPLES = """\b
Examples:
  vanbench bench van_b0
  vanbench bench --all --seconds 30
  vanbench bench van_b2 --batch-size 64 --precision bf16 --json
"""


@click.command(epilog=EXAMPLES)
@common
@models
@option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="The largest batch.  [default: 16 on a CPU, 256 on a GPU]",
)
@option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, …")
@option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="Arithmetic; fp32 is without TF32.",
)
@rewriting
@option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: one per core]")
@option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    help="For the timed runs of each model; a slow one takes longer.",
)
def command(
    settings: Settings,
    entries: tuple[Entry, ...],
    batch_size: int | None,
    device: str,
    precision: str,
    threads: int | None,
    seconds: float,
    **rewrite: Any,
) -> None:
    """Throughput, latency and peak memory: the reference model beside the optimised one.

    Both take turns in one process, and their answers are compared. The declared architecture is
    measured with drawn weights: speed does not depend on them, and no checkpoint is needed. Every
    sample is kept in the record, RESULTS/bench/MODEL.json; another device than the CPU, another
    precision than fp32, and "compile" are part of its name.
    """
    from vanbench.benchmark.bench import bench, make_plan
    from vanbench.cli.output import print_json

    plan = make_plan(device, precision, batch_size, seconds, threads, **rewrite)
    records = []
    for entry in entries:
        settings.detail(f"measuring {entry.name}")
        records.append(bench(entry.name, entry.architecture, plan, settings.detail))
        _write(settings, records[-1])
    if settings.as_json:
        print_json(models=records)
    else:
        _print(records)


def _write(settings: Settings, record: dict[str, Any]) -> None:
    from vanbench.report.records import SCHEMA, write_atomically

    unusual = [record["device"]] if record["device"] != "cpu" else []
    unusual += [record["precision"]] if record["precision"] != "fp32" else []
    unusual += ["compile"] if record["compile"] else []
    path = settings.results / "bench" / ".".join([record["name"], *unusual, "json"])
    write_atomically(path, json.dumps({"schema": SCHEMA, **record}, indent=1) + "\n")


def _print(records: list[dict[str, Any]]) -> None:
    from vanbench.cli.output import print_table

    columns = ["model", ">batch", ">reference/s", ">optimized/s", ">speed-up", ">of ceiling"]
    columns += [">p50 ms, batch 1", ">p95", ">p99", ">memory MiB, reference", ">optimized"]
    print_table(columns, [row for record in records for row in _rows(record)])
    for record in records:
        click.echo(_remark(record))


def _rows(record: dict[str, Any]) -> list[list[str]]:
    """One row a batch size; what belongs to the batch asked for, or to batch 1, stands there."""
    rows = []
    for line in record["batch_sizes"]:
        batch = line["batch_size"]
        row = [record["name"], str(batch), f"{line['reference']:.2f}", f"{line['optimized']:.2f}"]
        row += [f"{line['speedup']:.2f}", "–", "–", "–", "–", "–", "–"]
        if batch == 1:
            row[6:9] = [f"{ms:.1f}" for ms in record["optimized"]["latency_ms"].values()]
        if batch == record["batch_size"]:
            row[5] = f"{record['ceiling']['fraction']:.2f}"
            row[9:] = [
                _mebibytes(record[kind]["peak_memory"]) for kind in ("reference", "optimized")
            ]
        rows.append(row)
    return rows


def _remark(record: dict[str, Any]) -> str:
    ceiling, other = record["ceiling"], record["load"]["other_cores"]
    text = (
        f"{record['name']}: largest relative error {record['max_relative_error']:.1e}, "
        f"{'the same' if record['same_top5'] else 'ANOTHER'} Top-5; "
        f"point-wise convolutions reach {ceiling['pointwise_gmacs_per_s']:.0f} GMAC/s here, "
        f"which would be {ceiling['images_per_s']:.1f} images/s, "
        f"{ceiling['images_per_s'] / record['reference']['images_per_s']:.2f} of the reference"
    )
    if other is not None and other > 0.1 * record["load"]["cores"]:
        text += f"; others kept {other:.1f} cores busy meanwhile, so measure again"
    return text + "."


def _mebibytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 2**20:.0f}"
