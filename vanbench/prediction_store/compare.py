"""Two runs image by image: where they agree, which images flipped, and whether that is chance.

A run comes from the stored predictions or from an exported file. Images are matched by the SHA-256
of their encoded files, so the runs may have read different layouts; images with the same bytes are
matched by name, then by class.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from vanbench.errors import DataError
from vanbench.intervals import SIGNIFICANT, mcnemar
from vanbench.prediction_store.export import SUFFIXES
from vanbench.prediction_store.exported import read
from vanbench.prediction_store.rows import PredictionRow, find_run, stored_rows
from vanbench.prediction_store.store import RunKey, Store

LONGEST = 80  # characters of a value that is shown; a SHA-256 has 64
Pair = tuple[PredictionRow, PredictionRow]


@dataclass(frozen=True)
class RunPredictions:
    """The rows of one run, what to call it, and what decided its predictions.

    ``key`` maps dotted names to values; it is None for an exported file that does not say.
    """

    title: str
    key: Mapping[str, Any] | None
    rows: Sequence[PredictionRow]


@dataclass(frozen=True)
class Flip:
    """An image on which the runs' first choices differ.

    ``wnid`` is its class in the second run, ``effect`` is ``gained``, ``lost``, ``neither`` where
    both are wrong, or None where the runs have different labels for the image. ``margin`` is by how
    much the first run preferred its choice to its next one.
    """

    name: str
    wnid: str
    before: str
    after: str
    margin: float
    effect: str | None


class FlipJson(TypedDict):
    """An image on which the first choices of the runs differ."""

    name: str
    """The image."""
    wnid: str
    """Its class in the second run."""
    before: str
    """The first run's choice."""
    after: str
    """The second run's choice."""
    margin: float
    """By how much the logit of the first run's choice exceeds that of its next one."""
    effect: str | None
    """``gained``, ``lost``, ``neither`` where both are wrong; null where the labels differ."""


class AgreementJson(TypedDict):
    """How two runs relate, image by image."""

    conclusion: str
    """What was found in words, as it is shown first."""
    images: int
    """How many images both runs have."""
    only_first: int
    """How many images only the first run has."""
    only_second: int
    """How many images only the second run has."""
    duplicates: int
    """How many of ``images`` have the same bytes as another one."""
    relabelled: int
    """How many have another label in the second run."""
    same_top1: int
    """How often the first choice is the same."""
    same_top5: int
    """How often the first five are the same."""
    correct: list[int] | None
    """How many first choices of each run are right; null where labels differ."""
    gained: int | None
    """Images that only the second run gets right; null where labels differ."""
    lost: int | None
    """Images that only the first run gets right; null where labels differ."""
    mcnemar_p: float | None
    """The p-value of McNemar's exact test; null where labels differ."""
    largest_logit_difference: float | None
    """The largest absolute difference of two logits; null where none can be compared."""
    changed: dict[str, list[Any]] | None
    """What differs between the runs: name → its values in both; null where it is not known."""
    flips: list[FlipJson]
    """The images on which the first choices differ."""


@dataclass(frozen=True)
class Agreement:
    """How two runs relate over the ``images`` that both have.

    ``duplicates`` of these have the same bytes as another one. ``relabelled`` have another label in
    the second run than in the first: if there are any, only predictions are compared, and
    ``correct``, ``gained``, ``lost`` and ``p`` are None. Otherwise ``gained`` and ``lost`` are the
    images that only the second or only the first run gets right (Top-1), and ``p`` is McNemar's
    exact p-value for them. ``changed`` is what differs between the keys of the runs, None where one
    of them is not known.
    """

    images: int
    only_first: int
    only_second: int
    duplicates: int
    relabelled: int
    same_top1: int
    same_top5: int
    correct: tuple[int, int] | None
    largest_logit_difference: float | None
    flips: tuple[Flip, ...]
    changed: Mapping[str, tuple[Any, Any]] | None

    @property
    def gained(self) -> int | None:
        """Images that only the second run gets right."""
        return self._count("gained")

    @property
    def lost(self) -> int | None:
        """Images that only the first run gets right."""
        return self._count("lost")

    def _count(self, effect: str) -> int | None:
        return None if self.relabelled else sum(flip.effect == effect for flip in self.flips)

    @cached_property
    def p(self) -> float | None:
        """The p-value of McNemar's test."""
        gained, lost = self.gained, self.lost
        return None if gained is None or lost is None else mcnemar(gained, lost)

    @property
    def conclusion(self) -> str:
        """How many images flipped, and whether that is chance, in one sentence without a period."""
        flipped = f"{len(self.flips):,} of {self.images:,} images flipped"
        if self.correct is None or self.p is None:
            return f"{flipped}; for {self.relabelled:,} the labels differ"
        if not self.flips:
            return f"no image flipped: the same first choice for all {self.images:,} images"
        before, after = self.correct
        points = f"{100 * (after - before) / self.images:+.3f}".replace("-", "−")
        chance = "more than" if self.p < SIGNIFICANT else "not more than"
        return f"{flipped}; Top-1 {points} points; {chance} chance (p = {self.p:.2g})"

    def as_dict(self) -> AgreementJson:
        """The JSON form."""
        changed = self.changed
        return {
            "conclusion": self.conclusion,
            "images": self.images,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "duplicates": self.duplicates,
            "relabelled": self.relabelled,
            "same_top1": self.same_top1,
            "same_top5": self.same_top5,
            "correct": None if self.correct is None else list(self.correct),
            "gained": self.gained,
            "lost": self.lost,
            "mcnemar_p": self.p,
            "largest_logit_difference": self.largest_logit_difference,
            "changed": None if changed is None else {n: list(both) for n, both in changed.items()},
            "flips": list(map(_flip_json, self.flips)),
        }


