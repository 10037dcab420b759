"""``vanbench flops``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click
from typing_extensions import TypedDict

from vanbench.cli.count_tables import in_unit, print_explanation, print_parts
from vanbench.cli.failures import exit_for
from vanbench.cli.options import Settings, common_options, model_arguments, option
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import counted, next_command
from vanbench.cli.tables import MIDDLE, Column
from vanbench.conventions import CONVENTIONS, TITLES, TORCHVISION_CONVENTIONS, Convention
from vanbench.model.limits import SIDE, excess
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.report.as_counted import flops_as, params_as
from vanbench.report.count_json import CountJson, count_json, not_counted_json
from vanbench.report.count_verdicts import judge_counts
from vanbench.report.verdicts import (
    DEVIATES,
    ERRATUM,
    NOT_MEASURED,
    NOT_REPORTED,
    REPRODUCED,
    SYMBOLS,
)
from vanbench.zoo.each import for_each
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.flops import Complexity

    Counted = Mapping[str, Complexity]


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
    tools (torch.utils.flop_counter, ptflops, torchinfo), and what each of them counts. With --zoo
    all fvcore's figures are by its rule, which gives the same, and not by running fvcore.
    """
    from vanbench.flops import count, count_by_rules

    count_each = count_by_rules if settings.zoo.parts else count
    for entry in entries:
        if resolution and (why := excess(entry.architecture, resolution)):
            raise click.BadParameter(f"{entry.name} is too large: {why}", param_hint="--resolution")

    with settings.progress("counting", "models") as update:

        def count_one(entry: Entry) -> "Complexity":
            update(entries.index(entry), len(entries), entry.name)
            return count_each(entry.architecture, resolution or entry.counting.resolution)

        found, errors = for_each(entries, count_one)
    if settings.as_json:
        document: Document = {
            "models": [
                count_json(entry, found[entry.name])
                if entry.name in found
                else not_counted_json(entry, errors[entry.name])
                for entry in entries
            ]
        }
        print_json(**document)
    else:
        _print_table(entries, found)
        _print_details([e for e in entries if e.name in found], found, by, explain)
        for line in _answer(entries, found):
            echo(line)
        echo(f"Next: {next_command('verify', *_names(entries, settings))}", wrap=False)
    exit_for(errors)


def _print_table(entries: Sequence[Entry], found: "Counted") -> None:
    """A row for each model; the FLOPs of a convention that no entry names may be left out."""
    judged = {entry.counting.convention for entry in entries if entry.claims.flops_g}
    names = _conventions(found)
    columns: list[str | Column] = [Column("model", fit=MIDDLE), ">params M", ">reported"]
    columns += [Column(f">{TITLES[name]} G", drop=0 if name in judged else 1) for name in names]
    columns.append(">reported")
    rows = [_row(entry, found.get(entry.name), names) for entry in entries]
    sides = {complexity.resolution for complexity in found.values()}
    if len(sides) == 1:
        (side,) = sides
        print_table(columns, rows, title=f"Parameters, and FLOPs of one image of {side}×{side}")
    else:
        inputs = [str(found[e.name].resolution) if e.name in found else "" for e in entries]
        rows = [[*row, side] for row, side in zip(rows, inputs, strict=True)]
        print_table([*columns, ">input"], rows, title="Parameters, and FLOPs of one image")


def _conventions(found: "Counted") -> list[str]:
    """The conventions that any of the models was counted under, fvcore's last."""
    counted = {name for complexity in found.values() for name in complexity.flops}
    return sorted((name for name in TITLES if name in counted), key=lambda name: name == "fvcore")


