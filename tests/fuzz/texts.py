"""Zoos, records, documents and notes."""

import json
import random
import tomllib
from pathlib import Path
from typing import Any

import click

from tests.fuzz.kind import Kind
from tests.fuzz.mutators import json_value, toml_value
from tests.support.recorded import entry_in, full_record
from tests.support.runtimes import runtimes_record
from vanbench.cli.options import rewriting_options
from vanbench.download.partial import Origin, Part
from vanbench.errors import VanbenchError, ZooError
from vanbench.model.expected_counts import expected_flops, expected_params
from vanbench.outside.text import read_text
from vanbench.report import bench_records, markers, record_files, runtime_records
from vanbench.report.runtime_chart import runtime_chart
from vanbench.zoo.advice import advice
from vanbench.zoo.importing.convert import MOST_BYTES, import_zoo
from vanbench.zoo.reader import load_zoo

ROOT = Path(__file__).parents[2]


def _zoo(folder: Path) -> list[Path]:
    for name in ("openmmlab", "demo"):
        (folder / f"{name}.toml").write_bytes((ROOT / f"vanbench/zoos/{name}.toml").read_bytes())
    entry_in(folder)
    return sorted(folder.glob("*.toml"))


def _read_zoo(folder: Path, path: Path) -> Any:
    """The entries, and the counts of each, which tables compute from what the zoo declares."""
    zoo = load_zoo(str(path))
    counts = [
        (expected_params(entry.architecture), expected_flops(entry.architecture, 224))
        for entry in zoo.entries
    ]
    return repr(zoo.entries), repr(counts)


def _published(folder: Path) -> list[Path]:
    for name in ("readme.md", "metafile.yml"):
        (folder / name).write_bytes((ROOT / "tests/fixtures/zoo" / name).read_bytes())
    return sorted(folder.iterdir())


def _read_published(folder: Path, path: Path) -> Any:
    """The zoo that is made of a page; what it advises has to be made without a failure, too."""
    imported = import_zoo(read_text(path, most=MOST_BYTES, error=ZooError), path.name)
    zoo, found = advice(path, tomllib.loads(imported.text))
    assert zoo is not None, "what was written cannot be read"
    return repr((zoo.entries, found))


def _record(folder: Path) -> list[Path]:
    record_files.write(folder, full_record(entry_in(folder)))
    return [folder / "zoo" / "van_test.in1k.json"]


def _read_record(folder: Path, path: Path) -> Any:
    entry = load_zoo(str(folder / "zoo.toml")).find("van_test.in1k")
    return repr(record_files.read(folder, "zoo", entry))


def _bench(folder: Path) -> list[Path]:
    for name in ("van_b6.in21k", "van_b2.in1k"):
        content = (ROOT / f"results/bench/{name}.json").read_bytes()
        (folder / f"{name}.json").write_bytes(content)
    return sorted(folder.iterdir())


def _read_bench(folder: Path, path: Path) -> Any:
    return repr(bench_records.read(path).as_json())


def _runtimes(folder: Path) -> list[Path]:
    return [runtime_records.write(folder, runtimes_record())]


def _read_runtimes(folder: Path, path: Path) -> Any:
    """The record, and the chart that is made of it."""
    record = runtime_records.read(path)
    return repr((record, runtime_chart(record)))


def _readme(folder: Path) -> list[Path]:
    path = folder / "README.md"
    path.write_text(f"# Title\n\n{markers.BEGIN}\n\n| old |\n\n{markers.END}\n\nAfter.\n")
    return [path]


def _read_readme(folder: Path, path: Path) -> Any:
    difference = markers.difference(path, "| new |")
    markers.write(path, "| new |")
    assert not markers.difference(path, "| new |"), "what was written is not up to date"
    return difference.partition("\n@@")[2]


def _note(folder: Path) -> list[Path]:
    part = Part(folder, "van.pth")
    part.begin(Origin("https://example.org/van.pth", '"tag"', "Mon, 01 Jan 2024", 12345))
    part.path.write_bytes(b"x" * 100)
    return [part.note]


def _read_note(folder: Path, path: Path) -> Any:
    origin = Part(folder, "van.pth").origin
    if origin is None:  # the download then starts from zero
        raise VanbenchError("where the bytes are from is not known")
    return repr((origin, origin.validator))


def _choices(folder: Path) -> list[Path]:
    choices = {"regroup": [True, False, True, True], "pack": False, "part_bytes": 5,
               "micro_batch": 2, "parallel": True}  # fmt: skip
    (folder / "choices.json").write_text(json.dumps(choices))
    return [folder / "choices.json"]


@click.command()
@rewriting_options
def _command(rewrite: Any, **_: Any) -> Any:
    return rewrite


def _read_choices(folder: Path, path: Path) -> Any:
    """As an argument on the command line, which cannot have NUL in it."""
    text = path.read_bytes().replace(b"\0", b"").decode("utf-8", "surrogateescape")
    return repr(_command.main(["--choices", text], standalone_mode=False))


def toml_with_odd_architecture(data: bytes, chance: random.Random) -> bytes:
    """Numbers anywhere become large, zero or negative ones."""
    import re

    numbers = [match.span() for match in re.finditer(rb"\b\d+\b", data)]
    for start, end in sorted(chance.sample(numbers, 2), reverse=True):
        odd = chance.choice((b"0", b"-1", b"99999", b"1000000", b"9" * 18, b"9" * 30, b"9" * 5000))
        data = data[:start] + odd + data[end:]
    return data


KINDS = {
    "zoo": Kind(_zoo, _read_zoo, (toml_value, toml_value, toml_with_odd_architecture)),
    "published-table": Kind(_published, _read_published),
    "record": Kind(_record, _read_record, (json_value,)),
    "bench-record": Kind(_bench, _read_bench, (json_value,)),
    "runtimes-record": Kind(_runtimes, _read_runtimes, (json_value,)),
    "readme": Kind(_readme, _read_readme),
    "part-note": Kind(_note, _read_note, (json_value,)),
    "choices": Kind(_choices, _read_choices, (json_value,)),
}
