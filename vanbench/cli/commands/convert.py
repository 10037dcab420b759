"""``vanbench convert``."""

from pathlib import Path

import click

from vanbench.cli.options import Settings, common_options

EXAMPLES = """\b
Examples:
  vanbench convert weights.pth weights.safetensors
"""

PATH = click.Path(dir_okay=False, path_type=Path)


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
    from vanbench.cli.output import echo, print_json

    if out.suffix != ".safetensors":
        raise click.UsageError(f"{out}: expected a name that ends in .safetensors.")
    converted = convert(file, out)
    if converted.choice:
        settings.say(f"{file}: {converted.choice}.")
    for sentence in converted.suspicious:
        echo(f"Warning: {file}: {sentence}.", err=True)
    if settings.as_json:
        print_json(
            models=[],
            path=str(converted.path),
            sha256=converted.sha256,
            metadata=converted.metadata,
            oddities=list(converted.suspicious),
        )
    else:
        echo(f"{converted.path}  SHA-256 {converted.sha256}")
