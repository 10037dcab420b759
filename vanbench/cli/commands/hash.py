"""``vanbench hash``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource
from typing_extensions import TypedDict

from vanbench.cli.failures import exit_for
from vanbench.cli.options import Settings, common_options
from vanbench.cli.output import echo, print_json
from vanbench.cli.phrases import counted, size_of
from vanbench.errors import ErrorJson, VanbenchError, error_json
from vanbench.zoo.entries import Zoo

if TYPE_CHECKING:
    from vanbench.download.identify import Identity

EXAMPLES = """\b
Examples:
  vanbench hash van.pth
  vanbench hash *.pth --json

\b
Exit codes:
  0  no file has the name of another one
  1  a file has the name or the digits of another one
  3  a file cannot be read
"""


class FoundModel(TypedDict):
    """A model of a zoo."""

    zoo: str
    """The name of the zoo."""
    name: str
    """The model, ARCH.TAG."""


class HashedFileJson(TypedDict):
    """One file."""

    path: str
    """The file, as it was given."""
    bytes: int | None
    """Its size; null if it cannot be read."""
    sha256: str | None
    """Its SHA-256 in hex; null if it cannot be read."""
    expected_name: str | None
    """The name that ends in the first 8 digits of its hash, as zoos expect; its own name where that
    ends in digits of its hash; null if it cannot be read."""
    digits: Literal["own", "other", "none"] | None
    """Whether its name ends in digits of its own hash, of another one, or in none; null if it
    cannot be read."""
    models: list[FoundModel]
    """The models whose published file it is, by its hash."""
    namesakes: list[FoundModel]
    """The models whose published file has this name and another hash."""
    error: ErrorJson | None
    """Why it cannot be read; null if it was."""


class Document(TypedDict):
    """What each file is."""

    files: list[HashedFileJson]
    """The files, in the order in which they were given."""


@click.command(epilog=EXAMPLES)
@click.argument("file", nargs=-1, required=True, type=click.Path(path_type=Path))
@common_options
def command(settings: Settings, file: tuple[Path, ...]) -> None:
    """Print the SHA-256 of files, and the name that zoos expect.

    By convention a published file's name ends in the first 8 hex digits of its own SHA-256. Also
    says which model's file it is, of --zoo or else of any shipped zoo. No file is changed.
    """
    zoos = _zoos(settings)
    found = [_identify(settings, path, zoos) for path in file]
    if settings.as_json:
        document: Document = {
            "files": [_as_json(path, one) for path, one in zip(file, found, strict=True)]
        }
        print_json(**document)
    else:
        for path, one in zip(file, found, strict=True):
            if not isinstance(one, VanbenchError):
                _print(path, one)
        _print_answer(found)
    errors = {str(p): e for p, e in zip(file, found, strict=True) if isinstance(e, VanbenchError)}
    contradicted = any(_contradicted(one) for one in found if not isinstance(one, VanbenchError))
    exit_for(errors, *([1] if contradicted else []))


def _zoos(settings: Settings) -> list[Zoo]:
    """The zoo that was asked for, else every shipped one."""
    from vanbench.zoo.reader import load_zoo, shipped_zoos

    source = click.get_current_context().get_parameter_source("zoo")
    if source is not ParameterSource.DEFAULT:
        return [settings.zoo]
    return [load_zoo(name) for name in shipped_zoos()]


def _identify(settings: Settings, path: Path, zoos: list[Zoo]) -> "Identity | VanbenchError":
    from vanbench.download.identify import identify

    try:
        with settings.progress(f"hashing {path.name}", "B") as update:
            return identify(path, zoos, update)
    except VanbenchError as error:
        return error


def _contradicted(found: "Identity") -> bool:
    return found.digits == "other" or bool(found.namesakes)


def _print(path: Path, found: "Identity") -> None:
    echo(str(path), wrap=False)
    echo(f"  SHA-256  {found.file.sha256}", wrap=False)
    echo(f"  size     {size_of(found.file.bytes)} ({counted(found.file.bytes, 'byte')})")
    whose = "its own" if found.digits == "own" else "as zoos expect it"
    echo(f"  name     {found.name} ({whose})")
    for label, models in (("model", found.models), ("not", found.namesakes)):
        if models:
            names = ", ".join(f"{name} of {zoo}" for zoo, name in models)
            why = "" if label == "model" else ", whose published file has this name"
            echo(f"  {label:<8} {names}{why}")
    if found.digits == "other":
        echo("  ✗ its present name ends in the digits of another hash")


def _print_answer(found: Sequence["Identity | VanbenchError"]) -> None:
    sound = [one for one in found if not isinstance(one, VanbenchError)]
    if not sound:
        return
    known = sum(1 for one in sound if one.models)
    contradicted = sum(1 for one in sound if _contradicted(one))
    parts = [f"{known} of {counted(len(found), 'file')} known as a model's file"]
    if contradicted:
        parts.append(f"{contradicted} with the name of another file")
    if len(sound) < len(found):
        parts.append(f"{len(found) - len(sound)} not readable")
    echo(", ".join(parts) + ".")


def _as_json(path: Path, found: "Identity | VanbenchError") -> HashedFileJson:
    if isinstance(found, VanbenchError):
        return {
            "path": str(path),
            "bytes": None,
            "sha256": None,
            "expected_name": None,
            "digits": None,
            "models": [],
            "namesakes": [],
            "error": error_json(found),
        }
    return {
        "path": str(path),
        "bytes": found.file.bytes,
        "sha256": found.file.sha256,
        "expected_name": found.name,
        "digits": found.digits,
        "models": [{"zoo": zoo, "name": name} for zoo, name in found.models],
        "namesakes": [{"zoo": zoo, "name": name} for zoo, name in found.namesakes],
        "error": None,
    }
