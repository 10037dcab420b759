"""Where training frameworks keep their plain and averaged weights in a checkpoint. No torch here.

Averaged weights (an exponential moving average, EMA) lie beside the plain ones under a key of their
own, except in two frameworks, which put the averaged ones under ``state_dict``, so that inference
loads them, and the plain ones elsewhere:

- mmengine's EMAHook: plain weights in ``ema_state_dict``
  (mmengine/hooks/ema_hook.py, before_save_checkpoint)
- Lightning's WeightAveraging: plain weights in ``current_model_state``
  (lightning/pytorch/callbacks/weight_averaging.py, on_save_checkpoint)
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

PLAIN, EMA = "plain", "ema"
WEIGHTS = (PLAIN, EMA)

WORDS = {PLAIN: "plain weights", EMA: "averaged (EMA) weights"}

PLAIN_KEYS = ("state_dict", "model", "model_state_dict", "net", "network", "module")
EMA_KEYS = ("state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "ema")
_MMENGINE = {"state_dict", "ema_state_dict"}
_MMENGINE_COUNTER = "steps"  # in ema_state_dict, also of files without the message hub
_LIGHTNING = {"state_dict", "current_model_state", "averaging_state"}

_WRAPPERS = ("module", "model", "net", "network")  # DataParallel and DDP; Lightning modules
_COMPILED = "_orig_mod"  # torch.compile's wrapper, of the whole model or of a part of it
COUNTERS = ("n_averaged", _MMENGINE_COUNTER)  # of torch's and mmengine's averaged models


@dataclass(frozen=True)
class Place:
    """Where the weights of one kind are: a key of the file's content, or None for all of it."""

    key: str | None
    content: Any


def find_weights(content: Any) -> dict[str, Place]:
    """The weights that a file's content has, by kind; first the kind that inference loads."""
    if not isinstance(content, dict):
        return {PLAIN: Place(None, content)}
    keys = {key for key, value in content.items() if isinstance(value, dict)}
    if keys >= _MMENGINE and (
        "message_hub" in content or _MMENGINE_COUNTER in content["ema_state_dict"]
    ):
        keys_by_kind = {EMA: "state_dict", PLAIN: "ema_state_dict"}
    elif content.keys() >= _LIGHTNING:
        keys_by_kind = {EMA: "state_dict", PLAIN: "current_model_state"}
    else:
        first = {
            PLAIN: next((key for key in PLAIN_KEYS if key in keys), None),
            EMA: next((key for key in EMA_KEYS if key in keys), None),
        }
        keys_by_kind = {kind: key for kind, key in first.items() if key is not None}
    if not keys_by_kind:
        return {PLAIN: Place(None, content)}
    return {kind: Place(key, content[key]) for kind, key in keys_by_kind.items()}


def describe_choice(kind: str, places: Mapping[str, Place]) -> str | None:
    """Which weights are taken and where others are; None for plain weights with none beside them.

    >>> places = {EMA: Place("state_dict", {}), PLAIN: Place("ema_state_dict", {})}
    >>> describe_choice(EMA, places)
    "averaged (EMA) weights from 'state_dict'; plain weights are in 'ema_state_dict'"
    """
    others = {other: place for other, place in places.items() if other != kind}
    if kind == PLAIN and not others:
        return None
    key = places[kind].key
    taken = WORDS[kind] + (f" from {key!r}" if key else "")
    beside = [f"{WORDS[other]} are in {place.key!r}" for other, place in others.items()]
    return "; ".join([taken, *beside])


def plain_names(names: Collection[str]) -> dict[str, str]:
    """Each tensor's name without the wrappers' parts of it.

    A part is removed where all names begin with it; torch.compile's wherever it is. Names stay as
    they are where two would become one.

    >>> plain_names(["model._orig_mod.norm1.weight", "model._orig_mod.head.bias"]).values()
    dict_values(['norm1.weight', 'head.bias'])
    """
    shorter = {name: ".".join(p for p in name.split(".") if p != _COMPILED) for name in names}
    if len(set(shorter.values())) < len(shorter):
        return {name: name for name in shorter}
    while prefix := _shared_wrapper(shorter.values()):
        shorter = {name: rest.removeprefix(prefix) for name, rest in shorter.items()}
    return shorter


def _shared_wrapper(names: Collection[str]) -> str | None:
    """The wrapper that all names begin with, with its dot."""
    first = {name.partition(".")[0] for name in names}
    if len(first) != 1 or not first <= set(_WRAPPERS) or not all("." in name for name in names):
        return None
    return first.pop() + "."
