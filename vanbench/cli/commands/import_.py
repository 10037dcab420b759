"""``vanbench import``."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.model_names import select
from vanbench.cli.options import Settings, common_options, model_argument
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import counted, next_command
from vanbench.cli.tables import Column
from vanbench.errors import ErrorJson, MissingError, error_json
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.download.import_local import Imported

EXAMPLES = """\b
Examples:
  vanbench import ~/Downloads
  vanbench import /data/checkpoints van_b0 van_b6
"""


FEW = 4  # models that are named one by one


class ImportedModel(TypedDict):
    """What became of the file of one model."""

    name: str
    """The model, ARCH.TAG."""
    status: str
    """``linked`` or ``copied`` into the cache, ``present`` (it was there already), ``missing``, or
    ``unverifiable`` (no hash was published to recognise it by), or ``no file`` (the claim has
    none)."""
    path: str | None
    """Where the cache has the file; null if it has none."""
    source: str | None
    """The file that was recognised; null if none was needed or found."""
    reason: str | None
    """Why no file was recognised; null if there is one in the cache."""
    error: ErrorJson | None
    """The same as an error; null if there is a file in the cache."""


class Document(TypedDict):
    """Which models' files were recognised and are in the cache now."""

    models: list[ImportedModel]
    """The models that were asked for, or all of the zoo, in its order."""


@click.command("import", epilog=EXAMPLES)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@model_argument(nargs=-1)
@common_options
def command(settings: Settings, folder: Path, model: tuple[str, ...]) -> None:
    """Import existing checkpoint files into the cache.

    Every file below DIR is hashed; those that are the files of the zoo's models (or of each MODEL),
    whatever their names, are linked into the cache, or copied where links are not possible.
    """
    from vanbench.download.import_local import import_files
    from vanbench.download.obtain import wanted_file
    from vanbench.report import record_files

    zoo = settings.zoo
    entries = select(zoo, model, everything=not model)
    wanted = [
        wanted_file(entry, record_files.read(settings.results, zoo.name, entry))
        for entry in entries
    ]
    with settings.progress(f"hashing {folder}", "files") as update:
        imports = import_files(folder, wanted, settings.cache, update)
    rows = list(zip(entries, imports, strict=True))
    if settings.as_json:
        document: Document = {"models": [_as_json(entry, found, folder) for entry, found in rows]}
        print_json(**document)
    else:
        _print(rows, settings)
    if not any(found.path for found in imports):
        echo(f"Error: {folder}: no matching checkpoint found.", err=True)
        click.get_current_context().exit(3)


def _as_json(entry: Entry, found: "Imported", folder: Path) -> ImportedModel:
    error = None
    if found.reason:
        remedy = "Import a folder that has it, or run vanbench download."
        error = error_json(MissingError(found.reason, where=folder, remedy=remedy))
    return {
        "name": entry.name,
        "status": found.status,
        "path": str(found.path) if found.path else None,
        "source": str(found.source) if found.source else None,
        "reason": found.reason,
        "error": error,
    }


def _print(rows: Sequence[tuple[Entry, "Imported"]], settings: Settings) -> None:
    """What was recognised, then what was not and why."""
    print_table(
        ["model", "status", Column("file", fit="middle")],
        [
            [entry.name, found.status, str(found.source or found.wanted.filename)]
            for entry, found in rows
        ],
    )
    reasons: dict[str, list[str]] = {}
    for entry, found in rows:
        if found.reason:
            reasons.setdefault(found.reason, []).append(entry.name)
    for reason, names in reasons.items():
        about = ", ".join(names) if len(names) < FEW else counted(len(names), "model")
        echo(f"{about}: {reason}.")
    echo(f"Folder: {settings.cache}", wrap=False)
    echo(_sentence([found for _, found in rows]))
    here = [entry.name for entry, found in rows if found.path]
    step = ["verify", *here] if here else ["download", *(entry.name for entry, _ in rows)]
    words = [step[0], "--all"] if len(step) > len(settings.zoo.entries) else step
    echo(f"Next: {next_command(*words)}", wrap=False)


def _sentence(imports: Sequence["Imported"]) -> str:
    """How many files are in the cache now, and how each came there or did not."""
    statuses = Counter(found.status for found in imports)
    here = sum(1 for found in imports if found.path)
    parts = ", ".join(f"{number} {status}" for status, number in statuses.items())
    return f"{here} of {counted(len(imports), 'file')} in the cache: {parts}."