def _row(entry: Entry, complexity: "Complexity | None", names: Sequence[str]) -> list[str]:
    """Each judged number has the symbol of its verdict before it."""
    claims, convention = entry.claims, entry.counting.convention
    params, flops = (str(figure or "–") for figure in (claims.params_m, claims.flops_g))
    if complexity is None:
        return [entry.name, SYMBOLS[NOT_MEASURED], params, *("" for _ in names), flops]
    verdicts = judge_counts(entry, complexity)
    if verdicts.flops is None and claims.flops_g:
        flops = f"{flops} at {entry.counting.resolution}"
    digits = [figure.decimals if figure else 2 for figure in (claims.params_m, claims.flops_g)]
    counts = {
        c: in_unit(complexity.flops[c], 10**9, max(2, digits[1])) if c in complexity.flops else "–"
        for c in names
    }
    if convention in counts:
        counts[convention] = _judged(counts[convention], verdicts.flops)
    elif claims.flops_g:
        counted = in_unit(flops_as(entry.counting, complexity), 10**9, max(2, digits[1]))
        flops += f"; {_judged(counted, verdicts.flops)} by {TITLES[convention]}"
    params_counted = params_as(entry.counting, complexity)
    found = _judged(in_unit(params_counted, 10**6, max(2, digits[0])), verdicts.params)
    return [entry.name, found, params, *counts.values(), flops]


def _judged(number: str, verdict: str | None) -> str:
    return f"{SYMBOLS[verdict] if verdict else ''} {number}".lstrip()


def _print_details(
    entries: Sequence[Entry], found: "Counted", by: str | None, explain: bool
) -> None:
    """The parts of each count and the rules by which they were counted."""
    for entry in entries:
        if by or (len(entries) == 1 and not explain):
            print_parts(entry, found[entry.name], by or "operator")
        if explain:
            print_explanation(entry, found[entry.name])
    if not explain:
        for convention in _rules(found):
            echo(f"{convention.title} counts {convention.rule}.")
        echo("One multiply–add is one FLOP. Give --explain for the meaning, and other tools.")
    echo()


def _rules(found: "Counted") -> list[Convention]:
    """The conventions of the networks that were counted."""
    kinds = {isinstance(c.architecture, TorchvisionArchitecture) for c in found.values()}
    return [
        *(TORCHVISION_CONVENTIONS.values() if True in kinds else ()),
        *(CONVENTIONS.values() if False in kinds or not kinds else ()),
    ]


def _answer(entries: Sequence[Entry], found: "Counted") -> Iterator[str]:
    """How many models have the reported counts, then each that has not, and why."""
    verdicts = {e.name: judge_counts(e, found[e.name]) for e in entries if e.name in found}
    reported = [name for name, verdict in verdicts.items() if verdict.model != NOT_REPORTED]
    same = sum(verdicts[name].model == REPRODUCED for name in reported)
    other_side = any(verdict.flops is None for verdict in verdicts.values())
    what = "parameters" if other_side else "parameters and FLOPs"
    if reported:
        unreported = len(verdicts) - len(reported)
        total = len(entries) - unreported
        verb = "has" if 1 in (same, total) else "have"
        more = f"; none are reported of {counted(unreported, 'model')}" if unreported else ""
        yield f"{same} of {counted(total, 'model')} {verb} the reported {what}{more}."
    else:
        yield f"{counted(len(verdicts), 'model')} counted; no counts are reported."
    if other_side:
        sides = sorted({entry.counting.resolution for entry in entries})
        at = " and ".join(f"{side}×{side}" for side in sides)
        yield f"The reported FLOPs are for {at}; those counted here are not compared with them."
    for entry in entries:
        if entry.name in verdicts:
            yield from _about(entry, found[entry.name], verdicts[entry.name].model)


def _about(entry: Entry, complexity: "Complexity", verdict: str) -> Iterator[str]:
    """Why a model has not the reported counts."""
    if verdict == DEVIATES:
        yield f"{entry.name} deviates: the network that the zoo declares has other counts."
    if verdict == ERRATUM and entry.erratum:
        yield f"{entry.name} is misprinted: {' '.join(entry.erratum.reason.split())}"
    other = entry.erratum.reported_architecture if entry.erratum else None
    if other:
        from vanbench.flops import count_from_shapes

        side = complexity.resolution
        params, flops = count_from_shapes(other, side)
        yield (
            f"With embed dims {' '.join(map(str, other.embed_dims))}: {params / 1e6:.2f} M "
            f"parameters, {flops / 1e9:.2f} G FLOPs under OpenMMLab's convention at {side}×{side}."
        )


def _names(entries: Sequence[Entry], settings: Settings) -> list[str]:
    whole = len(entries) == len(settings.zoo.entries)
    return ["--all"] if whole else [entry.name for entry in entries]
