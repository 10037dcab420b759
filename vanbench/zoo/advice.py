"""What would make the verdicts on a zoo file's claims safe, beyond that it can be read."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from vanbench.errors import ZooError
from vanbench.zoo.all_problems import all_problems
from vanbench.zoo.counts_fit import flops_misfit, params_misfit
from vanbench.zoo.entries import AccuracyClaims, Claims, Entry, Zoo
from vanbench.zoo.reader import read_zoo
from vanbench.zoo.reported import Reported

Level = Literal["unusable", "unsafe", "note"]
UNUSABLE: Level = "unusable"
UNSAFE: Level = "unsafe"
NOTE: Level = "note"
LEVELS = (UNUSABLE, UNSAFE, NOTE)

ACCURACIES = ("top1", "top5")
MOST_DECIMALS = 4  # of an accuracy over 50,000 images: 0.002 points are one image


@dataclass(frozen=True)
class Advice:
    """One thing to correct: ``model`` and ``key`` are None where it is about the whole file.

    ``level``: with ``unusable`` the file cannot be used, with ``unsafe`` a verdict may be wrong or
    impossible, a ``note`` leaves the verdicts as they are.
    """

    level: Level
    model: str | None
    key: str | None
    problem: str
    remedy: str


def advice(path: Path, data: dict[str, Any]) -> tuple[Zoo | None, list[Advice]]:
    """The zoo of a file's table if it can be used, and everything to correct, the worst first."""
    if problems := all_problems(str(path), data):
        return None, [_unusable(error, str(path)) for error in problems]
    zoo = read_zoo(path, data)
    models = data["models"]
    found = [*_about_zoo(zoo), *_duplicates(zoo)]
    for entry in zoo.entries:
        for check in CHECKS:
            found += check(entry, _said(data, models[entry.name]))
    return zoo, sorted(found, key=lambda one: LEVELS.index(one.level))


def _unusable(error: ZooError, path: str) -> Advice:
    place = str(error.where or "").removeprefix(path).lstrip(", ")
    where = f"{place}: " if place else ""
    return Advice(UNUSABLE, None, None, f"{where}{error.problem}", error.remedy)


def _said(top: Mapping[str, Any], model: Mapping[str, Any]) -> set[str]:
    """The keys that the file itself gives for a model, there or at the top level."""
    return {*top, *model}


def _about_zoo(zoo: Zoo) -> Iterator[Advice]:
    if not _is_web_address(zoo.source):
        problem = "the source is not a web address, so that nobody can look the figures up"
        yield Advice(NOTE, None, "source", problem, "Give the URL of the page.")
    if zoo.data is not None and not zoo.data.exists():
        problem = f"there is no data set {zoo.data.name} beside the file"
        yield Advice(UNSAFE, None, "data", problem, "Put it there, or give --data PATH.")


def _duplicates(zoo: Zoo) -> Iterator[Advice]:
    """Models that are about one file: the same URL, or the same published hash."""
    seen: dict[str, str] = {}
    for entry in (entry for entry in zoo.entries if entry.urls):
        keys = [entry.urls[0], *([entry.published_hash] if entry.published_hash else [])]
        other = next((seen[key] for key in keys if key in seen), None)
        if other:
            problem = f"its checkpoint is the one of {other}"
            yield Advice(NOTE, entry.name, "url", problem, "Check that both are about one file.")
        seen |= {key: seen.get(key, entry.name) for key in keys}


def _hash(entry: Entry, said: set[str]) -> Iterator[Advice]:
    if entry.urls and entry.published_hash is None:
        yield Advice(
            UNSAFE,
            entry.name,
            "sha256",
            "no hash: another file at this address would not be noticed"
            + (", and another model's file has the same name" if entry.shares_filename else ""),
            "Run `vanbench hash FILE`, and give sha256, or name the file after its hash.",
        )


