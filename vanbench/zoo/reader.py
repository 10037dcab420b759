"""Zoo files: from TOML to entries, strictly; docs/zoo.md describes the keys."""

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from vanbench.conventions import CONVENTIONS
from vanbench.errors import ZooError
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.zoo.entries import (
    Claims,
    Counting,
    Entry,
    Erratum,
    EvaluationProtocol,
    Zoo,
    filename_of,
    normal_name,
)
from vanbench.zoo.reported import Reported
from vanbench.zoo.toml_table import Table

SCHEMA = 1
SHIPPED = Path(str(files("vanbench"))) / "zoos"
INTERPOLATIONS = ("bicubic", "bilinear")
_NAME = re.compile(r"[\w+-]+\.[\w.+-]+")


@dataclass(frozen=True)
class _Defaults:
    """What the top level of the file says for all its models."""

    layer_norm_eps: float | None
    counting: Counting
    protocol: EvaluationProtocol
    source: str
    images: int | None
    note: str | None


def load_zoo(name_or_path: str) -> Zoo:
    """The zoo of a shipped name (``openmmlab``, ``demo``) or a TOML file; ZooError if malformed."""
    shipped = SHIPPED / f"{name_or_path}.toml"
    path = shipped if shipped.is_file() else Path(name_or_path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.toml")))
        raise ZooError(
            f"no zoo {name_or_path!r}: neither a shipped one ({names}) nor a file",
            remedy="Give --zoo one of these names or the path of a TOML file.",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ZooError(f"not a readable TOML file: {error}", where=path) from error
    return _read_zoo(path, data)


def _read_zoo(path: Path, data: dict[str, Any]) -> Zoo:
    top = Table(path, "", data)
    if top.get("schema", int, f"{SCHEMA}") != SCHEMA:
        raise top.fail("schema", f"{SCHEMA}", data["schema"])
    name, title, source = top.text("name"), top.text("title"), top.text("source")
    if not name.replace("-", "").replace("_", "").isalnum():
        raise top.fail("name", "letters, digits, '-' and '_' (it names a results folder)", name)
    defaults = _Defaults(
        layer_norm_eps=_read_eps(top, None),
        counting=_read_counting(top.table("counting", {}), Counting()),
        protocol=_read_protocol(top.table("protocol", {}), EvaluationProtocol()),
        source=source,
        images=_read_images(top, None),
        note=_read_line(top, "note", None),
    )
    citation = top.text("citation", None)
    folder = top.text("data", None)
    models = top.table("models")
    entries = [_read_entry(models.table(key), key, defaults) for key in models.data]
    top.done()
    if not entries:
        raise top.fail("models", "at least one model")
    _refuse_similar_names(models, entries)
    data_set = path.parent / folder if folder else None
    return Zoo(name, title, source, path, _related(models, entries), data_set, citation)


def _read_entry(table: Table, name: str, defaults: _Defaults) -> Entry:
    if not _NAME.fullmatch(name):
        expected = "a model name of the form ARCH.TAG, such as van_b0.in1k, of letters, digits"
        raise table.fail(name, f"{expected}, '_', '-', '+' and '.' (it names a record)", name)
    counting = _read_counting(table.table("counting", {}), defaults.counting)
    entry = Entry(
        name=name,
        architecture=_read_architecture(table, "architecture", counting.num_classes),
        urls=_read_urls(table),
        address=table.text("url"),
        claims=_read_claims(table.table("reported", {})),
        layer_norm_eps=_read_eps(table, defaults.layer_norm_eps),
        counting=counting,
        protocol=_read_protocol(table.table("protocol", {}), defaults.protocol),
        source=table.text("source", defaults.source),
        sha256=_read_sha256(table),
        erratum=_read_erratum(table, counting.num_classes),
        images=_read_images(table, defaults.images),
        pretrain=_read_line(table, "pretrain", None),
        config=_read_line(table, "config", None),
        note=_read_line(table, "note", defaults.note),
    )
    table.done()
    return entry


def _read_protocol(table: Table, default: EvaluationProtocol) -> EvaluationProtocol:
    protocol = EvaluationProtocol(
        exif_orientation=table.get(
            "exif_orientation", bool, "true or false", default.exif_orientation
        ),
        resize_short_edge=table.length("resize_short_edge", default.resize_short_edge),
        interpolation=table.one_of("interpolation", INTERPOLATIONS, default.interpolation),
        center_crop=table.length("center_crop", default.center_crop, least=32),
        mean=table.numbers("mean", (int, float), 3, list(default.mean), least=0),
        std=table.numbers("std", (int, float), 3, list(default.std), least=1e-6),
        classes=_read_classes(table, default.classes),
    )
    table.done()
    if protocol.resize_short_edge < protocol.center_crop:
        raise table.fail("resize_short_edge", "at least center_crop", protocol.resize_short_edge)
    return protocol


def _read_classes(table: Table, default: str | tuple[str, ...]) -> str | tuple[str, ...]:
    expected = "imagenet-1k or a list of distinct class ids"
    classes = table.get("classes", (str, list), expected, default)
    if classes == default or classes == "imagenet-1k":
        return classes
    sound = isinstance(classes, list) and all(isinstance(c, str) and c for c in classes)
    if not sound or len(set(classes)) != len(classes):
        raise table.fail("classes", expected, classes)
    return tuple(classes)


def _read_counting(table: Table, default: Counting) -> Counting:
    counting = Counting(
        convention=table.one_of("convention", tuple(CONVENTIONS), default.convention),
        resolution=table.length("resolution", default.resolution, least=32),
        num_classes=table.length("num_classes", default.num_classes),
    )
    table.done()
    return counting


def _read_architecture(table: Table, key: str, num_classes: int) -> Architecture:
    value = table.get(
        key, (str, dict), "a published name or a table of embed_dims, depths, mlp_ratios"
    )
    if isinstance(value, str):
        if value not in ARCHITECTURES:
            raise table.fail(key, f"one of {', '.join(ARCHITECTURES)}, or a table", value)
        known = ARCHITECTURES[value]
        return Architecture(known.embed_dims, known.depths, known.mlp_ratios, num_classes)
    numbers = table.table(key)
    architecture = Architecture(
        embed_dims=numbers.numbers("embed_dims", int, 4),
        depths=numbers.numbers("depths", int, 4),
        mlp_ratios=numbers.numbers("mlp_ratios", int, 4, [8, 8, 4, 4]),
        num_classes=num_classes,
    )
    numbers.done()
    return architecture


def _read_claims(table: Table) -> Claims:
    found = {field.name: _read_figure(table, field.name) for field in fields(Claims)}
    table.done()
    return Claims(**found)


def _read_figure(table: Table, key: str) -> Reported | None:
    expected = 'the figure as printed, as text, such as "82.80"'
    text = table.get(key, str, expected, None)
    if text is None:
        return None
    try:
        figure = Reported(text)
    except ValueError:
        raise table.fail(key, expected, text) from None
    if key in ("top1", "top5") and figure.value > 100:
        raise table.fail(key, "a percentage from 0 to 100", text)
    return figure


def _read_erratum(table: Table, num_classes: int) -> Erratum | None:
    if table.get("erratum", dict, "a table", None) is None:
        return None
    erratum = table.table("erratum")
    architecture = None
    if "reported_architecture" in erratum.data:
        architecture = _read_architecture(erratum, "reported_architecture", num_classes)
    corrected = _read_claims(erratum.table("corrected"))
    reason = erratum.text("reason").strip()
    erratum.done()
    return Erratum(corrected, reason, architecture)


def _read_images(table: Table, default: int | None) -> int | None:
    return (
        None if default is None and "images" not in table.data else table.length("images", default)
    )


def _read_line(table: Table, key: str, default: str | None) -> str | None:
    """A text that is shown in a table or under it: one line, not empty."""
    value = table.text(key, default)
    if value is not None and not (value.strip() and value.isprintable()):
        raise table.fail(key, "a text of one line", value)
    return value


def _read_urls(table: Table) -> tuple[str, ...]:
    """Absolute URLs as they are; anything else is a path beside the zoo file."""
    url = table.text("url")
    mirrors = table.get("mirrors", list, "a list of URLs", [])
    if not all(isinstance(u, str) for u in mirrors):
        raise table.fail("mirrors", "a list of URLs", mirrors)
    urls = [
        u if "://" in u else (table.path.parent / u).resolve().as_uri() for u in (url, *mirrors)
    ]
    try:
        named = bool(filename_of(urls[0]))
    except ValueError:
        named = False
    if not named:
        raise table.fail("url", "a URL that ends in a file name", url)
    return tuple(urls)


def _read_sha256(table: Table) -> str | None:
    value = table.text("sha256", None)
    if value is not None and (not 8 <= len(value) <= 64 or set(value) - set("0123456789abcdef")):
        raise table.fail("sha256", "8 to 64 lower-case hex digits", value)
    return value


def _read_eps(table: Table, default: float | None) -> float | None:
    value = table.get("layer_norm_eps", float, "a small positive number", default)
    if value is not None and not 0 < value < 1:
        raise table.fail("layer_norm_eps", "a small positive number", value)
    return value


def _refuse_similar_names(models: Table, entries: Sequence[Entry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        other = seen.setdefault(normal_name(entry.name), entry.name)
        if other != entry.name:
            raise models.fail(
                entry.name, f"a name that differs from {other!r} in more than case", entry.name
            )


def _related(models: Table, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries, with what each has in common with others.

    Entries of one URL are about one file, so they share its hash. Entries of different URLs may
    have the same file name.
    """
    hashes: dict[str, str] = {}
    for entry in entries:
        known, given = hashes.get(entry.urls[0], ""), entry.sha256 or ""
        if not (known.startswith(given) or given.startswith(known)):
            raise models.table(entry.name).fail("sha256", f"{known} as for the same URL", given)
        hashes[entry.urls[0]] = max(known, given, key=len)
    names = Counter(filename_of(url).lower() for url in hashes)
    return tuple(
        replace(
            entry,
            sha256=hashes[entry.urls[0]] or None,
            shares_filename=names[entry.filename.lower()] > 1,
        )
        for entry in entries
    )
