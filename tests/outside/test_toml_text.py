"""TOML is refused with one short error, in bounded time, whatever it is."""

import time
import tomllib

import pytest

from vanbench.errors import ZooError
from vanbench.outside.toml_text import parse_toml, read_toml
from vanbench.zoo.reader import SHIPPED


def parse(text, **options):
    return parse_toml(text, where="x.toml", error=ZooError, **options)


def problem(text):
    with pytest.raises(ZooError) as caught:
        parse(text)
    assert caught.value.where == "x.toml"
    assert len(caught.value.problem) < 300
    return caught.value.problem


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_ones_are_read(path):
    assert read_toml(path, most=10**6, error=ZooError) == tomllib.loads(path.read_text())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = = 1", "Invalid value (at line 1, column 5)"),
        ("a = 1\na = 2", "Cannot overwrite a value"),
        ("a = " + "[" * 1000 + "]" * 1000, "nested more than 32 deep in line 1"),
        ("\n\na = " + "{a = " * 1000, "nested more than 32 deep in line 3"),
        ("a" + ".a" * 1000 + " = 1", "nested more than 32 deep in line 1"),
        ("a" + " . 'a'" * 1000 + " = 1", "nested more than 32 deep in line 1"),
        ("[a" + ".a" * 1000 + "]", "nested more than 32 deep in line 1"),
        ("b = 2\na = " + "1" * 5000, "a number or key of more than 300 characters in line 2: '111"),
        ("a = 1." + "1" * 5000, "a number or key of more than 300 characters in line 1"),
        ("a = 0x" + "f" * 5000, "a number or key of more than 300 characters in line 1"),
        ("a = -" + "1_1" * 5000, "a number or key of more than 300 characters in line 1"),
        ("a = '''" + "b\n" * 10, "Expected \"'''\""),
        ('a = """b', "Unterminated string"),
        ("a = 2024-13-45", "Expected newline or end of document after a statement"),
        ('a = """\\', "Unescaped '\\' in a string"),
        ("a = '\n[[[[[[[[", "Expected \"'\""),
        ("a\0 = 1", "line 1"),
    ],
)  # fmt: skip
def test_what_is_refused(text, found):
    begin = time.perf_counter()
    assert problem(text).startswith("not a readable TOML file: ")
    assert found in problem(text)
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize(
    "text",
    [
        "a = '" + "[" * 100 + "'",
        'a = "' + "[" * 100 + r"\"[[" + '"',
        "a = '''" + "['[''\n" * 100 + "'''''",
        'a = """' + r'["[\"""[' * 100 + '"""""',
        "a = 1 # " + "[" * 100 + '"',
        "a = '" + "1" * 1000 + "'",
        "a = [" + "[]," * 1000 + "]",
        "a = [" + "1.5, " * 1000 + "]",
        "".join(f"[models.'a.{i}']\nb = 1.{i}\n" for i in range(100)),
        "'" + "a." * 500 + "' = 1",
    ],
)
def test_what_only_looks_deep_or_long(text):
    assert parse(text) == tomllib.loads(text)


def test_what_is_parsed_is_named_and_helped():
    with pytest.raises(ZooError, match=r"^x\.toml: not a readable zoo: .*\. Do this\.$"):
        parse("a", what="zoo", remedy="Do this.")
