"""Zoo files: from TOML to entries, strictly; ``file_keys`` and docs/zoo.md describe the keys."""

import errno
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import Any

from vanbench.errors import ZooError
from vanbench.model.limits import excess
from vanbench.outside.safe_text import for_terminal, is_plain, shorten
from vanbench.outside.toml_text import parse_toml, read_toml
from vanbench.zoo.combined import ALL, LEFT_OUT, combine
from vanbench.zoo.entries import (
    Counting,
    Entry,
    EvaluationProtocol,
    Zoo,
    filename_of,
)
from vanbench.zoo.names import (
    LONGEST_NAME,
    LONGEST_URL,
    comparable,
    is_alias,
    is_file_address,
    is_model_name,
    is_zoo_name,
)
from vanbench.zoo.search import nearest_names
from vanbench.zoo.sections import (
    any_architecture,
    read_claims,
    read_counting,
    read_erratum,
    read_protocol,
    with_known_convention,
)
from vanbench.zoo.toml_table import Table

SCHEMA = 1
SHIPPED = Path(str(files("vanbench"))) / "zoos"
MOST_BYTES = 1_000_000
MOST_MODELS = 1000
MOST_MIRRORS = 20
MOST_ALIASES = 20
LONGEST_CITATION = 5000
NO_FILE = "no file is published"  # the reason where an entry without url gives none
LEAST_EPS, MOST_EPS = 1e-12, 0.1


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
    """The zoo of a shipped name or a TOML file; ZooError if malformed.

    ``all`` is made of all shipped ones but the demo. The error is about the first problem, and
    names the command that shows all of them.
    """
    if name_or_path == ALL:
        parts = [load_zoo(name) for name in shipped_zoos() if name not in LEFT_OUT]
        return combine(parts, SHIPPED)
    path = shipped_zoos().get(name_or_path, Path(name_or_path))
    try:
        data = read_toml(path, most=MOST_BYTES, error=ZooError)
    except ZooError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        names = ", ".join([*shipped_zoos(), ALL])
        near = _near_zoos(name_or_path)
        raise ZooError(
            f"no zoo {shorten(name_or_path)}: neither a shipped one ({names}) nor a file",
            remedy=f"Did you mean {' or '.join(near)}?"
            if near
            else "Give --zoo one of these names or the path of a TOML file.",
        ) from None
    try:
        return read_zoo(path, data)
    except ZooError as error:
        check = f"`vanbench zoo check {for_terminal(quote(str(path)))}` names every problem."
        error.remedy = f"{error.remedy} {check}".lstrip()
        raise


def parse_zoo(text: str, where: str | Path) -> Zoo:
    """The zoo that a TOML text describes; ``where`` is its file, which paths in it are beside."""
    return read_zoo(where, parse_toml(text, where=where, error=ZooError))


def _near_zoos(name_or_path: str) -> list[str]:
    """The shipped zoos and the file that a wrong name of a zoo may mean."""
    file = f"{name_or_path}.toml"
    files = [for_terminal(file)] if os.path.isfile(file) else []
    return files + nearest_names([*shipped_zoos(), ALL], name_or_path.removesuffix(".toml"))


def shipped_zoos() -> dict[str, Path]:
    """The zoos that are part of vanbench: name → file; OpenMMLab's, the default, comes first."""
    files = sorted(SHIPPED.glob("*.toml"), key=lambda path: (path.stem != "openmmlab", path.stem))
    return {path.stem: path for path in files}


def read_zoo(path: str | Path, data: dict[str, Any]) -> Zoo:
    """The zoo that a file's table describes; paths in it are beside ``path``."""
    path = Path(path)
    top = Table(path, "", data)
    if top.get("schema", int, f"{SCHEMA}") != SCHEMA:
        raise top.fail("schema", f"{SCHEMA}", data["schema"])
    name, title, source = top.text("name"), top.text("title"), top.text("source")
    if not is_zoo_name(name):
        expected = f"at most {LONGEST_NAME} letters, digits, '-' and '_', and no reserved name"
        raise top.fail("name", f"{expected} (it names a results folder)", name)
    defaults = _Defaults(
        layer_norm_eps=_read_eps(top, None),
        counting=read_counting(top.table("counting", {}), Counting()),
        protocol=read_protocol(top.table("protocol", {}), EvaluationProtocol()),
        source=source,
        images=_read_images(top, None),
        note=_read_line(top, "note", None),
    )
    citation = top.text("citation", None, most=LONGEST_CITATION, multiline=True)
    folder = top.text("data", None)
    models = top.table("models")
    if len(models.data) > MOST_MODELS:
        raise top.fail("models", f"at most {MOST_MODELS:,} models", len(models.data))
    entries = [_read_entry(models.table(key), key, defaults) for key in models.data]
    top.done()
    if not entries:
        raise top.fail("models", "at least one model")
    _refuse_similar_names(models, entries)
    _refuse_taken_aliases(models, entries)
    data_set = path.parent / folder if folder else None
    return Zoo(name, title, source, path, _related(models, entries), data_set, citation)


