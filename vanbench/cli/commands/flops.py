"""``vanbench flops``."""

from typing import TYPE_CHECKING

import click

from vanbench.cli.options import Settings, common_options, model_arguments, option
from vanbench.conventions import CONVENTIONS, COUNTERS, OPERATIONS
from vanbench.model.limits import SIDE, excess
from vanbench.typed_json import Json
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.flops import Complexity

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
    from vanbench.cli.output import print_json
    from vanbench.flops import count

    counted = []
    for entry in entries:
        size = resolution or entry.counting.resolution
        if resolution and (why := excess(entry.architecture, resolution)):
            raise click.BadParameter(f"{entry.name} is too large: {why}", param_hint="--resolution")
        settings.detail(f"counting {entry.name} at {size}×{size}")
        counted.append((entry, count(entry.architecture, size)))
    if settings.as_json:
        print_json(models=[_as_json(entry, complexity) for entry, complexity in counted])
        return
    _print(counted)
    for entry, complexity in counted:
        if by or (len(counted) == 1 and not explain):
            _print_parts(entry, complexity, by or "operator")
        if explain:
            _print_explanation(entry, complexity)
        _print_erratum(entry, complexity.resolution)
    if not explain:
        click.echo()
        for convention in CONVENTIONS.values():
            click.echo(f"{convention.title} counts {convention.rule}.")
        click.echo("One multiply–add is one FLOP. Give --explain for the meaning, and other tools.")


def _as_json(entry: Entry, complexity: "Complexity") -> Json:
    claims = entry.claims
    return {
        "name": entry.name,
        "architecture": entry.architecture.as_dict(),
        "resolution": complexity.resolution,
        "params": complexity.params,
        "params_backbone": complexity.params_backbone,
        "flops": complexity.flops,
        "by_operator": complexity.by_operator["fvcore"],
        "by_operator_openmmlab": complexity.by_operator["openmmlab"],
        "by_module": complexity.by_module,
        "uncounted": complexity.uncounted,
        "operations": complexity.units,
        "counters": {
            name: {"title": rule.title, "flops": rule.total(complexity.units), "rule": rule.rule}
            for name, rule in COUNTERS.items()
        },
        "reported": {
            "params_m": claims.params_m and float(claims.params_m.value),
            "flops_g": claims.flops_g and float(claims.flops_g.value),
        },
        "erratum": _erratum_json(entry, complexity.resolution),
    }


def _erratum_json(entry: Entry, resolution: int) -> Json | None:
    from vanbench.flops import count_from_shapes

    erratum = entry.erratum
    if erratum is None:
        return None
    document: Json = {"reason": erratum.reason, "reported_architecture": None}
    if other := erratum.reported_architecture:
        params, flops = count_from_shapes(other, resolution)
        counts = {"params": params, "flops": {"openmmlab": flops}}
        document["reported_architecture"] = other.as_dict() | counts
    return document


def _print(counted: list[tuple[Entry, "Complexity"]]) -> None:
    from vanbench.cli.output import print_table

    rows = []
    for entry, complexity in counted:
        claims, flops = entry.claims, complexity.flops
        rows.append(
            [
                entry.name,
                f"{complexity.resolution}",
                f"{complexity.params / 1e6:.2f}",
                str(claims.params_m or "–"),
                f"{flops['openmmlab'] / 1e9:.2f}",
                f"{flops['fvcore'] / 1e9:.2f}",
                str(claims.flops_g or "–"),
            ]
        )
    columns = ["model", ">input", ">params M", ">reported", ">FLOPs G, OpenMMLab", ">fvcore"]
    print_table([*columns, ">reported"], rows)


def _print_parts(entry: Entry, complexity: "Complexity", by: str) -> None:
    from vanbench.cli.output import print_table

    parts = complexity.by_operator if by == "operator" else complexity.by_module
    names = dict.fromkeys(name for convention in CONVENTIONS for name in parts[convention])
    rows = [[name, *(_integer(parts[c].get(name)) for c in CONVENTIONS)] for name in names]
    rows.append(["total", *(_integer(complexity.flops[c]) for c in CONVENTIONS)])
    titles = [f">{convention.title}" for convention in CONVENTIONS.values()]
    print_table([by, *titles], rows, title=f"FLOPs of {entry.name} by {by}")
    seen = ", ".join(f"{n} × {op}" for op, n in complexity.uncounted.items())
    click.echo(f"Not counted by fvcore: {seen}.")


def _print_explanation(entry: Entry, complexity: "Complexity") -> None:
    """The figure and the rule of each counter, and the quantities that the rules speak of."""
    from vanbench.cli.output import print_table

    side = complexity.resolution
    totals = {name: counter.total(complexity.units) for name, counter in COUNTERS.items()}
    rows = [
        [counter.title, f"{totals[name]:,}", f"{totals[name] / 1e9:.3f}", counter.rule]
        for name, counter in COUNTERS.items()
    ]
    title = f"FLOPs of {entry.name} by counter, one image of {side}×{side}"
    print_table(["counter", ">FLOPs", ">G", "rule"], rows, title=title)
    for counter in COUNTERS.values():
        click.echo(f"{counter.title}: {counter.note}.")
    click.echo("No counter includes element-wise additions and multiplications.\n")
    quantities = [[name, f"{complexity.units[name]:,}", what] for name, what in OPERATIONS.items()]
    print_table(["in the rules", ">count", "meaning"], quantities)
    click.echo(
        f"{complexity.params:,} parameters with a head of {entry.architecture.num_classes} "
        f"classes, {complexity.params_backbone:,} without the head."
    )


def _print_erratum(entry: Entry, resolution: int) -> None:
    from vanbench.flops import count_from_shapes

    erratum = entry.erratum
    if erratum is None:
        return
    click.echo(f"\nErratum, {entry.name}: {erratum.reason}")
    if other := erratum.reported_architecture:
        params, flops = count_from_shapes(other, resolution)
        click.echo(
            f"With embed dims {' '.join(map(str, other.embed_dims))}: {params / 1e6:.2f} M "
            f"parameters, {flops / 1e9:.2f} G FLOPs under OpenMMLab's convention at {resolution}."
        )


def _integer(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
