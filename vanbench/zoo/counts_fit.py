"""Whether published counts are those of an architecture, and if not, of what else they are.

All in closed form, without torch; there is none for torchvision's models, which are not checked.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from vanbench.conventions import CONVENTIONS, COUNTERS, PARAM_CONVENTIONS
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.expected_counts import (
    expected_flops,
    expected_param_kinds,
    expected_params,
    expected_units,
)
from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.zoo.entries import Entry
from vanbench.zoo.reported import Reported

SIDES = (192, 224, 240, 256, 288, 320, 384, 448, 512)
M, G = 10**6, 10**9
UNKNOWN = "no published architecture and no convention known here gives it"


def params_misfit(entry: Entry) -> str | None:
    """Why the reported parameters are not those of the entry; None if they are, or none are."""
    reported, architecture = _right(entry, "params_m"), entry.architecture
    if isinstance(architecture, TorchvisionArchitecture):
        return None
    kinds = expected_param_kinds(architecture)
    total = PARAM_CONVENTIONS[entry.counting.params].total(kinds)
    backbone = expected_params(architecture)[1]
    if reported is None or _is(reported, total, M):
        return None
    found = next(_what_else_params(entry, architecture, reported, backbone), UNKNOWN)
    return f"{reported} M parameters reported, {total / M:.3f} M expected; {found}"


def flops_misfit(entry: Entry) -> str | None:
    """Why the reported FLOPs are not those of the entry; None if they are, or none are."""
    reported, architecture = _right(entry, "flops_g"), entry.architecture
    if isinstance(architecture, TorchvisionArchitecture):
        return None
    side, convention = entry.counting.resolution, entry.counting.convention
    expected = COUNTERS[convention].total(expected_units(architecture, side))
    if reported is None or _is(reported, expected, G):
        return None
    title = COUNTERS[convention].title
    found = next(_what_else_flops(entry, architecture, reported), UNKNOWN)
    return (
        f"{reported} G FLOPs reported, {expected / G:.3f} G expected at {side}×{side} under "
        f"{title}'s convention; {found}"
    )


def _right(entry: Entry, key: str) -> Reported | None:
    """The reported figure, or its correction where the zoo has an erratum."""
    corrected: Reported | None = None
    if entry.erratum:
        corrected = getattr(entry.erratum.corrected, key)
    reported: Reported | None = getattr(entry.claims, key)
    return corrected or reported


def _what_else_params(
    entry: Entry, architecture: Architecture, reported: Reported, backbone: int
) -> Iterator[str]:
    flops = entry.claims.flops_g
    if flops and _is(flops, expected_params(architecture)[0], M):
        yield "it fits the FLOPs: the two are exchanged"
    if _is(reported, backbone, M):
        yield "it fits the network without its head"
    for name, convention in PARAM_CONVENTIONS.items():
        if _is(reported, convention.total(expected_param_kinds(architecture)), M):
            yield f"it fits {convention.title}: counting.params = {name!r}"
    for name, other in ARCHITECTURES.items():
        for classes in (other.num_classes, entry.counting.num_classes):
            if _is(reported, expected_params(_with_head(other, classes))[0], M):
                yield f"it fits {name} with {classes:,} classes"
    total = expected_params(architecture)[0]
    if _is(reported, total, 1) or _is(reported, total, 1000):
        yield "it is in another unit: write it in millions"


def _what_else_flops(entry: Entry, architecture: Architecture, reported: Reported) -> Iterator[str]:
    params = entry.claims.params_m
    total = expected_flops(architecture, entry.counting.resolution)
    if params and any(_is(params, count, G) for count in total.values()):
        yield "it fits the parameters: the two are exchanged"
    for side in dict.fromkeys((entry.counting.resolution, *SIDES)):
        for title, count in _counters(architecture, side):
            if _is(reported, count, G):
                yield f"it fits the count of {title} at {side}×{side}"
    for name, other in ARCHITECTURES.items():
        for title, count in _counters(other, entry.counting.resolution):
            if _is(reported, count, G):
                yield f"it fits {name}, by {title}"
    if any(_is(reported, count, 1) or _is(reported, count, M) for count in total.values()):
        yield "it is in another unit: write it in billions"


def _counters(architecture: Architecture, side: int) -> Iterator[tuple[str, int]]:
    """What each counter gives, and twice what the conventions give."""
    units = expected_units(architecture, side)
    yield from ((counter.title, counter.total(units)) for counter in COUNTERS.values())
    for counter in CONVENTIONS.values():
        yield f"{counter.title} with a multiply–add as two FLOPs", 2 * counter.total(units)


def _is(reported: Reported, count: int, unit: int) -> bool:
    return reported.equals(Fraction(count, unit))


def _with_head(architecture: Architecture, classes: int) -> Architecture:
    return replace(architecture, num_classes=classes)
