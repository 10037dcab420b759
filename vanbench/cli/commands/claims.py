"""``vanbench claims``."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from typing_extensions import TypedDict

from vanbench.cli.failures import exit_for
from vanbench.cli.model_names import matching_or_hint
from vanbench.cli.options import Settings, common_options, model_argument
from vanbench.cli.output import echo, print_json, print_table
from vanbench.cli.phrases import counted
from vanbench.cli.tables import MIDDLE, Column
from vanbench.report.claims import (
    STANDINGS,
    SYMBOLS,
    ArchitectureClaims,
    Claim,
    Contradiction,
    claims_on_record,
    findings,
    in_words,
    standings,
)
from vanbench.report.verdicts import DEVIATES
from vanbench.zoo.addresses import public_url
from vanbench.zoo.combined import ALL
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    from vanbench.download.conversions import Conversion


class ClaimJson(TypedDict):
    """One published number."""

    printed: str
    """The number as printed: in M, G or percent."""
    found: float | None
    """What was counted or, of an accuracy, what is on record, in the same unit; null if nothing."""
    standing: str
    """``reproduced`` at the printed precision; ``close`` (an accuracy within 0.05 points);
    ``explained`` (a misprint, or a convention of its own); ``deviates``; ``contradicts`` (another
    source says something else of the same weights, and nothing is measured); ``not measured``."""
    reason: str | None
    """What explains it, or why it was not measured; null if nothing does."""


class SourceJson(TypedDict):
    """What one entry of a zoo claims."""

    name: str
    """The entry, with the name of its zoo if there are several."""
    source: str
    """Where it was published, without secrets."""
    note: str | None
    """What the source says of it; null if it says nothing."""
    resolution: int
    """Side of the input that the FLOPs are for, in pixels."""
    params_convention: str
    """What the source counts as parameters."""
    flops_convention: str
    """How the source counts FLOPs."""
    weights_of: str | None
    """The model whose weights these are said to be; null if they are weights of their own."""
    no_file: str | None
    """Why there is no file; null if there is one."""
    params: ClaimJson | None
    """Parameters in M; null if none are published."""
    flops: ClaimJson | None
    """FLOPs in G; null if none are published."""
    top1: ClaimJson | None
    """Top-1 in percent; null if none is published."""
    top5: ClaimJson | None
    """Top-5 in percent; null if none is published."""


class ContradictionJson(TypedDict):
    """A number that other sources contradict."""

    number: str
    """``top1`` or ``top5``."""
    name: str
    """The first entry that prints it."""
    printed: str
    """The number as printed."""
    others: dict[str, str]
    """The numbers that it contradicts, by entry."""
    differences: list[str]
    """Settings in which it differs from the first of the others, such as ``mean``; empty if they
    are the same."""


class ConversionJson(TypedDict):
    """Whether a file has the tensors of the one from which it is said to be converted."""

    name: str
    """The entry."""
    weights_of: str
    """The model whose weights these are said to be."""
    status: str
    """``same`` if all tensors have the same type and values, ``different`` or ``not compared``."""
    reason: str | None
    """Where they differ first, or why they were not compared; null if they are the same."""
    equal: int | None
    """How many tensors are equal; null if they were not compared."""
    tensors: int | None
    """Of how many; null if they were not compared."""


class ArchitectureJson(TypedDict):
    """All claims about one architecture."""

    name: str
    """The architecture."""
    claims: list[SourceJson]
    """What each source claims, in the order of the zoos."""
    contradictions: list[ContradictionJson]
    """What contradicts what, of the same weights."""
    conversions: list[ConversionJson]
    """The files that are said to be converted from others."""


class Document(TypedDict):
    """The published claims by architecture."""

    models: list[ArchitectureJson]
    """The architectures, by name."""
    standings: dict[str, int]
    """How many published numbers stand where."""


EXAMPLES = """\b
Examples:
  vanbench claims
  vanbench claims van_b0
  vanbench claims van_b6 --json
