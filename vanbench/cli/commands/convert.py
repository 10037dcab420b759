"""``vanbench convert``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.options import Settings, common_options
from vanbench.cli.output import echo, print_json
from vanbench.cli.phrases import counted, next_command, size_of

if TYPE_CHECKING:
    from vanbench.checkpoints.convert import Converted

EXAMPLES = """\b
Examples:
  vanbench convert weights.pth weights.safetensors
"""

PATH = click.Path(dir_okay=False, path_type=Path)


class Document(TypedDict):
    """The file that was written."""

    models: tuple[()]
    """Always empty: the file may be of no model of the zoo."""
    path: str
    """Where the file is."""
    bytes: int
    """Its size in bytes."""
    sha256: str
    """Its SHA-256."""
    tensors: int
    """How many tensors it holds."""
    metadata: dict[str, str]
    """What the file says of its origin: name and SHA-256 of the source, naming, weights."""
    weights: str | None
    """Which weights were taken of a source that has more, in words; null if it has no others."""
    oddities: list[str]
    """What about the tensors training does not produce, one sentence each."""


@click.command(epilog=EXAMPLES)
@click.argument("file", type=PATH)
@click.argument("out", metavar="OUT.safetensors", type=PATH)
@common_options
def command(settings: Settings, file: Path, out: Path) -> None:
    """Convert a checkpoint to safetensors.

    A safetensors file holds tensors only, and no code.
    The tensors keep their names and every bit of their values; the metadata says which file they
    are from, with its SHA-256. Of a training checkpoint the weights are written that its framework
    loads for inference. An existing file is never overwritten.
    """
    from vanbench.checkpoints.convert import convert

    if out.suffix != ".safetensors":
        raise click.UsageError(f"{out}: expected a name that ends in .safetensors.")
    converted = convert(file, out)
    if converted.choice:
        settings.say(f"{file}: {converted.choice}.")
    for sentence in converted.suspicious:
        echo(f"Warning: {file}: {sentence}.", err=True)
    if settings.as_json:
        print_json(**_document(converted))
    else:
        _print(converted)


def _document(converted: "Converted") -> Document:
    return {
        "models": (),
        "path": str(converted.path),
        "bytes": converted.path.stat().st_size,
        "sha256": converted.sha256,
        "tensors": converted.tensors,
        "metadata": converted.metadata,
        "weights": converted.choice,
        "oddities": list(converted.suspicious),
    }


def _print(converted: "Converted") -> None:
    size = size_of(converted.path.stat().st_size)
    echo(f"File: {converted.path}", wrap=False)
    echo(f"SHA-256: {converted.sha256}")
    naming = converted.metadata["naming"]
    echo(f"{counted(converted.tensors, 'tensor')} with {naming} naming, {size}.")
    step = next_command("validate", "--checkpoint", str(converted.path), "--data", "PATH")
    echo(f"Next: {step}", wrap=False)
