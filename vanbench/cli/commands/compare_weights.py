"""``vanbench compare-weights``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.options import Settings, common_options
from vanbench.cli.output import echo, print_json
from vanbench.cli.phrases import counted

if TYPE_CHECKING:
    from vanbench.checkpoints.diff import FileComparison

EXAMPLES = """\b
Examples:
  vanbench compare-weights van_tiny_754.pth.tar van-tiny_8xb128_in1k_20220501-385941af.pth
"""

FIRST = 20  # differences shown
PATH = click.Path(dir_okay=False, path_type=Path)


class DifferenceJson(TypedDict):
    """One tensor that the two files do not share."""

    name: str
    """The tensor, by the reference model's name."""
    what: str
    """How it differs, in words."""
    largest: float | None
    """The largest absolute difference of two of its values; null where none can be compared."""


class Document(TypedDict):
    """What two files of weights share, and where they differ."""

    models: tuple[()]
    """Always empty: the files may be of no model of the zoo."""
    same: bool
    """Whether both files hold the same network."""
    formats: list[str]
    """The naming of the tensors of the first file and of the second: ``openmmlab``, ``official``,
    …"""
    equal: int
    """How many tensors have the same type and values in both."""
    largest: float | None
    """The largest absolute difference of two values; null where none can be compared."""
    differences: list[DifferenceJson]
    """The other tensors."""


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

    comparison = compare_files(first, second)
    for file, choice in zip((first, second), comparison.choices, strict=True):
        if choice:
            settings.say(f"{file}: {choice}.")
    if settings.as_json:
        print_json(**_document(comparison))
    else:
        _print(comparison, None if settings.verbose else FIRST)
    if not comparison.same:
        click.get_current_context().exit(1)


def _document(comparison: "FileComparison") -> Document:
    return {
        "models": (),
        "same": comparison.same,
        "formats": list(comparison.formats),
        "equal": comparison.equal,
        "largest": comparison.largest,
        "differences": [
            {"name": one.name, "what": one.what, "largest": one.largest}
            for one in comparison.differences
        ],
    }


def _print(comparison: "FileComparison", most: int | None) -> None:
    """The answer in one line, then the first ``most`` differences."""
    echo(_answer(comparison))
    shown = comparison.differences[:most]
    for difference in shown:
        echo(f"  {difference.name}: {difference.what}")
    if len(shown) < len(comparison.differences):
        echo(f"… and {len(comparison.differences) - len(shown):,} more (-v shows all)")


def _answer(comparison: "FileComparison") -> str:
    namings = " and ".join(dict.fromkeys(comparison.formats))
    if comparison.same:
        return f"Same network: {counted(comparison.equal, 'tensor')} equal ({namings} naming)."
    different = len(comparison.differences)
    total = counted(different + comparison.equal, "tensor")
    apart = "" if comparison.largest is None else f", by up to {comparison.largest:.3g}"
    verb = "differs" if different == 1 else "differ"
    return f"Different networks: {different:,} of {total} {verb}{apart} ({namings} naming)."
