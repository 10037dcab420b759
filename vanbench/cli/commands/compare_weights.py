"""``vanbench compare-weights``."""

from pathlib import Path

import click

from vanbench.cli.options import Settings, common_options

EXAMPLES = """\b
Examples:
  vanbench compare-weights van_tiny_754.pth.tar van-tiny_8xb128_in1k_20220501-385941af.pth
"""

FIRST = 20  # differences shown
PATH = click.Path(dir_okay=False, path_type=Path)


@click.command("compare-weights", epilog=EXAMPLES)
@click.argument("first", metavar="A", type=PATH)
@click.argument("second", metavar="B", type=PATH)
@common_options
def command(settings: Settings, first: Path, second: Path) -> None:
    """Compare the tensors of two checkpoint files.

    Says whether they hold the same network, whatever their naming. Two tensors are equal if their
    types and all their values are. Counters of training steps, which no forward pass reads, are
    left out. Exits with 1 if the files differ.
    """
    from vanbench.checkpoints.diff import compare_files
    from vanbench.cli.output import echo, print_json

    comparison = compare_files(first, second)
    for file, choice in zip((first, second), comparison.choices, strict=True):
        if choice:
            settings.say(f"{file}: {choice}.")
    if settings.as_json:
        print_json(
            models=[],
            same=comparison.same,
            formats=list(comparison.formats),
            equal=comparison.equal,
            largest=comparison.largest,
            differences=[vars(difference) for difference in comparison.differences],
        )
    else:
        shown = comparison.differences[: None if settings.verbose else FIRST]
        for difference in shown:
            echo(f"{difference.name}: {difference.what}")
        if len(shown) < len(comparison.differences):
            echo(f"… and {len(comparison.differences) - len(shown)} more (-v shows all)")
        names = f"{comparison.formats[0]} and {comparison.formats[1]} naming"
        verdict = "the same network" if comparison.same else "different networks"
        count = f"{comparison.equal} tensors equal, {len(comparison.differences)} different"
        apart = "" if comparison.largest is None else f", by up to {comparison.largest:.3g}"
        echo(f"{verdict}: {count}{apart} ({names})")
    if not comparison.same:
        click.get_current_context().exit(1)