def _flip_json(flip: Flip) -> FlipJson:
    return {
        "name": flip.name,
        "wnid": flip.wnid,
        "before": flip.before,
        "after": flip.after,
        "margin": flip.margin,
        "effect": flip.effect,
    }


def compare_runs(first: RunPredictions, second: RunPredictions) -> Agreement:
    """The agreement over the images that both have; DataError if there are none."""
    pairs = match(first.rows, second.rows)
    if not pairs:
        raise DataError(
            f"expected runs over the same images; {first.title} and {second.title} have none in "
            "common",
            remedy="Compare runs over the same data set.",
        )
    relabelled = sum(a.wnid != b.wnid for a, b in pairs)
    flips = [_flip(a, b) for a, b in pairs if a.top[0] != b.top[0]]
    correct = (sum(a.correct1 for a, _ in pairs), sum(b.correct1 for _, b in pairs))
    return Agreement(
        images=len(pairs),
        only_first=len(first.rows) - len(pairs),
        only_second=len(second.rows) - len(pairs),
        duplicates=len(pairs) - len({a.sha256 for a, _ in pairs}),
        relabelled=relabelled,
        same_top1=len(pairs) - len(flips),
        same_top5=sum(set(a.top) == set(b.top) for a, b in pairs),
        correct=None if relabelled else correct,
        largest_logit_difference=max(_differences(pairs), default=None),
        flips=tuple(sorted(flips, key=lambda flip: flip.name)),
        changed=_changed(first.key, second.key),
    )


def match(first: Sequence[PredictionRow], second: Sequence[PredictionRow]) -> list[Pair]:
    """Each row of ``first`` with the row of ``second`` for the same image, where there is one."""
    theirs: dict[str, list[PredictionRow]] = defaultdict(list)
    for row in second:
        theirs[row.sha256].append(row)
    ours: dict[str, list[PredictionRow]] = defaultdict(list)
    for row in first:
        ours[row.sha256].append(row)
    return [pair for sha256, rows in ours.items() for pair in _match_equal(rows, theirs[sha256])]


def _match_equal(ours: list[PredictionRow], theirs: list[PredictionRow]) -> list[Pair]:
    """Pairs of images with the same bytes: of the same name, else of the same class, else any."""
    pairs: list[Pair] = []
    for attribute in (_name, _class, _anything):
        candidates: dict[str, list[PredictionRow]] = defaultdict(list)
        for b in reversed(theirs):
            candidates[attribute(b)].append(b)
        left = []
        for a in ours:
            fitting = candidates[attribute(a)]
            if fitting:
                pairs.append((a, fitting.pop()))
            else:
                left.append(a)
        ours, theirs = left, [b for group in candidates.values() for b in reversed(group)]
    return pairs


def _name(row: PredictionRow) -> str:
    return row.name


def _class(row: PredictionRow) -> str:
    return row.wnid


def _anything(row: PredictionRow) -> str:
    return ""


def _changed(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None
) -> dict[str, tuple[Any, Any]] | None:
    if first is None or second is None:
        return None
    return {
        name: (first.get(name), second.get(name))
        for name in sorted({*first, *second})
        if first.get(name) != second.get(name)
    }


def _flip(a: PredictionRow, b: PredictionRow) -> Flip:
    margin = a.logits[0] - a.logits[1] if len(a.logits) > 1 else 0.0
    effect = "gained" if b.correct1 else "lost" if a.correct1 else "neither"
    return Flip(b.name, b.wnid, a.top[0], b.top[0], margin, effect if a.wnid == b.wnid else None)


def _differences(pairs: Sequence[Pair]) -> Iterator[float]:
    """Absolute differences of the logits of the classes that both runs list."""
    for a, b in pairs:
        other = dict(zip(b.top, b.logits, strict=True))
        for wnid, logit in zip(a.top, a.logits, strict=True):
            if wnid in other:
                yield abs(logit - other[wnid])


def load_run(store_path: Path, run: str) -> RunPredictions:
    """The run of that number in the store, the last one of that model, or that of a file."""
    if Path(run).suffix in SUFFIXES:
        found = read(Path(run))
        return RunPredictions(run, None if found.key is None else flat_key(found.key), found.rows)
    with Store(store_path, create=False) as store:
        stored = find_run(store, run)
        rows = tuple(stored_rows(store, stored))
    return RunPredictions(f"run {stored.id} ({stored.model})", flat_key(stored.key), rows)


def flat_key(key: RunKey) -> dict[str, Any]:
    """The key with dotted names such as ``numerics.torch``, as JSON has the values."""
    nested = {"checkpoint": key.checkpoint, "protocol": key.protocol, "numerics": key.numerics}
    return dict(_flatten("", nested))


def distinctions(keys: Sequence[RunKey], without: Collection[str] = ()) -> list[dict[str, Any]]:
    """For each key its values that not all of the keys have; names ``without`` are left out."""
    flat = [flat_key(key) for key in keys]
    names = sorted({name for key in flat for name in key} - set(without))
    differing = [n for n in names if any(key.get(n) != flat[0].get(n) for key in flat)]
    return [{name: key[name] for name in differing if name in key} for key in flat]


def shorten(value: Any) -> str:
    """The value of a key as text that fits into a line, such as a list of a thousand classes."""
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _flatten(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flatten(f"{place}.{name}".lstrip("."), inner)
    else:
        yield place, value