def _address(entry: Entry, said: set[str]) -> Iterator[Advice]:
    if not entry.urls:
        return
    parts = urlsplit(entry.urls[0])
    if parts.scheme == "file" and not Path(url2pathname(parts.path)).is_file():
        problem = f"there is no file {unquote(entry.filename)} where the url says"
        yield Advice(UNSAFE, entry.name, "url", problem, "Correct the path, or put the file there.")
    elif parts.scheme not in ("file", "https"):
        problem = f"the address is {parts.scheme}, not https"
        level = NOTE if entry.published_hash else UNSAFE
        yield Advice(level, entry.name, "url", problem, "Use https if the server has it.")


def _protocol(entry: Entry, said: set[str]) -> Iterator[Advice]:
    if not (entry.urls and _accuracies(entry.claims)):
        return  # no accuracy is measured without a file
    if "protocol" not in said:
        yield Advice(
            UNSAFE,
            entry.name,
            "protocol",
            f"no protocol, so that the default applies: {entry.protocol.describe()}",
            "Give the protocol of the source, also where it is the default.",
        )
    if entry.claimed_images is None:
        yield Advice(
            NOTE if "data" in said else UNSAFE,
            entry.name,
            "images",
            "no number of images, so that a run over a part of them cannot be told from the whole",
            "Give images, the number over which Top-1 and Top-5 are claimed.",
        )


def _counts(entry: Entry, said: set[str]) -> Iterator[Advice]:
    for key, misfit in (("params_m", params_misfit(entry)), ("flops_g", flops_misfit(entry))):
        if misfit:
            remedy = "Correct the figure, the architecture or counting; a misprint is an erratum."
            yield Advice(UNSAFE, entry.name, key, misfit, remedy)


def _accuracy(entry: Entry, said: set[str]) -> Iterator[Advice]:
    own = AccuracyClaims(entry.claims.top1, entry.claims.top5)
    for key, claims in {"": own, **entry.claims.other_sets}.items():
        top1, top5 = claims.top1, claims.top5
        if top1 and top5 and top5.value < top1.value:
            problem = f"Top-5 ({top5}) is below Top-1 ({top1})"
            place = f"{key}.top5".lstrip(".")
            yield Advice(UNSAFE, entry.name, place, problem, "Compare both with the source.")
    for key, figure in _accuracies(entry.claims).items():
        if figure.value <= 1:
            problem = f"{figure} looks like a share, not a percentage"
            yield Advice(UNSAFE, entry.name, key, problem, 'Write "75.41" for 0.7541.')
        elif figure.decimals == 0:
            problem = f"{figure} has no decimals, so that half a point off counts as reproduced"
            yield Advice(NOTE, entry.name, key, problem, "Write the figure with all its digits.")
        elif figure.decimals > MOST_DECIMALS:
            problem = f"{figure} has more digits than a count of images gives"
            yield Advice(
                NOTE, entry.name, key, problem, "Write the figure as the source prints it."
            )


def _claims(entry: Entry, said: set[str]) -> Iterator[Advice]:
    if entry.claims == Claims():
        problem = "no figure is reported, so that there is nothing to check"
        yield Advice(NOTE, entry.name, "reported", problem, "Give reported = { params_m = … }.")


CHECKS: tuple[Callable[[Entry, set[str]], Iterator[Advice]], ...] = (
    _hash,
    _address,
    _protocol,
    _counts,
    _accuracy,
    _claims,
)
"""What is checked of each model; a new check is one more function here."""


def _accuracies(claims: Claims) -> dict[str, Reported]:
    figures = {"top1": claims.top1, "top5": claims.top5}
    for name, others in claims.other_sets.items():
        figures |= {f"{name}.top1": others.top1, f"{name}.top5": others.top5}
    return {key: figure for key, figure in figures.items() if figure is not None}


def _is_web_address(text: str) -> bool:
    return re.match(r"https?://[^\s/]+\.[^\s/]+", text) is not None
