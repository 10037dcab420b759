"""``vanbench list``."""

from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath

import click
from typing_extensions import TypedDict

from vanbench.cli.failures import exit_for
from vanbench.cli.options import Settings, common_options
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import counted, next_command
from vanbench.cli.tables import Column
from vanbench.errors import ErrorJson, NoFileError, VanbenchError, error_json
from vanbench.model.architecture import Architecture
from vanbench.model.torchvision_architecture import AnyArchitectureDict
from vanbench.zoo.addresses import public_url
from vanbench.zoo.each import for_each
from vanbench.zoo.entries import Entry, Zoo
from vanbench.zoo.reported import Reported


class ReportedFigures(TypedDict):
    """The published figures of a model."""

    params_m: float | None
    """Parameters, in millions; null if none are reported."""
    flops_g: float | None
    """FLOPs, in billions; null if none are reported."""
    top1: float | None
    """Top-1, in percent; null if none is reported."""
    top5: float | None
    """Top-5, in percent; null if none is reported."""


class ReportedTexts(TypedDict):
    """The published figures of a model as printed, with their precision."""

    params_m: str | None
    """Parameters, in millions; null if none are reported."""
    flops_g: str | None
    """FLOPs, in billions; null if none are reported."""
    top1: str | None
    """Top-1, in percent; null if none is reported."""
    top5: str | None
    """Top-5, in percent; null if none is reported."""


class ListedModel(TypedDict):
    """What the zoo says of one model."""

    name: str
    """The model, ARCH.TAG."""
    aliases: list[str]
    """Other names of the model."""
    architecture: AnyArchitectureDict
    """The architecture that the zoo declares."""
    reported: ReportedFigures
    """The published figures."""
    reported_text: ReportedTexts
    """The published figures as printed."""
    source: str
    """Where the figures were published."""
    pretrain: str | None
    """What the source says of the pre-training; null if it says nothing."""
    config: str | None
    """The configuration that the source names; null if it names none."""
    note: str | None
    """What the source says of the checkpoint; null if it says nothing."""
    url: str | None
    """The address of the checkpoint, without secrets; a file of this machine by its name; null if
    there is no file."""
    file: str | None
    """The published name of the checkpoint file; null if there is no file."""
    no_file: str | None
    """Why there is no file; null if there is one."""
    in_cache: bool | None
    """Whether the cache has a file of this name; null where the cache could not be read."""
    error: ErrorJson | None
    """Why the cache could not be read; null if it could."""


class Document(TypedDict):
    """The models of a zoo with their reported figures."""

    zoo: str
    """The name of the zoo."""
    title: str
    """What the zoo is, in a few words."""
    source: str
    """Where the zoo's figures were published."""
    citation: str | None
    """How to cite the source; null if the zoo does not say."""
    models: list[ListedModel]
    """The models, in the order of the zoo."""


@click.command(epilog="\b\nExamples:\n  vanbench list\n  vanbench list --zoo demo --json")
@common_options
def command(settings: Settings) -> None:
    """List the models of a zoo and their reported numbers.

    Also says which checkpoint files are in the cache. With -v, also what the source says of the
    training, its configuration files, and how to cite it.
    """
    zoo = settings.zoo
    cached, errors = for_each(zoo.entries, partial(_in_cache, settings=settings))
    if settings.as_json:
        print_json(**_document(zoo, cached, errors))
    else:
        _print(zoo, cached)
        if settings.verbose:
            _print_background(zoo)
        _print_answer(zoo, cached)
    exit_for(errors)


def _in_cache(entry: Entry, settings: Settings) -> bool:
    from vanbench.download.cache import in_cache
    from vanbench.download.obtain import wanted_file

    return in_cache(wanted_file(entry), settings.cache)


COLUMNS: list[str | Column] = [
    "model",
    Column("embed dims", drop=4),
    Column("depths", drop=3),
    ">params M",
    ">FLOPs G",
    ">Top-1 %",
    Column(">Top-5 %", drop=1),
    Column("pretrain", drop=2),
    "in cache",
]
CACHED = {True: "yes", False: "no", None: "unknown"}


