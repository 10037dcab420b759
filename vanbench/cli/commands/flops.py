"""``vanbench flops``."""

from typing import TYPE_CHECKING

import click

from vanbench.cli.options import Settings, common_options, model_arguments, option
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.flops import Complexity

EXAMPLES = """\b
Examples:
  vanbench flops --all
  vanbench flops van_b6 --by operator
  vanbench flops van_b2 --resolution 384 --json
"""

CONVENTIONS = """
One multiply–add is one FLOP. fvcore counts convolutions and linear layers without their bias,
BatchNorm with 2 and LayerNorm with 5 per element. OpenMMLab adds 1 per output element for a
convolution's bias, counts BatchNorm and LayerNorm with 2 per element and pooling with 1, and leaves
out the classification head; its parameters are with a 1000-class head.
"""


@click.command(epilog=EXAMPLES)
@common_options
@model_arguments
@option("--by", type=click.Choice(["operator", "module"]), help="Break the counts down.")
@option(
    "--resolution",
    type=click.IntRange(min=32),
    help="Side of the square input, in pixels.  [default: the zoo's]",
)
def command(
    settings: Settings, entries: tuple[Entry, ...], by: str | None, resolution: int | None
) -> None:
    """Parameters and FLOPs under both conventions, beside the reported ones.

    Counts the declared architecture; needs no checkpoint.
    """
    from vanbench.cli.output import print_json
    from vanbench.flops import count

    counted = []
    for entry in entries:
        size = resolution or entry.counting.resolution
        settings.detail(f"counting {entry.name} at {size}×{size}")
        counted.append((entry, count(entry.architecture, size)))
    if settings.as_json:
        print_json(models=[_as_json(entry, complexity) for entry, complexity in counted])
        return
    _print(counted)
    for entry, complexity in counted:
        if by or len(counted) == 1:
            _print_parts(entry, complexity, by or "operator")
        _print_erratum(entry, complexity.resolution)
    if len(counted) == 1:
        click.echo(CONVENTIONS)


def _as_json(entry: Entry, complexity: "Complexity") -> dict:
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
        "reported": {
            "params_m": claims.params_m and float(claims.params_m.value),
            "flops_g": claims.flops_g and float(claims.flops_g.value),
        },
        "erratum": _erratum_json(entry, complexity.resolution),
    }


def _erratum_json(entry: Entry, resolution: int) -> dict | None:
    from vanbench.flops import count_from_shapes

    erratum = entry.erratum
    if erratum is None:
        return None
    document: dict = {"reason": erratum.reason, "reported_architecture": None}
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
    names = list(dict.fromkeys([*parts["openmmlab"], *parts["fvcore"]]))
    rows = [
        [name, *(_integer(parts[c].get(name)) for c in ("openmmlab", "fvcore"))] for name in names
    ]
    rows.append(["total", *(_integer(complexity.flops[c]) for c in ("openmmlab", "fvcore"))])
    print_table([by, ">OpenMMLab", ">fvcore"], rows, title=f"FLOPs of {entry.name} by {by}")
    seen = ", ".join(f"{n} × {op}" for op, n in complexity.uncounted.items())
    click.echo(f"Not counted by fvcore: {seen}.")


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
