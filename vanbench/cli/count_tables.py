"""The tables that ``vanbench flops`` prints below its first: the parts of a count, its rules."""

import math
from typing import TYPE_CHECKING

from vanbench.cli.output import echo, print_table
from vanbench.cli.tables import Column
from vanbench.conventions import OPERATIONS, TITLES, TORCHVISION_UNITS
from vanbench.report.count_json import counters_of
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.flops import Complexity


def in_unit(count: int, unit: int, decimals: int = 2) -> str:
    """A count in millions or billions: ``decimals`` digits, more where three would not be shown.

    >>> in_unit(868_118_912, 10**9), in_unit(862_800, 10**9)
    ('0.87', '0.000863')
    """
    value = count / unit
    if 0 < value < 0.1:
        decimals = max(decimals, 2 - math.floor(math.log10(value)))
    return f"{value:.{decimals}f}"


def print_parts(entry: Entry, complexity: "Complexity", by: str) -> None:
    """The FLOPs of each operator or module under each convention."""
    parts = complexity.by_operator if by == "operator" else complexity.by_module
    counted = complexity.flops
    names = dict.fromkeys(name for convention in counted for name in parts[convention])
    rows = [[name, *(_integer(parts[c].get(name)) for c in counted)] for name in names]
    total = [["total", *(_integer(flops) for flops in counted.values())]]
    titles = [f">{TITLES[convention]}" for convention in counted]
    print_table([by, *titles], rows, total, title=f"FLOPs of {entry.name} by {by}")
    if complexity.uncounted:
        seen = ", ".join(f"{n} × {op}" for op, n in complexity.uncounted.items())
        echo(f"Not counted by fvcore: {seen}.")


def print_explanation(entry: Entry, complexity: "Complexity") -> None:
    """The figure and the rule of each counter, and the quantities that the rules speak of."""
    side, counters = complexity.resolution, counters_of(complexity)
    totals = {name: counter.total(complexity.units) for name, counter in counters.items()}
    rows = [
        [counter.title, f"{totals[name]:,}", in_unit(totals[name], 10**9, 3), counter.rule]
        for name, counter in counters.items()
    ]
    columns = [
        Column("counter", fit="words"),
        Column(">FLOPs", drop=1),
        Column(">G"),
        Column("rule", fit="words"),
    ]
    title = f"FLOPs of {entry.name} by counter, one image of {side}×{side}"
    print_table(columns, rows, title=title)
    for counter in counters.values():
        echo(f"{counter.title}: {counter.note}.")
    echo("No counter includes element-wise additions and multiplications.")
    echo()
    known = OPERATIONS if complexity.units.keys() == OPERATIONS.keys() else TORCHVISION_UNITS
    quantities = [[name, f"{count:,}", known[name]] for name, count in complexity.units.items()]
    print_table(["in the rules", ">count", Column("meaning", fit="words")], quantities)
    echo(
        f"{complexity.params:,} parameters with a head of {entry.architecture.num_classes:,} "
        f"classes, {complexity.params_backbone:,} without the head."
    )


def _integer(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
