"""From a source's models to the models of a zoo: a name, an architecture, an alias for each."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from vanbench.errors import ZooError
from vanbench.model.architecture import ALIASES, ARCHITECTURES
from vanbench.outside.safe_text import for_terminal, shorten
from vanbench.zoo.entries import filename_of
from vanbench.zoo.importing.source import Source, SourceModel
from vanbench.zoo.names import is_alias, is_model_name
from vanbench.zoo.search import normal_name

TAGS = {"imagenet-1k": "in1k", "imagenet-21k": "in21k", "imagenet-22k": "in22k"}
_VARIANT = re.compile(r"(?<![a-z0-9])van[-_ ]?(b[0-6]|tiny|small|base|large)(?![a-z0-9])")
_TAG = re.compile(r"(?<![a-z0-9])(in\d{1,2}k)(?![a-z0-9])")


@dataclass(frozen=True)
class Draft:
    """A model as it will stand in the zoo file; ``alias`` is empty if there is none."""

    name: str
    architecture: str
    alias: str
    model: SourceModel


def drafts(source: Source, chosen: Mapping[str, str]) -> tuple[list[Draft], list[str]]:
    """The models that have a checkpoint, and the names of those that have none.

    ``chosen`` has the architecture of models whose name does not tell it. ZooError names all others
    of which it cannot be told.
    """
    left_out = [model.name for model in source.models if not model.url]
    models = [model for model in source.models if model.url]
    architectures = [chosen.get(model.name) or _architecture(model) for model in models]
    if unknown := [m.name for m, a in zip(models, architectures, strict=True) if a is None]:
        raise ZooError(
            f"no architecture in the names of {', '.join(map(_shown, unknown))}",
            where=source.where,
            remedy=f"Give it: --architecture {_shown(unknown[0])}=van_b0, for each of them. "
            f"The architectures are {', '.join(ARCHITECTURES)}.",
        )
    names = _distinct([_name(m, str(a)) for m, a in zip(models, architectures, strict=True)])
    aliases = _distinct_aliases([_alias(model) for model in models])
    return [
        Draft(name, str(architecture), alias, model)
        for name, architecture, alias, model in zip(
            names, architectures, aliases, models, strict=True
        )
    ], left_out


def check_chosen(source: Source, chosen: Mapping[str, str]) -> None:
    """ZooError for a choice of an architecture that is about no model or that is not known."""
    names = [model.name for model in source.models]
    for name, architecture in chosen.items():
        if name not in names:
            known = ", ".join(map(_shown, names[:10]))
            raise ZooError(f"no model {shorten(name)}; the source has {known}", where=source.where)
        if architecture not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise ZooError(f"expected one of {known}, found {shorten(architecture)}")


def _architecture(model: SourceModel) -> str | None:
    """The published architecture that the model's name, else the file's name, has in it."""
    for text in (model.name, filename_of(model.url)):
        if match := _VARIANT.search(text.lower()):
            key = f"van_{match[1]}"
            return ALIASES.get(key, key)
    return None


def _name(model: SourceModel, architecture: str) -> str:
    """``ARCH.TAG``; the tag is the data set in the names, else what the source says of it."""
    if is_model_name(model.name) and model.name.startswith(f"{architecture}."):
        return model.name
    for text in (filename_of(model.url), model.name):
        if match := _TAG.search(text.lower()):
            return f"{architecture}.{match[1]}"
    known = TAGS.get(model.dataset.lower())
    tag = known or re.sub(r"[^a-z0-9]+", "_", model.dataset.lower()).strip("_")[:30]
    return f"{architecture}.{tag or 'published'}"


def _alias(model: SourceModel) -> str:
    """The model's name in the name of its file, such as ``van-tiny``; empty if it says no more."""
    alias = filename_of(model.url).split("_")[0]
    return alias if is_alias(alias) and normal_name(alias) in ALIASES else ""


def _distinct(names: list[str]) -> list[str]:
    """The names, with a number where one occurs again."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return result


def _distinct_aliases(aliases: list[str]) -> list[str]:
    """The aliases that only one model has."""
    times = Counter(aliases)
    return [alias if times[alias] == 1 else "" for alias in aliases]


def _shown(name: str) -> str:
    return for_terminal(name, most=60)
