"""All published claims about a network side by side: which agree, and which contradict another.

Parameters and FLOPs are counted in closed form, without torch, from the tensors' shapes where a
file is on record, else from the declared architecture. Accuracies are those on record.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vanbench.conventions import COUNTERS, PARAM_CONVENTIONS
from vanbench.model.architecture import Architecture
from vanbench.model.expected_counts import expected_flops, expected_params
from vanbench.report.answer import NUMBERS, Finding, difference_in_words, named_figures
from vanbench.report.as_counted import flops_as, params_as
from vanbench.report.records import has_file
from vanbench.report.rows import Figure, ModelRow, rows_on_record
from vanbench.report.verdicts import CLOSE, DEVIATES, ERRATUM, NOT_MEASURED, REPRODUCED, judge
from vanbench.zoo.entries import Claims, Counting, Entry, Zoo

EXPLAINED = "explained"
CONTRADICTS = "contradicts"
STANDINGS = (REPRODUCED, CLOSE, EXPLAINED, DEVIATES, CONTRADICTS, NOT_MEASURED)
ACCURACIES = ("top1", "top5")
SYMBOLS = {
    REPRODUCED: "✓", CLOSE: "≈", EXPLAINED: "!", DEVIATES: "✗", CONTRADICTS: "≠", NOT_MEASURED: "○"
}  # fmt: skip
CORRECTED = {"params": "params_m", "flops": "flops_g", "top1": "top1", "top5": "top5"}
"""The key of each number in ``Claims``."""
PLAIN = Counting()


@dataclass(frozen=True)
class ExpectedNetwork:
    """The counts of an architecture in closed form."""

    architecture: Architecture
    resolution: int

    @property
    def params(self) -> int:
        """All parameters."""
        return expected_params(self.architecture)[0]

    @property
    def flops(self) -> Mapping[str, int]:
        """FLOPs by convention."""
        return expected_flops(self.architecture, self.resolution)


@dataclass(frozen=True)
class Claim:
    """One published number: as printed, what was found of it, and where it stands.

    ``standing`` is ``reproduced``, ``close``, ``explained`` (a misprint with its correction, or a
    convention of its own), ``deviates``, ``contradicts`` (another source says something else of the
    same weights, and nothing is measured) or ``not measured``. ``reason`` explains it.
    """

    entry: Entry
    number: str
    figure: Figure
    standing: str
    reason: str | None = None

    @property
    def text(self) -> str:
        """The number as printed."""
        return str(self.figure.reported)

    @property
    def correction(self) -> str | None:
        """The number that is right, with as many digits as are known to be; None if it is this."""
        figure, erratum = self.figure, self.entry.erratum
        if figure.measured is None or figure.reported is None or self.standing == REPRODUCED:
            return None
        if figure.verdict == ERRATUM and erratum:
            return str(getattr(erratum.corrected, CORRECTED[self.number]))
        found = f"{float(figure.measured):.{figure.reported.decimals}f}"
        return None if found == self.text else found


@dataclass(frozen=True)
class Contradiction:
    """A number that other sources contradict: ``others`` are their claims about the same weights.

    ``differences`` are the settings in which it differs from the first of them; empty if they have
    the same.
    """

    claim: Claim
    others: tuple[Claim, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True)
class ArchitectureClaims:
    """The claims about one architecture, by entry, and what contradicts what."""

    arch: str
    claims: Mapping[str, Mapping[str, Claim]]
    entries: tuple[Entry, ...]
    contradictions: tuple[Contradiction, ...]

    def every(self) -> Iterator[Claim]:
        """All claims."""
        for of_entry in self.claims.values():
            yield from of_entry.values()


def claims_on_record(zoo: Zoo, results: Path) -> list[ArchitectureClaims]:
    """The claims of a zoo about VANs by architecture, judged.

    RecordError if a record cannot be used.
    """
    rows = [row for row in rows_on_record(zoo, results) if _is_van(row)]
    archs = dict.fromkeys(row.entry.arch for row in rows)
    return [_of(arch, [row for row in rows if row.entry.arch == arch]) for arch in sorted(archs)]


def _is_van(row: ModelRow) -> bool:
    """Whether it is about a VAN; several sources' claims are known of these only."""
    return isinstance(row.entry.architecture, Architecture)


def standings(claims: Iterable[Claim]) -> Counter[str]:
    """How many published numbers stand where."""
    return Counter(claim.standing for claim in claims)


def in_words(numbers: Mapping[str, int]) -> str:
    """How many numbers stand where; what there is none of is said of the decisive ones alone."""
    words = {
        REPRODUCED: "reproduced",
        CLOSE: "close",
        EXPLAINED: "explained",
        DEVIATES: "deviating",
        CONTRADICTS: "contradicting another source",
        NOT_MEASURED: "not measured",
    }
    optional = (CLOSE, NOT_MEASURED)
    shown = [key for key in STANDINGS if numbers[key] or key not in optional]
    return ", ".join(f"{numbers[key]} {words[key]}" for key in shown)


