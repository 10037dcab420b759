"""Write the JSON Schemas of the commands' documents and of the zoo file, and docs/json.md.

    python tools/write_schemas.py check    # exit with 1 and a diff if a file is out of date
    python tools/write_schemas.py write

All are made from the code's types. Each module of ``vanbench.cli.commands`` whose command prints
JSON has a TypedDict ``Document``, and that of a group has ``DOCUMENTS``, from the names of its
commands to theirs; the zoo file is ``ZooFile`` in ``vanbench.zoo.file_keys``. The docstring under
each key, of the nested types too, is the key's description; a key without one is an error.
(pydantic finds no docstrings in the base classes of a TypedDict: write all keys into one.)
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from vanbench.cli.failures import FailureDocument
from vanbench.cli.group import COMMANDS
from vanbench.cli.output import SCHEMA
from vanbench.zoo.file_keys import ZooFile

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = "vanbench/schemas"
PAGE = "docs/json.md"
CONFIG = ConfigDict(use_attribute_docstrings=True, extra="forbid")

INTRODUCTION = f"""\
# The JSON of each command

`tools/write_schemas.py` generates this page, and the JSON Schemas in
[`vanbench/schemas/`](../{SCHEMAS}), from the types of the code. Do not edit it.

With `--json`, a command prints one JSON document on stdout and nothing else there. Each document
satisfies its schema, which is shipped: `importlib.resources.files("vanbench") / "schemas"`. Every
object has all of its keys, and no others. Counts are integers, percentages are from 0 to 100, sizes
in bytes, times in seconds; `null` stands where nothing was measured. `schema` is the version of the
form. It is {SCHEMA} as long as no key goes away or changes its meaning; new keys may come.
`zoo.json` there is the schema of the zoo file ([zoo.md](zoo.md#in-an-editor)).

In the tables, `models[].name` is the key `name` of each object in the array `models`, and `*`
stands for any key of an object whose keys are names.
"""

FAILURE = """\
## When a command fails

A command that ends with a failure, usage errors and interruptions included, prints this document in
place of its own; the message is on stderr as well. Where only some models failed, the command
prints its own document, with an `error` in the rows of these models.
"""

SHARED = """\
## Objects of several commands
"""


class UndocumentedError(Exception):
    """Keys without a docstring."""


def command_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each command that prints JSON, by the command's name."""
    return {name: command_schema(name, document) for name, document in _documents()}


def _documents() -> Iterator[tuple[str, Any]]:
    """Each command that prints JSON, with its TypedDict; ``DOCUMENTS`` has those of a group."""
    for name, module in COMMANDS.items():
        found = import_module(f"vanbench.cli.commands.{module}")
        if hasattr(found, "Document"):
            yield name, found.Document
        for inner, document in getattr(found, "DOCUMENTS", {}).items():
            yield f"{name} {inner}", document


def command_schema(name: str, document: Any) -> dict[str, Any]:
    """The JSON Schema of a command whose documents are ``document`` or FailureDocument."""
    for kind in (document, FailureDocument):
        kind.__pydantic_config__ = CONFIG
    found = TypeAdapter(document | FailureDocument).json_schema(mode="serialization")
    definitions = {key: _plain(value) for key, value in found["$defs"].items()}
    for reference in found["anyOf"]:
        _add_version(definitions[_name_of(reference)])
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:vanbench:schemas:{SCHEMA}:{name.replace(' ', '-')}",
        "title": f"vanbench {name} --json",
        "description": f"What vanbench {name} prints with --json: its document, or a failure.",
        "anyOf": found["anyOf"],
        "$defs": dict(sorted(definitions.items())),
    }
    if missing := list(_undocumented(definitions)):
        raise UndocumentedError(f"vanbench {name}: no docstring under {', '.join(missing)}")
    return schema


def zoo_schema() -> dict[str, Any]:
    """The JSON Schema of a zoo file, in the form that editors of TOML understand.

    That is draft 7 without references, beside which these editors show no description.
    """
    kind: Any = ZooFile
    kind.__pydantic_config__ = CONFIG
    found = TypeAdapter(kind).json_schema()
    definitions = {**found.pop("$defs"), kind.__name__: found}
    if missing := list(_undocumented(definitions)):
        raise UndocumentedError(f"zoo file: no docstring under {', '.join(missing)}")
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"urn:vanbench:schemas:{found['properties']['schema']['const']}:zoo",
        "title": "vanbench zoo file",
        **_for_editors(_plain(_without_references(found, definitions))),
    }


