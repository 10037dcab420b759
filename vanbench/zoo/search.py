"""Which models a name means: its own names, a pattern, or the nearest ones to an unknown name.

``entries`` holds what is searched here, and imports this module.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import PurePosixPath
from typing import Protocol, TypeVar

_MOST_QUERY = 200  # characters of a name that is looked for
_MOST_COMPARED = 50  # letters of two names that are compared one by one
_MOST_LISTED = 20  # names that a message lists
_NEAR = 0.6  # similarity from which a name is suggested
_FAR = (0.0, 0)
_BRACKETS_OR_HYPHEN = re.compile(r"\[[^\]]*\]|-")


class Named(Protocol):
    """A model as far as its names go."""

    @property
    def name(self) -> str:
        """``ARCH.TAG``."""

    @property
    def arch(self) -> str:
        """The part of the name before the tag."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names of the same model."""

    @property
    def filename(self) -> str:
        """The published name of its file; empty if there is none."""


Model = TypeVar("Model", bound=Named)


def normal_name(name: str) -> str:
    """The form in which names are compared: case and ``-``/``_`` do not matter.

    >>> normal_name("VAN-B6")
    'van_b6'
    """
    return name.lower().replace("-", "_")


def arch_of(name: str) -> str:
    """The part of a model's name before its tag, without the name of its zoo.

    >>> arch_of("authors/van_b0.in1k")
    'van_b0'
    """
    return name.rpartition("/")[2].split(".")[0]


def name_matches(name: str, pattern: str) -> bool:
    """Whether a name is the one, or matches the pattern, that was given."""
    return fnmatchcase(normal_name(name), _normal_pattern(pattern))


def is_pattern(query: str) -> bool:
    """Whether a text is a pattern of names (``van_b*``, ``*.in21k``) and not a name."""
    return not set("*?[").isdisjoint(query)


def matching(models: Sequence[Model], query: str) -> tuple[Model, ...]:
    """The model of a name, or all models that a pattern matches, in order; none if unknown.

    A name is that of a model, of an architecture (its first model), an alias, or that of a file.
    A pattern is matched against all of these but files.
    """
    query = query[:_MOST_QUERY]
    if is_pattern(query):
        pattern = _normal_pattern(query)
        return tuple(
            model for model in models if any(fnmatchcase(n, pattern) for n in _normal_names(model))
        )
    wanted = normal_name(query)
    named = (model for model in models if wanted in _normal_names(model))
    of_file = (m for m in models if m.filename and wanted == normal_name(m.filename))
    return tuple(islice(named, 1)) or tuple(islice(of_file, 1))


def nearest(models: Sequence[Model], query: str) -> list[tuple[Model, str]]:
    """The models whose names are the nearest to an unknown one, each with the alias that is near.

    A part of a name is near (``b6``, ``tiny``); then what differs in few characters. Of numbers
    that differ, the closest is the nearest: van_b6 to van_b7. Empty if no name is near; the alias
    is empty if another name is near.
    """
    wanted = PurePosixPath(query[:_MOST_QUERY]).name
    best = [_nearest_name(model, wanted) for model in models]
    highest = max((score for score, _ in best), default=_FAR)
    if highest[0] < _NEAR:
        return []
    return [(m, alias) for m, (score, alias) in zip(models, best, strict=True) if score == highest]


def _nearest_name(model: Named, query: str) -> tuple[tuple[float, int], str]:
    """How near the nearest name of a model is, and the alias that it is or begins with."""
    tag = model.name.removeprefix(model.arch)
    scores = [
        (max(_nearness(query, model.name), _nearness(query, model.arch)), ""),
        (_similarity(query, model.filename), ""),
        *((max(_nearness(query, a), _nearness(query, a + tag)), a) for a in model.aliases),
    ]
    return max(scores, key=lambda scored: scored[0])


def nearest_names(names: Iterable[str], query: str) -> list[str]:
    """The names that are the nearest to an unknown one; empty if none is near."""
    scores = {name: _nearness(query[:_MOST_QUERY], name) for name in names}
    highest = max(scores.values(), default=_FAR)
    return [name for name, score in scores.items() if score == highest and score[0] >= _NEAR]


def suggestion(found: Iterable[tuple[Named, str]]) -> str:
    """The names of nearest models for a message, each with the alias that is near."""
    shown = [f"{model.name} ({alias})" if alias else model.name for model, alias in found]
    return " or ".join(shown) if len(shown) <= 3 else f"one of {listed(shown)}"


def listed(names: Sequence[str]) -> str:
    """Names for a message, not more than fit."""
    more = ", …" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


def _names(model: Named) -> tuple[str, ...]:
    return (model.name, model.arch, *model.aliases)


def _normal_names(model: Named) -> Iterator[str]:
    return map(normal_name, _names(model))


def _normal_pattern(pattern: str) -> str:
    """The pattern for names in normal form; ``-`` in brackets stands for a range."""
    return _BRACKETS_OR_HYPHEN.sub(
        lambda found: "_" if found[0] == "-" else found[0], pattern.lower()
    )


def _nearness(query: str, name: str) -> tuple[float, int]:
    """How near two names are, the larger the nearer: 2 equal, 1 a part, below 1 similar.

    Only letters and digits count.
    """
    wanted, known = _letters(query), _letters(name)
    if wanted == known:
        return 2.0, 0
    if len(wanted) > 1 and wanted in known:
        return 1.0, 0
    return _similarity(query, name)


def _similarity(query: str, name: str) -> tuple[float, int]:
    """The share of characters that two names have in common, and minus how far numbers differ."""
    letters, wanted = (_letters(text)[:_MOST_COMPARED] for text in (name, query))
    matcher = SequenceMatcher(None, letters, wanted)
    if matcher.real_quick_ratio() < _NEAR or matcher.quick_ratio() < _NEAR:
        return _FAR
    apart = sum(abs(a - b) for a, b in zip(_numbers(query), _numbers(name), strict=False))
    return matcher.ratio(), -apart


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"[0-9]+", name)]
