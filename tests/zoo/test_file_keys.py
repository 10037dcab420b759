"""The shipped schema of zoo files and the reader agree, key by key and limit by limit."""

import json
import re
import tomllib
from copy import deepcopy
from importlib.resources import files
from math import inf, nextafter
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from tests.docs.blocks import PAGES, blocks
from tests.docs.sandbox import METAFILE
from tests.zoo.test_reader import MINE, MISTAKES
from vanbench.errors import ZooError
from vanbench.zoo.importing.convert import import_zoo
from vanbench.zoo.other_sets import OTHER_SETS
from vanbench.zoo.reader import SHIPPED, read_zoo

SCHEMA = json.loads((files("vanbench") / "schemas" / "zoo.json").read_text("utf-8"))
BY_SCHEMA = Draft7Validator(SCHEMA)

ARCHITECTURE = {"embed_dims": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "mlp_ratios": [8, 8, 4, 4]}
COUNTING = {"convention": "fvcore", "resolution": 64, "num_classes": 2,
            "params": "with-bn-statistics"}  # fmt: skip
PROTOCOL = {"exif_orientation": False, "resize_short_edge": 256, "interpolation": "bilinear",
            "center_crop": 224, "mean": [123.7, 116, 103.5], "std": [58.4, 57.1, 57.4],
            "classes": ["cat", "dog"]}  # fmt: skip
FIGURES = {"params_m": "0.10", "flops_g": "0.2", "top1": "50.0", "top5": "100",
           **{key: {"top1": "5.0", "top5": "10"} for key in OTHER_SETS}}  # fmt: skip
MODEL = {"architecture": ARCHITECTURE, "url": "files/a.pth", "mirrors": ["https://host/a.pth"],
         "sha256": "0123abcd", "reported": FIGURES, "aliases": ["van-full"], "pretrain": "none",
         "config": "https://host/a.py", "note": "a note", "source": "a page", "images": 100,
         "layer_norm_eps": 1e-6, "no_file": "its hash is not known",
         "weights_of": "authors/van_b0.in1k", "counting": COUNTING, "protocol": PROTOCOL,
         "erratum": {"corrected": FIGURES, "reason": "two\nlines",
                     "reported_architecture": ARCHITECTURE}}  # fmt: skip
VIT = {**MODEL, "architecture": {"torchvision": "vit_b_16", "image_size": 64}, "aliases": ["vit"],
       "url": "files/b.pth"}  # fmt: skip
FULL = {"schema": 1, "name": "full", "title": "Every key", "source": "a page", "citation": "a\nb",
        "note": "a note", "layer_norm_eps": 1e-5, "data": "images", "images": 50_000,
        "counting": COUNTING, "protocol": PROTOCOL, "models": {"van_x.full": MODEL, "vit_x.full": VIT}}  # fmt: skip
"""A zoo in which every key is given."""

ONLY_THE_READER = re.compile(
    r"the network is too large|at least center_crop|ends? in a file name|"
    r"names that no model, architecture or alias|a url beside|for a VAN|for a model of torchvision|"
    r"which only a ViT has"
)
"""What the reader refuses and no schema can."""


def refusal(data):
    """Why the reader refuses the table of a zoo file; None if it does not."""
    try:
        read_zoo(Path("zoo.toml"), data)
    except ZooError as error:
        return str(error)
    return None


def options(schema, value):
    """The alternatives of a schema, of several tables the one that has the value's keys."""
    for option in schema.get("anyOf", [schema]):
        keys = option.get("properties", {}).keys()
        if not isinstance(value, dict) or not keys or value.keys() <= keys:
            yield option


def inner(schema, value):
    """The members of a value, each with its key and its schema."""
    for option in options(schema, value):
        if isinstance(value, dict) and option["type"] == "object":
            by_pattern = [*option.get("patternProperties", {}).values()]
            for key, member in value.items():
                yield key, member, option.get("properties", {}).get(key) or by_pattern[0]


def places(schema=SCHEMA, value=FULL, path=()):
    """Each place in the full zoo: the keys that lead there, the schema and the value."""
    yield path, schema, value
    for key, member, its_schema in inner(schema, value):
        yield from places(its_schema, member, (*path, key))


PLACES = {".".join(path) or "top level": (path, schema) for path, schema, _ in places()}
TABLES = [name for name, (path, schema) in PLACES.items()
          if any("properties" in option for option in schema.get("anyOf", [schema]))]  # fmt: skip


def changed(path, value):
    """The full zoo with another value at a place; at the top level, that value."""
    data = deepcopy(FULL)
    table = data
    for key in path[:-1]:
        table = table[key]
    if path:
        table[path[-1]] = value
    return data if path else value


def at(path):
    value = FULL
    for key in path:
        value = value[key]
    return deepcopy(value)


def keys_of(path, schema):
    """The keys of the table that a schema describes at a place."""
    return next(o["properties"] for o in options(schema, at(path)) if "properties" in o)


def many_models(count):
    """So many models, with the required keys alone."""
    return {f"a{i}.x": {"architecture": "van_b0", "url": f"{i}.pth"} for i in range(count)}