def _without_references(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with each reference replaced by what it refers to."""
    if isinstance(schema, list):
        return [_without_references(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        others = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**definitions[_name_of(schema)], **others}
    return {key: _without_references(value, definitions) for key, value in schema.items()}


def _for_editors(schema: Any) -> Any:
    """The schema with Markdown in its descriptions, which also tell the limits of numbers."""
    if isinstance(schema, list):
        return [_for_editors(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _for_editors(value) for key, value in schema.items()}
    if isinstance(text := found.get("description"), str):
        found["description"] = text.replace("``", "`") + _limits(found)
    return found


def _limits(schema: Mapping[str, Any]) -> str:
    """The limits of a number, or of the numbers in a list, as a sentence."""
    for word, numbers in (("From", schema), ("Each from", schema.get("items", {}))):
        if "minimum" in numbers:
            return f" {word} {numbers['minimum']:,} to {numbers['maximum']:,}."
    return ""


def _plain(schema: Any) -> Any:
    """The schema without pydantic's titles, with each description in one line."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        key: _plain(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
    if isinstance(plain.get("description"), str):
        plain["description"] = " ".join(plain["description"].split())
    return plain


def _add_version(definition: dict[str, Any]) -> None:
    """Add the key ``schema``, which ``print_json`` puts first in every document."""
    version = {"description": "Version of the form of this document.", "const": SCHEMA}
    definition["properties"] = {"schema": version, **definition["properties"]}
    definition["required"] = ["schema", *definition["required"]]


def _undocumented(definitions: Mapping[str, Any]) -> Iterator[str]:
    for name, definition in definitions.items():
        for key, value in definition.get("properties", {}).items():
            if not value.get("description"):
                yield f"{name}.{key}"


def _name_of(reference: Mapping[str, str]) -> str:
    return reference["$ref"].removeprefix("#/$defs/")


def page(schemas: Mapping[str, Mapping[str, Any]]) -> str:
    """The page that documents every key of every command."""
    uses = Counter(name for schema in schemas.values() for name in _objects(schema))
    shared = {name for name, times in uses.items() if times > 1}
    definitions = {n: d for schema in schemas.values() for n, d in schema["$defs"].items()}
    commands = " · ".join(f"[{name}](#{_anchor(f'vanbench {name}')})" for name in schemas)
    parts = [INTRODUCTION, f"Commands: {commands}\n"]
    for name, schema in schemas.items():
        own = _name_of(schema["anyOf"][0])
        parts.append(f"## vanbench {name}\n\n{_about(schema['$defs'][own])}")
        parts.append(_table(own, schema["$defs"], shared - {own}))
    failure = FailureDocument.__name__
    parts += [FAILURE, _table(failure, definitions, shared - {failure}), SHARED]
    for name in sorted(shared - {failure}):
        parts.append(f"### {name}\n\n{_about(definitions[name])}")
        parts.append(_table(name, definitions, shared - {name}))
    return "\n".join(parts)


def _objects(schema: Mapping[str, Any]) -> list[str]:
    """The names of the objects of a command's schema that have keys of their own."""
    return [name for name, value in schema["$defs"].items() if "properties" in value]


def _about(definition: Mapping[str, Any]) -> str:
    return f"{_markdown(definition.get('description', ''))}\n"


def _table(name: str, definitions: Mapping[str, Any], shared: set[str]) -> str:
    rows = [
        f"| `{key}` | {_type(value, definitions, shared)} | {_markdown(value['description'])} |"
        for key, value in _keys(definitions[name], definitions, shared, "")
    ]
    return "\n".join(["| key | type | meaning |", "|---|---|---|", *rows, ""])


def _keys(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], shared: set[str], prefix: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each key of an object with its schema; those of nested objects with dots."""
    for key, value in schema.get("properties", {}).items():
        yield prefix + key, value
        for place, inner in _inner(value, definitions, shared):
            yield from _keys(inner, definitions, shared, f"{prefix}{key}{place}.")


def _inner(
    value: Mapping[str, Any], definitions: Mapping[str, Any], shared: set[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects in a value, with what leads to them: ``[]`` in an array, ``.*`` in a map."""
    if "$ref" in value and _name_of(value) not in shared:
        yield from _inner(definitions[_name_of(value)], definitions, shared)
    if "properties" in value:
        yield "", value
    for option in value.get("anyOf", ()):
        yield from _inner(option, definitions, shared)
    for items in (value.get("items"), value.get("additionalProperties")):
        if isinstance(items, dict):
            step = "[]" if items is value.get("items") else ".*"
            yield from (
                (step + place, inner) for place, inner in _inner(items, definitions, shared)
            )


def _type(value: Mapping[str, Any], definitions: Mapping[str, Any], shared: set[str]) -> str:
    """The type of a value in words."""
    if "$ref" in value:
        name = _name_of(value)
        if name in shared:
            return f"[{name}](#{_anchor(name)})"
        return _type(definitions[name], definitions, shared)
    if "anyOf" in value:
        kinds = [_type(option, definitions, shared) for option in value["anyOf"]]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in value or "enum" in value:
        return " or ".join(f"`{one}`" for one in value.get("enum", [value.get("const")]))
    if value.get("type") == "array":
        items = value.get("items") or {}
        return f"array of {_type(items, definitions, shared)}" if items else "array"
    if isinstance(value.get("additionalProperties"), dict):
        return f"object of {_type(value['additionalProperties'], definitions, shared)}"
    return str(value.get("type", "any"))


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _markdown(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def generated() -> dict[str, str]:
    """The text of each generated file, by its path from the root."""
    import json

    schemas = command_schemas()
    texts = {
        f"{SCHEMAS}/{name.replace(' ', '-')}.json": json.dumps(schema, indent=2, ensure_ascii=False)
        + "\n"
        for name, schema in {**schemas, "zoo": zoo_schema()}.items()
    }
    return {**texts, PAGE: page(schemas)}


def differences(root: Path = ROOT) -> str:
    """A diff from the files as they are to the files as they should be; empty if they are."""
    parts = []
    for name, text in generated().items():
        path = root / name
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = (found.splitlines(keepends=True), text.splitlines(keepends=True))
        parts += unified_diff(*lines, name, f"{name} (generated)")
    return "".join(parts)


def main(verb: str) -> int:
    """Run one of the verbs; the exit code."""
    if verb == "write":
        for name, text in generated().items():
            (ROOT / name).write_text(text, encoding="utf-8")
        return 0
    if found := differences():
        print(found, end="", file=sys.stderr)
        print("Out of date. Run: python tools/write_schemas.py write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["check"], ["write"]):
        sys.exit("Usage: python tools/write_schemas.py check|write")
    sys.exit(main(sys.argv[1]))