def _read_entry(table: Table, name: str, defaults: _Defaults) -> Entry:
    if not is_model_name(name):
        expected = (
            "a model name of the form ARCH.TAG, such as van_b0.in1k, of at most "
            f"{LONGEST_NAME} letters, digits, '_', '-', '+' and '.' (it names a record)"
        )
        raise table.fail(name, expected, name)
    counting = read_counting(table.table("counting", {}), defaults.counting)
    protocol = read_protocol(table.table("protocol", {}), defaults.protocol)
    architecture = any_architecture(table, "architecture", counting)
    counting = with_known_convention(table, counting, architecture)
    if why := excess(architecture, protocol.center_crop):
        raise table.too_large("protocol", why)
    entry = Entry(
        name=name,
        architecture=architecture,
        urls=_read_urls(table),
        address=table.text("url", "", most=LONGEST_URL),
        claims=read_claims(table.table("reported", {})),
        layer_norm_eps=_read_eps(table, defaults.layer_norm_eps),
        counting=counting,
        protocol=protocol,
        source=table.text("source", defaults.source),
        sha256=_read_sha256(table),
        erratum=read_erratum(table, counting),
        images=_read_images(table, defaults.images),
        pretrain=_read_line(table, "pretrain", None),
        config=_read_line(table, "config", None),
        note=_read_line(table, "note", defaults.note),
        aliases=_read_aliases(table),
        no_file=_read_no_file(table),
        weights_of=_read_weights_of(table),
    )
    table.done()
    return replace(entry, urls=(), address="", sha256=None) if entry.no_file else entry


def _read_images(table: Table, default: int | None) -> int | None:
    return (
        None if default is None and "images" not in table.data else table.length("images", default)
    )


def _read_line(table: Table, key: str, default: str | None) -> str | None:
    """A text that is shown in a table or under it: one line, not empty."""
    value: str | None = table.text(key, default)
    if value is not None and not value.strip():
        raise table.fail(key, "a text that is not empty", value)
    return value


def _read_aliases(table: Table) -> tuple[str, ...]:
    expected = (
        f"a list of at most {MOST_ALIASES} names, each of at most {LONGEST_NAME} letters, digits, "
        "'_', '-', '+' and '.'"
    )
    names = table.get("aliases", list, expected, [])
    if len(names) > MOST_ALIASES or not all(isinstance(n, str) and is_alias(n) for n in names):
        raise table.fail("aliases", expected, names)
    return tuple(names)


def _read_urls(table: Table) -> tuple[str, ...]:
    """Absolute URLs as they are, anything else as a path beside the zoo file; none without url."""
    url = table.text("url", None, most=LONGEST_URL)
    if url is None:
        for key in ("mirrors", "sha256"):
            if key in table.data:
                raise table.fail("url", f"a url beside {key}")
        return ()
    mirrors = table.get("mirrors", list, "a list of URLs", [])
    expected = f"a list of at most {MOST_MIRRORS} URLs"
    if len(mirrors) > MOST_MIRRORS or not all(isinstance(u, str) for u in mirrors):
        raise table.fail("mirrors", expected, mirrors)
    urls = [_absolute(u, table.path.parent) for u in (url, *mirrors)]
    if not is_file_address(urls[0]):
        raise table.fail("url", "a URL that ends in a file name", url)
    for mirror, absolute in zip(mirrors, urls[1:], strict=True):
        if not is_plain(mirror) or len(mirror) > LONGEST_URL or not is_file_address(absolute):
            raise table.fail("mirrors", f"{expected} that end in a file name", mirror)
    return tuple(urls)


def _read_no_file(table: Table) -> str | None:
    """Why the entry has no file, as a clause; None if it has one."""
    return _read_line(table, "no_file", None if "url" in table.data else NO_FILE)


def _read_weights_of(table: Table) -> str | None:
    expected = "the name of a model of a zoo, such as authors/van_b0.in1k"
    value: str | None = table.text("weights_of", None)
    if value is not None:
        zoo, _, name = value.partition("/")
        if not (is_zoo_name(zoo) and is_model_name(name)):
            raise table.fail("weights_of", expected, value)
    return value


def _absolute(url: str, folder: Path) -> str:
    """A URL as it is, a path as a ``file://`` URL; empty if it cannot be a path."""
    if "://" in url:
        return url
    try:
        path = (folder / url).resolve()
        return "" if _is_loop(path) else path.as_uri()
    except (OSError, RuntimeError, ValueError):  # such as a NUL, or a loop of links
        return ""


def _is_loop(path: Path) -> bool:
    """Whether links in a path lead in a circle, which ``resolve`` lets pass from Python 3.13 on."""
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _read_sha256(table: Table) -> str | None:
    value = table.text("sha256", None)
    if value is not None and (not 8 <= len(value) <= 64 or set(value) - set("0123456789abcdef")):
        raise table.fail("sha256", "8 to 64 lower-case hex digits", value)
    return value


def _read_eps(table: Table, default: float | None) -> float | None:
    expected = f"a number from {LEAST_EPS} to {MOST_EPS}, such as 1e-5"
    value = table.get("layer_norm_eps", float, expected, default)
    if value is not None and not LEAST_EPS <= value <= MOST_EPS:
        raise table.fail("layer_norm_eps", expected, value)
    return value


def _refuse_similar_names(models: Table, entries: Sequence[Entry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        other = seen.setdefault(comparable(entry.name), entry.name)
        if other != entry.name:
            raise models.fail(
                entry.name, f"a name that differs from {other!r} in more than case", entry.name
            )


def _refuse_taken_aliases(models: Table, entries: Sequence[Entry]) -> None:
    taken = {comparable(name) for entry in entries for name in (entry.name, entry.arch)}
    for entry in entries:
        for alias in entry.aliases:
            if comparable(alias) in taken:
                expected = "names that no model, architecture or alias of the zoo has"
                raise models.table(entry.name).fail("aliases", expected, alias)
            taken.add(comparable(alias))


def _related(models: Table, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries, with what each has in common with others.

    Entries of one URL are about one file, so they share its hash. Entries of different URLs may
    have the same file name.
    """
    hashes: dict[str, str] = {}
    for entry in (entry for entry in entries if entry.urls):
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
        if entry.urls
        else entry
        for entry in entries
    )