def beyond(schema, value):
    """Values that the schema refuses: of another kind, or a step beyond a limit."""
    if "anyOf" in schema:
        yield from (1.5, "neither", True)
        yield from (
            bad for o in options(schema, value) if o["type"] != "string" for bad in beyond(o, value)
        )
        return
    kind = schema["type"]
    yield from {
        "string": (7, True, ["a"], "\0", "\n\x1b"),
        "integer": ("7", True, 7.5, [7]),
        "number": ("7", True, [7.5]),
        "boolean": ("true", 1),
        "array": ("a", {}, [[]], [None]),
        "object": ("a", [], 1),
    }[kind]
    if "minimum" in schema:
        least, most = schema["minimum"], schema["maximum"]
        yield from (least - 1, most + 1)
        if kind == "number":
            yield from (nextafter(least, -inf), nextafter(most, inf))
    if "maxLength" in schema:
        yield "a" * (schema["maxLength"] + 1)
    if "enum" in schema or "const" in schema:
        yield from ("another", 2)
    if kind == "array":
        yield from ([bad, *value[1:]] for bad in beyond(schema["items"], value[0]))
        few, most = schema.get("minItems", 0), schema.get("maxItems", 0)
        yield from (value[:1] * count for count in (few - 1, most + 1) if 0 <= count < 1000)
        if schema.get("uniqueItems"):
            yield value[:1] * 2
    if kind == "object":
        yield {**value, "colour": "red"}
        if "maxProperties" in schema:
            yield from ({}, many_models(schema["maxProperties"] + 1))
        yield from (
            {k: v for k, v in value.items() if k != name} for name in schema.get("required", [])
        )


def within(schema, value):
    """Values that the schema accepts, those at its limits among them."""
    for option in options(schema, value):
        yield from option.get("enum", [])
        yield from (
            option[limit] for limit in ("minimum", "maximum", "const", "default") if limit in option
        )
        if option["type"] == "boolean":
            yield from (True, False)
        if option["type"] == "array" and isinstance(value, list):
            yield from ([good, *value[1:]] for good in within(option["items"], value[0]))
            if "maxItems" in option and not option.get("uniqueItems"):
                yield value[:1] * option["maxItems"]
        if option["type"] == "string" and "maxLength" in option and "enum" not in option:
            yield "a" * option["maxLength"]
        if option["type"] == "object":
            yield {k: v for k, v in value.items() if k in option.get("required", value)}
            if "maxProperties" in option:
                yield many_models(option["maxProperties"])


def test_a_zoo_with_every_key_is_accepted_by_both():
    BY_SCHEMA.validate(FULL)
    assert refusal(FULL) is None
    for path, schema in PLACES.values():
        if "".join(path) and isinstance(at(path), dict) and path[-1] != "models":
            assert keys_of(path, schema).keys() == at(path).keys(), path
    assert SCHEMA["properties"].keys() == FULL.keys()


@pytest.mark.parametrize("table", TABLES)
def test_an_unknown_key_is_refused_by_both_which_know_the_same_keys(table):
    path, schema = PLACES[table]
    data = changed(path, {**at(path), "colour": "red"})
    known = re.search(r"key 'colour': expected only the keys (.*), found str 'red'", refusal(data))[
        1
    ]
    assert known.split(", ") == sorted(keys_of(path, schema))
    assert not BY_SCHEMA.is_valid(data)


@pytest.mark.parametrize("place", PLACES)
def test_what_is_beyond_the_schema_is_refused_by_both(place):
    path, schema = PLACES[place]
    values = list(beyond(schema, at(path)))
    assert len(values) >= 2
    for value in values:
        data = changed(path, value)
        assert not BY_SCHEMA.is_valid(data), value
        if isinstance(data, dict):
            assert refusal(data) is not None, value


@pytest.mark.parametrize("place", PLACES)
def test_what_is_within_the_schema_is_accepted_by_both(place):
    path, schema = PLACES[place]
    for value in within(schema, at(path)):
        data = changed(path, value)
        if BY_SCHEMA.is_valid(data):
            why = refusal(data)
            assert why is None or ONLY_THE_READER.search(why), value
        else:
            assert refusal(data) is not None, value


def zoo_texts():
    """The zoo files that are shipped, shown in a page, imported from a table, and used by tests."""
    for path in SHIPPED.glob("*.toml"):
        yield path.stem, path.read_text("utf-8")
    for page in PAGES:
        for number, text in enumerate(blocks(page, "toml")):
            yield f"{page} {number}", text
    yield "imported", import_zoo(METAFILE, "metafile.yml").text
    yield "mine", MINE


@pytest.mark.parametrize(("name", "text"), list(zoo_texts()))
def test_zoo_files_that_load_satisfy_the_schema(name, text):
    data = tomllib.loads(text)
    assert refusal(data) is None
    BY_SCHEMA.validate(data)


NO_TOML = {"toml"}
NOT_IN_A_SCHEMA = {"crop", "unusable url", "no file name", "alias is its name",
                   "alias is its architecture", "alias twice", "hash without url",
                   "mirrors without url"}  # fmt: skip


@pytest.mark.parametrize("mistake", sorted(MISTAKES.keys() - NO_TOML))
def test_a_zoo_with_a_mistake_is_refused_by_the_schema_too(mistake):
    before, after, _ = MISTAKES[mistake]
    data = tomllib.loads(MINE.replace(before, after, 1))
    assert refusal(data) is not None
    assert BY_SCHEMA.is_valid(data) == (mistake in NOT_IN_A_SCHEMA)


def test_the_schema_is_one_that_editors_understand():
    """Draft 7 without references: beside one, Even Better TOML shows no description."""
    Draft7Validator.check_schema(SCHEMA)
    assert "$ref" not in json.dumps(SCHEMA)


@pytest.mark.parametrize("place", PLACES)
def test_each_key_is_explained_with_its_default(place):
    path, schema = PLACES[place]
    if path[-2:-1] == ("models",):
        return
    assert schema["description"].endswith(".")
    if "default" in schema:
        default = schema["default"]
        shown = default if isinstance(default, str) else json.dumps(default)
        assert f"`{shown}`" in schema["description"]