def _print(zoo: Zoo, cached: Mapping[str, bool]) -> None:
    """One table, without a column that is empty."""
    rows = [_row(entry, cached.get(entry.name)) for entry in zoo.entries]
    kept = [i for i in range(len(COLUMNS)) if any(row[i] for row in rows)]
    print_table(
        [COLUMNS[i] for i in kept],
        [[row[i] for i in kept] for row in rows],
        title=f"{zoo.title} (reported numbers)",
    )


def _row(entry: Entry, cached: bool | None) -> list[str]:
    architecture, claims = entry.architecture, entry.claims
    figures = (claims.params_m, claims.flops_g, claims.top1, claims.top5)
    van = architecture if isinstance(architecture, Architecture) else None
    return [
        entry.name,
        " ".join(map(str, van.embed_dims)) if van else "",
        " ".join(map(str, van.depths)) if van else "",
        *(figure.text if figure else "–" for figure in figures),
        entry.pretrain or "",
        NoFileError.status if entry.no_file else CACHED[cached],
    ]


def _print_background(zoo: Zoo) -> None:
    """What the source says of the training, and how to cite it."""
    notes = list(dict.fromkeys(entry.note for entry in zoo.entries if entry.note))
    training = [
        [
            entry.name,
            PurePosixPath(public_url(entry.config or "")).name,
            f"[{notes.index(entry.note) + 1}]" if entry.note else "",
        ]
        for entry in zoo.entries
    ]
    if any(cell for row in training for cell in row[1:]):
        print_table(["model", Column("config", fit="middle"), "note"], training)
    for number, note in enumerate(notes, 1):
        echo(f"[{number}] {note}")
    if zoo.citation:
        echo(f"Citation:\n{zoo.citation.strip()}", multiline=True)
    if notes or zoo.citation:
        echo()


def _print_answer(zoo: Zoo, cached: Mapping[str, bool]) -> None:
    here = sum(cached.values())
    files = sum(not entry.no_file for entry in zoo.entries)
    source = public_url(zoo.source)
    echo(f"Source: {source}", wrap="://" not in source)
    models = counted(len(zoo.entries), "model")
    echo(f"{models}; {here} of {files} files in the cache." if files else f"{models}, no files.")
    step = "verify" if here == files else "download"
    echo(f"Next: {next_command(step, '--all')}", wrap=False)


def _document(
    zoo: Zoo, cached: Mapping[str, bool], errors: Mapping[str, VanbenchError]
) -> Document:
    return {
        "zoo": zoo.name,
        "title": zoo.title,
        "source": public_url(zoo.source),
        "citation": zoo.citation,
        "models": [
            _model_json(entry, cached.get(entry.name), errors.get(entry.name))
            for entry in zoo.entries
        ],
    }


def _model_json(entry: Entry, cached: bool | None, error: VanbenchError | None) -> ListedModel:
    texts = _texts(entry)
    return {
        "name": entry.name,
        "aliases": list(entry.aliases),
        "architecture": entry.architecture.as_dict(),
        "reported": {
            "params_m": _number(texts["params_m"]),
            "flops_g": _number(texts["flops_g"]),
            "top1": _number(texts["top1"]),
            "top5": _number(texts["top5"]),
        },
        "reported_text": texts,
        "source": public_url(entry.source),
        "pretrain": entry.pretrain,
        "config": public_url(entry.config) if entry.config else None,
        "note": entry.note,
        "url": entry.public_url or None,
        "file": entry.filename or None,
        "no_file": entry.no_file,
        "in_cache": cached,
        "error": error_json(error) if error else None,
    }


def _texts(entry: Entry) -> ReportedTexts:
    claims = entry.claims
    return {
        "params_m": _text(claims.params_m),
        "flops_g": _text(claims.flops_g),
        "top1": _text(claims.top1),
        "top5": _text(claims.top5),
    }


def _text(figure: Reported | None) -> str | None:
    return figure.text if figure else None


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