def _of(arch: str, rows: Sequence[ModelRow]) -> ArchitectureClaims:
    claims = {row.entry.name: _judged(row) for row in rows}
    groups = [
        [claims[name][number] for name in group if number in claims[name]]
        for number in ACCURACIES
        for group in _same_weights(rows)
    ]
    found = tuple(contradiction for group in groups for contradiction in _contradictions(group))
    for group in groups:
        for claim in group:
            if claim.standing == NOT_MEASURED and any(_apart(claim, other) for other in group):
                claims[claim.entry.name][claim.number] = replace(claim, standing=CONTRADICTS)
    return ArchitectureClaims(arch, claims, tuple(row.entry for row in rows), found)


def _judged(row: ModelRow) -> dict[str, Claim]:
    """The claims of an entry by number; only those that were published."""
    entry, network = row.entry, _network(row)
    counts = {
        "params": Fraction(params_as(entry.counting, network), 10**6),
        "flops": Fraction(flops_as(entry.counting, network), 10**9),
    }
    corrected = entry.erratum.corrected if entry.erratum else Claims()
    claims = {}
    for number, figure in named_figures(row).items():
        if figure.reported is None:
            continue
        if number in counts:
            verdict = judge(
                counts[number], figure.reported, corrected=getattr(corrected, CORRECTED[number])
            )
            figure = Figure(counts[number], figure.reported, verdict)
        claims[number] = _claim(entry, number, figure)
    return claims


def _claim(entry: Entry, number: str, figure: Figure) -> Claim:
    convention = _own_convention(entry, number)
    if figure.verdict == ERRATUM and entry.erratum:
        return Claim(entry, number, figure, EXPLAINED, " ".join(entry.erratum.reason.split()))
    if figure.verdict == REPRODUCED and convention:
        return Claim(entry, number, figure, EXPLAINED, convention)
    known = figure.verdict in (REPRODUCED, CLOSE, DEVIATES)
    return Claim(entry, number, figure, figure.verdict if known else NOT_MEASURED, figure.reason)


def _own_convention(entry: Entry, number: str) -> str | None:
    """How the source counts, if not as most do."""
    counting = entry.counting
    if number == "params" and counting.params != PLAIN.params:
        return f"it counts {PARAM_CONVENTIONS[counting.params].title}"
    if number == "flops" and counting.convention != PLAIN.convention:
        return f"it counts FLOPs as {COUNTERS[counting.convention].rule}"
    return None


def _network(row: ModelRow) -> ExpectedNetwork:
    counting, file = row.entry.counting, row.record.checkpoint
    found = file.architecture if file and has_file(row.record) else None
    network = found or row.entry.architecture
    assert isinstance(network, Architecture), "only claims about VANs are judged here"
    architecture = replace(network, num_classes=counting.num_classes)
    return ExpectedNetwork(architecture, counting.resolution)


def _same_weights(rows: Sequence[ModelRow]) -> list[list[str]]:
    """The names of the entries that are about the same weights, as far as the zoos say it."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        own = f"{row.record.zoo}/{row.record.name}"
        groups.setdefault(row.entry.weights_of or own, []).append(row.entry.name)
    return list(groups.values())


def _contradictions(claims: Sequence[Claim]) -> Iterator[Contradiction]:
    """Each claim with those before it that it contradicts; claims of one text are one."""
    for number, claim in enumerate(claims):
        if claim.text in [other.text for other in claims[:number]]:
            continue
        others = [other for other in claims[:number] if _apart(claim, other)]
        if others:
            differences = tuple(_differences(claim.entry, others[0].entry))
            yield Contradiction(claim, tuple(others), differences)


def _apart(one: Claim, other: Claim) -> bool:
    """Whether no number is printed as both."""
    a, b = one.figure.reported, other.figure.reported
    assert a is not None
    assert b is not None
    return abs(a.value - b.value) > Fraction(1, 2 * 10**a.decimals) + Fraction(
        1, 2 * 10**b.decimals
    )


def _differences(one: Entry, other: Entry) -> Iterator[str]:
    """The settings of an evaluation that differ."""
    for name, value in vars(one.protocol).items():
        if getattr(other.protocol, name) != value:
            yield name
    if one.layer_norm_eps != other.layer_norm_eps:
        yield "layer_norm_eps"


def findings(found: ArchitectureClaims) -> Iterator[Finding]:
    """What deviates, what is explained, then what contradicts, in sentences without a period."""
    for standing in (DEVIATES, EXPLAINED):
        for name, claims in found.claims.items():
            reasons: dict[str, list[str]] = {}
            for claim in claims.values():
                if claim.standing == standing:
                    wrong = claim.figure.verdict != REPRODUCED
                    found_it = [difference_in_words(claim.number, claim.figure)] if wrong else []
                    reasons.setdefault(claim.reason or "", []).extend(found_it)
            for reason, words in reasons.items():
                yield Finding(": ".join(filter(None, ("; ".join(words), reason))), (name,))
    for contradiction in found.contradictions:
        yield Finding(_in_words(contradiction), (contradiction.claim.entry.name,))


def _in_words(found: Contradiction) -> str:
    sources: dict[str, list[str]] = {}
    for other in found.others:
        sources.setdefault(other.text, []).append(other.entry.name)
    others = ", ".join(f"{text} of {_few(names)}" for text, names in sources.items())
    first = found.others[0].entry.name
    settings = ", ".join(found.differences)
    why = f"settings other than those of {first}: {settings}" if settings else "the same settings"
    number = NUMBERS[found.claim.number][0]
    return f"{number} {found.claim.text} contradicts {others} ({why})"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
