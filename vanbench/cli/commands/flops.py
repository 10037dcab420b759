"""``vanbench flops``."""

from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.failures import exit_for
from vanbench.cli.options import Settings, common_options, model_arguments, option
from vanbench.cli.output import echo, print_json, print_table
from vanbench.conventions import CONVENTIONS, COUNTERS, OPERATIONS
from vanbench.model.limits import SIDE, excess
from vanbench.report.count_json import CountJson, count_json, not_counted_json
from vanbench.report.verdicts import NOT_MEASURED
from vanbench.zoo.each import for_each
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.flops import Complexity


class Document(TypedDict):
    """The parameters and FLOPs of each model that was asked for."""

    models: list[CountJson]
    """The models, in the order in which they were asked for."""


EXAMPLES = """\b
Examples:
  vanbench flops --all
  vanbench flops van_b6 --by operator
  vanbench flops van_b0 --explain
  vanbench flops van_b2 --resolution 384 --json
"""


@click.command(epilog=EXAMPLES)
@common_options
@model_arguments
@option("--by", type=click.Choice(["operator", "module"]), help="Break the counts down.")
@option("--explain", is_flag=True, help="What other counters give, with the rule of each.")
@option(
    "--resolution",
    type=click.IntRange(min=32, max=SIDE),
    help="Side of the square input, in pixels.  [default: the zoo's]",
)
def command(
    settings: Settings,
    entries: tuple[Entry, ...],
    by: str | None,
    explain: bool,
    resolution: int | None,
) -> None:
    """Count parameters and FLOPs, and show the reported ones.

    Counts the declared architecture; needs no checkpoint. --explain shows the figures of other
    tools (torch.utils.flop_counter, ptflops, torchinfo), and what each of them counts.
    """
    from vanbench.flops import count

    for entry in entries:
        if resolution and (why := excess(entry.architecture, resolution)):
            raise click.BadParameter(f"{entry.name} is too large: {why}", param_hint="--resolution")

    def count_one(entry: Entry) -> "Complexity":
        size = resolution or entry.counting.resolution
        settings.detail(f"counting {entry.name} at {size}×{size}")
        return count(entry.architecture, size)

    counted, errors = for_each(entries, count_one)
    if settings.as_json:
        document: Document = {
            "models": [
                count_json(entry, counted[entry.name])
                if entry.name in counted
                else not_counted_json(entry, errors[entry.name])
                for entry in entries
            ]
        }
        print_json(**document)
    else:
        _print(entries, counted)
        _print_details([e for e in entries if e.name in counted], counted, by, explain)
    exit_for(errors)


def _print_details(
    entries: list[Entry], counted: dict[str, "Complexity"], by: str | None, explain: bool
) -> None:
    """What is printed below the table."""
    for entry in entries:
        complexity = counted[entry.name]
        if by or (len(entries) == 1 and not explain):
            _print_parts(entry, complexity, by or "operator")
        if explain:
            _print_explanation(entry, complexity)
        _print_erratum(entry, complexity.resolution)
    if not explain:
        echo()
        for convention in CONVENTIONS.values():
            echo(f"{convention.title} counts {convention.rule}.")
        echo("One multiply–add is one FLOP. Give --explain for the meaning, and other tools.")


def _print(entries: tuple[Entry, ...], counted: dict[str, "Complexity"]) -> None:
    columns = ["model", ">input", ">params M", ">reported", ">FLOPs G, OpenMMLab", ">fvcore"]
    rows = [_row(entry, counted.get(entry.name)) for entry in entries]
    print_table([*columns, ">reported"], rows)


def _row(entry: Entry, complexity: "Complexity | None") -> list[str]:
    params, flops = (str(f or "–") for f in (entry.claims.params_m, entry.claims.flops_g))
    if complexity is None:
        return [entry.name, "", NOT_MEASURED, params, "", "", flops]
    return [
        entry.name,
        f"{complexity.resolution}",
        f"{complexity.params / 1e6:.2f}",
        params,
        f"{complexity.flops['openmmlab'] / 1e9:.2f}",
        f"{complexity.flops['fvcore'] / 1e9:.2f}",
        flops,
    ]


def _print_parts(entry: Entry, complexity: "Complexity", by: str) -> None:
    parts = complexity.by_operator if by == "operator" else complexity.by_module
    names = dict.fromkeys(name for convention in CONVENTIONS for name in parts[convention])
    rows = [[name, *(_integer(parts[c].get(name)) for c in CONVENTIONS)] for name in names]
    rows.append(["total", *(_integer(complexity.flops[c]) for c in CONVENTIONS)])
    titles = [f">{convention.title}" for convention in CONVENTIONS.values()]
    print_table([by, *titles], rows, title=f"FLOPs of {entry.name} by {by}")
    seen = ", ".join(f"{n} × {op}" for op, n in complexity.uncounted.items())
    echo(f"Not counted by fvcore: {seen}.")


def _print_explanation(entry: Entry, complexity: "Complexity") -> None:
    """The figure and the rule of each counter, and the quantities that the rules speak of."""
    side = complexity.resolution
    totals = {name: counter.total(complexity.units) for name, counter in COUNTERS.items()}
    rows = [
        [counter.title, f"{totals[name]:,}", f"{totals[name] / 1e9:.3f}", counter.rule]
        for name, counter in COUNTERS.items()
    ]
    title = f"FLOPs of {entry.name} by counter, one image of {side}×{side}"
    print_table(["counter", ">FLOPs", ">G", "rule"], rows, title=title)
    for counter in COUNTERS.values():
        echo(f"{counter.title}: {counter.note}.")
    echo("No counter includes element-wise additions and multiplications.")
    echo()
    quantities = [[name, f"{complexity.units[name]:,}", what] for name, what in OPERATIONS.items()]
    print_table(["in the rules", ">count", "meaning"], quantities)
    echo(
        f"{complexity.params:,} parameters with a head of {entry.architecture.num_classes} "
        f"classes, {complexity.params_backbone:,} without the head."
    )


def _print_erratum(entry: Entry, resolution: int) -> None:
    from vanbench.flops import count_from_shapes

    erratum = entry.erratum
    if erratum is None:
        return
    echo()
    echo(f"Erratum, {entry.name}: {erratum.reason}")
    if other := erratum.reported_architecture:
        params, flops = count_from_shapes(other, resolution)
        echo(
            f"With embed dims {' '.join(map(str, other.embed_dims))}: {params / 1e6:.2f} M "
            f"parameters, {flops / 1e9:.2f} G FLOPs under OpenMMLab's convention at {resolution}."
        )


def _integer(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
