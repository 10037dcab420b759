"""OpenMMLab's ``metafile.yml``: Collections and Models with Metadata, Results and Weights."""

from collections.abc import Iterator
from typing import Any

from vanbench.errors import ZooError
from vanbench.outside.safe_text import shorten
from vanbench.outside.yaml_text import parse_yaml
from vanbench.zoo.importing.source import Source, SourceModel

NULL = ("", "~", "null", "Null", "NULL")
METRICS = {"Top 1 Accuracy": "top1", "Top 5 Accuracy": "top5"}
COUNTS = {"Parameters": ("params_m", 6), "FLOPs": ("flops_g", 9)}


def read_metafile(text: str, where: str) -> Source:
    """The models of a metafile; ZooError says what is not as OpenMMLab writes it."""
    document = parse_yaml(text, where=where, error=ZooError, what="metafile")
    if not isinstance(document, dict) or "Models" not in document:
        raise ZooError(f"expected a mapping with Models, found {shorten(document)}", where=where)
    models = _list(document["Models"], "Models", where)
    collections = _list(document.get("Collections", []), "Collections", where)
    names = [_text(collection, "Name", where) for collection in collections]
    title = next((name.replace("-", " ") for name in names if name), "")
    return Source(where, title, tuple(_read_model(model, where) for model in models))


def _read_model(model: Any, where: str) -> SourceModel:
    name = _text(model, "Name", where)
    if not name:
        raise ZooError(f"expected a model with a Name, found {shorten(model)}", where=where)
    place = f"{where}, model {shorten(name)}"
    metadata = _mapping(model.get("Metadata", ""), "Metadata", place)
    counts = {
        key: scaled(_text(metadata, title, place), digits, f"{place}, {title}")
        for title, (key, digits) in COUNTS.items()
        if _text(metadata, title, place)
    }
    dataset, metrics = _classification(model.get("Results", ""), place)
    return SourceModel(
        name=name,
        url=_text(model, "Weights", place),
        figures=counts | metrics,
        dataset=dataset,
        config=_text(model, "Config", place),
    )


def _classification(results: Any, place: str) -> tuple[str, dict[str, str]]:
    """The data set and the figures of the first result that is about image classification."""
    for result in _list(results, "Results", place):
        if _text(result, "Task", place) in ("Image Classification", ""):
            metrics = _mapping(result.get("Metrics", ""), "Metrics", place)
            return _text(result, "Dataset", place), dict(_figures(metrics, place))
    return "", {}


def _figures(metrics: dict[str, Any], place: str) -> Iterator[tuple[str, str]]:
    for title, key in METRICS.items():
        if text := _text(metrics, title, place):
            yield key, text


def scaled(number: str, digits: int, where: str) -> str:
    """A whole number in units of 10^``digits``, without zeros at its end.

    How many of them were printed cannot be known, so that the figure claims the least precision.

    >>> scaled("4110000", 6, "Parameters"), scaled("880000000", 9, "FLOPs")
    ('4.11', '0.88')
    """
    plain = number.replace("_", "")
    if not (plain.isascii() and plain.isdecimal()) or len(plain) > 15:
        raise ZooError(f"expected a whole number, found {shorten(number)}", where=where)
    padded = plain.zfill(digits + 1)
    fraction = padded[-digits:].rstrip("0")
    whole = padded[:-digits].lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction else whole


def _text(mapping: Any, key: str, where: str) -> str:
    value = _mapping(mapping, "it", where).get(key, "")
    if not isinstance(value, str):
        raise ZooError(f"expected a text as {key}, found {shorten(value)}", where=where)
    return "" if value in NULL else value.strip()


def _mapping(value: Any, what: str, where: str) -> dict[str, Any]:
    if isinstance(value, str) and value in NULL:
        return {}
    if not isinstance(value, dict):
        raise ZooError(f"expected a mapping as {what}, found {shorten(value)}", where=where)
    return value


def _list(value: Any, what: str, where: str) -> list[Any]:
    if isinstance(value, str) and value in NULL:
        return []
    if not isinstance(value, list):
        raise ZooError(f"expected a list as {what}, found {shorten(value)}", where=where)
    return value
