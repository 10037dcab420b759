"""Every problem of a zoo file, not only the first, as far as one does not hide another."""

from collections.abc import Iterator
from typing import Any

from vanbench.errors import ZooError
from vanbench.zoo.reader import read_zoo

TOP = {"schema": 1, "name": "zoo", "title": "Zoo", "source": "https://example.org"}
MODEL = {"architecture": "van_b0", "url": "https://example.org/van-00000000.pth"}
"""What is put in place of required keys while another key is looked at."""


def all_problems(path: str, data: dict[str, Any]) -> list[ZooError]:
    """The problems of a zoo file's table, each once; empty if it can be used.

    Each key is read alone, beside keys that are sound; then each model, then the whole.
    """
    found: dict[str, ZooError] = {}

    def is_sound(table: dict[str, Any]) -> bool:
        error = _problem(path, table)
        if error is not None:
            found.setdefault(str(error), error)
        return error is None

    models = data.get("models")
    top = {key: value for key, value in data.items() if key != "models"}
    one_model = {"models": {"van_b0.in1k": MODEL}}
    sound = {k: v for k, v in top.items() if is_sound({**TOP, **one_model, k: v})}
    for key in (key for key in TOP if key not in data):
        is_sound({k: v for k, v in {**TOP, **one_model}.items() if k != key})
    for name, model in models.items() if isinstance(models, dict) else ():
        for table in _parts(name, model):
            is_sound({**TOP, **sound, **table})
    if not found or not isinstance(models, dict):
        is_sound(data)
    return list(found.values())


def _parts(name: str, model: Any) -> Iterator[dict[str, Any]]:
    """Tables of models that show one key of a model each, and one with the keys that are there."""
    if not isinstance(model, dict):
        yield {"models": {name: model}}
        return
    for key, value in model.items():
        if key == "reported" and isinstance(value, dict):
            for figure, text in value.items():
                yield {"models": {name: {**MODEL, key: {figure: text}}}}
        else:
            yield {"models": {name: {**MODEL, key: value}}}
    if "architecture" not in model:
        yield {"models": {name: {k: v for k, v in MODEL.items() if k != "architecture"}}}


def _problem(path: str, table: dict[str, Any]) -> ZooError | None:
    try:
        read_zoo(path, table)
    except ZooError as error:
        return error
    return None
