"""``vanbench list``."""

from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import click

from vanbench.cli.failures import exit_for
from vanbench.cli.options import Settings, common_options
from vanbench.cli.output import echo, print_json, print_table
from vanbench.zoo.addresses import public_url
from vanbench.zoo.each import for_each
from vanbench.zoo.entries import Claims, Entry, Zoo

if TYPE_CHECKING:
    from vanbench.typed_json import Json


@click.command(epilog="\b\nExamples:\n  vanbench list\n  vanbench list --zoo demo --json")
@common_options
def command(settings: Settings) -> None:
    """List the models of a zoo and their reported numbers.

    Also says which checkpoint files are in the cache.
    """
    zoo = settings.zoo
    cached, errors = for_each(zoo.entries, partial(_in_cache, settings=settings))
    if settings.as_json:
        print_json(
            zoo=zoo.name,
            title=zoo.title,
            source=public_url(zoo.source),
            citation=zoo.citation,
            models=[_as_json(entry, cached.get(entry.name)) for entry in zoo.entries],
        )
    else:
        _print(zoo, cached)
    exit_for(errors)


def _print(zoo: Zoo, cached: dict[str, bool]) -> None:
    """Two tables, each narrow enough for a terminal, and what the source says of all models."""
    print_table(
        ["model", "embed dims", "depths", ">params M", ">FLOPs G", ">Top-1 %", ">Top-5 %", "file"],
        [_as_row(entry, cached.get(entry.name)) for entry in zoo.entries],
        title=f"{zoo.title} (reported numbers)",
    )
    notes = list(dict.fromkeys(entry.note for entry in zoo.entries if entry.note))
    training = [_training_row(entry, notes) for entry in zoo.entries]
    if any(cell for row in training for cell in row[1:]):
        print_table(["model", "pretrain", "config", "note"], training)
    for number, note in enumerate(notes, 1):
        echo(f"[{number}] {note}")
    echo(f"Source: {public_url(zoo.source)}")
    if zoo.citation:
        echo(f"Citation:\n{zoo.citation.strip()}", multiline=True)


def _texts(claims: Claims) -> list[str | None]:
    figures = (claims.params_m, claims.flops_g, claims.top1, claims.top5)
    return [figure.text if figure else None for figure in figures]


def _in_cache(entry: Entry, settings: Settings) -> bool:
    from vanbench.download.cache import in_cache
    from vanbench.download.obtain import wanted_file

    return in_cache(wanted_file(entry), settings.cache)


def _as_row(entry: Entry, cached: bool | None) -> list[str]:
    dims = " ".join(map(str, entry.architecture.embed_dims))
    depths = " ".join(map(str, entry.architecture.depths))
    where = {True: "in the cache", False: "not in the cache", None: "not known"}[cached]
    return [entry.name, dims, depths, *(text or "–" for text in _texts(entry.claims)), where]


def _training_row(entry: Entry, notes: list[str]) -> list[str]:
    """What the source says of the training; empty cells where it says nothing."""
    config = PurePosixPath(public_url(entry.config or "")).name
    note = f"[{notes.index(entry.note) + 1}]" if entry.note else ""
    return [entry.name, entry.pretrain or "", config, note]


def _as_json(entry: Entry, cached: bool | None) -> "Json":
    texts = dict(zip(("params_m", "flops_g", "top1", "top5"), _texts(entry.claims), strict=True))
    return {
        "name": entry.name,
        "architecture": entry.architecture.as_dict(),
        "reported": {name: text and float(text) for name, text in texts.items()},
        "reported_text": texts,
        "source": public_url(entry.source),
        "pretrain": entry.pretrain,
        "config": public_url(entry.config) if entry.config else None,
        "note": entry.note,
        "url": entry.public_url,
        "file": entry.filename,
        "in_cache": cached,
    }