"""


@click.command(epilog=EXAMPLES)
@common_options
@model_argument(required=False)
def command(settings: Settings, model: str | None) -> None:
    """Show all published claims side by side.

    One table for each architecture, or for the one of MODEL: what each source printed, what was
    counted, and what was measured as far as it is on record. Says which numbers are explained by a
    misprint or by a convention, and which sources contradict each other about the same weights. A
    file that is said to be converted from another one is compared with it, tensor by tensor, where
    the cache has both. Without --zoo, the claims of all shipped zoos but the demo are shown.

    Exits with 1 if a counted or measured number deviates, or a converted file differs. Sources that
    contradict each other are no failure.
    """
    from vanbench.download.conversions import DIFFERENT, conversions

    context = click.get_current_context()
    if context.get_parameter_source("zoo") is ParameterSource.DEFAULT:
        settings = settings.with_zoo(ALL)
    zoo = settings.zoo
    archs = {entry.arch for entry in matching_or_hint(zoo, model)} if model else None
    found = [
        one for one in claims_on_record(zoo, settings.results) if not archs or one.arch in archs
    ]
    entries = [entry for one in found for entry in one.entries]
    compared = list(conversions(zoo, entries, settings.cache))
    numbers = standings(claim for one in found for claim in one.every())
    if settings.as_json:
        document: Document = {
            "models": [_architecture_json(one, compared) for one in found],
            "standings": {standing: numbers[standing] for standing in STANDINGS},
        }
        print_json(**document)
    elif not found:
        echo("These models are no VANs; only claims about VANs are compared.")
    else:
        for one in found:
            _print(one, compared)
        for line in _answer(found, numbers):
            echo(line)
    wrong = numbers[DEVIATES] or any(one.status == DIFFERENT for one in compared)
    exit_for({one.entry.name: one.error for one in compared if one.error}, 1 if wrong else 0)


COLUMNS = (
    Column("source", fit=MIDDLE),
    "params M",
    "FLOPs G",
    Column("at", drop=3),
    "Top-1 %",
    Column("Top-5 %", drop=2),
)


def _print(found: ArchitectureClaims, compared: "Sequence[Conversion]") -> None:
    """A row for each source; below it what is explained, and what contradicts what."""
    rows = [
        [
            entry.name,
            *(_cell(found.claims[entry.name].get(number)) for number in ("params", "flops")),
            str(entry.counting.resolution),
            *(_cell(found.claims[entry.name].get(number)) for number in ("top1", "top5")),
        ]
        for entry in found.entries
    ]
    print_table(COLUMNS, rows, title=found.arch)
    reasons: dict[str, list[str]] = {}
    for finding in findings(found):
        reasons.setdefault(finding.text, []).extend(finding.models)
    for text, names in reasons.items():
        echo(f"  {', '.join(names)}: {text.removesuffix('.')}.")
    words: dict[str, list[str]] = {}
    for one in compared:
        if one.entry in found.entries:
            words.setdefault(_conversion(one), []).append(one.entry.name)
    for text, names in words.items():
        echo(f"  {', '.join(names)}: {text}.")
    echo()


def _cell(claim: Claim | None) -> str:
    """The symbol of the standing and the printed number; what is right if it is another."""
    if claim is None:
        return "–"
    text = f"{SYMBOLS[claim.standing]} {claim.text}"
    return f"{text} → {claim.correction}" if claim.correction else text


def _conversion(found: "Conversion") -> str:
    """What came of the comparison with the file that this one is said to be converted from."""
    if found.equal is None:
        return f"not compared with {found.weights_of}: {found.reason}"
    if found.status == "same":
        return f"same tensors as {found.weights_of}, {found.equal:,} of {found.tensors:,} equal"
    what = f"{found.equal:,} of {found.tensors:,} tensors equal"
    return f"other tensors than {found.weights_of}, {what}; {found.reason}"


def _answer(found: Sequence[ArchitectureClaims], numbers: Counter[str]) -> Iterator[str]:
    """The tally in words, and the meaning of the symbols."""
    total, entries = sum(numbers.values()), sum(len(one.entries) for one in found)
    yield f"{counted(total, 'number')} in {counted(entries, 'claim')}: {in_words(numbers)}."
    yield (
        "✓ reproduced at the printed precision, ≈ within 0.05 points, ! explained by a misprint or "
        "a convention (→ counted), ✗ deviates, ≠ another source says something else of the same "
        "weights, ○ not measured."
    )


def _architecture_json(
    found: ArchitectureClaims, compared: "Sequence[Conversion]"
) -> ArchitectureJson:
    return {
        "name": found.arch,
        "claims": [_source_json(found, entry) for entry in found.entries],
        "contradictions": [_contradiction_json(one) for one in found.contradictions],
        "conversions": [_conversion_json(one) for one in compared if one.entry in found.entries],
    }


def _source_json(found: ArchitectureClaims, entry: Entry) -> SourceJson:
    claims = found.claims[entry.name]
    return {
        "name": entry.name,
        "source": public_url(entry.source),
        "note": entry.note,
        "resolution": entry.counting.resolution,
        "params_convention": entry.counting.params,
        "flops_convention": entry.counting.convention,
        "weights_of": entry.weights_of,
        "no_file": entry.no_file,
        "params": _claim_json(claims.get("params")),
        "flops": _claim_json(claims.get("flops")),
        "top1": _claim_json(claims.get("top1")),
        "top5": _claim_json(claims.get("top5")),
    }


def _claim_json(claim: Claim | None) -> ClaimJson | None:
    if claim is None:
        return None
    measured = claim.figure.measured
    return {
        "printed": claim.text,
        "found": None if measured is None else float(measured),
        "standing": claim.standing,
        "reason": claim.reason,
    }


def _contradiction_json(found: Contradiction) -> ContradictionJson:
    return {
        "number": found.claim.number,
        "name": found.claim.entry.name,
        "printed": found.claim.text,
        "others": {other.entry.name: other.text for other in found.others},
        "differences": list(found.differences),
    }


def _conversion_json(found: "Conversion") -> ConversionJson:
    return {
        "name": found.entry.name,
        "weights_of": found.weights_of,
        "status": found.status,
        "reason": found.reason,
        "equal": found.equal,
        "tensors": found.tensors,
    }
