"""YAML is refused with one short error, in bounded time, whatever it is."""

import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vanbench.errors import ZooError
from vanbench.outside.yaml_text import MOST, parse_yaml, read_yaml


def parse(text, **options):
    return parse_yaml(text, where="x.yml", error=ZooError, **options)


def problem(text):
    with pytest.raises(ZooError) as caught:
        parse(text)
    assert caught.value.where == "x.yml"
    assert len(caught.value.problem) < 300
    return caught.value.problem


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=20)
VALUES = st.recursive(
    TEXTS, lambda inner: st.lists(inner, min_size=1) | st.dictionaries(TEXTS, inner, min_size=1)
)


@given(VALUES.filter(lambda value: "'<<'" not in repr(value)))
def test_what_pyyaml_writes_is_read(value):
    assert parse(yaml.safe_dump(value, allow_unicode=True, sort_keys=False)) == value
    assert parse(json.dumps(value, ensure_ascii=False)) == value


def test_scalars_are_text_as_written():
    text = "a: 82.80\nb: no\nc: 0x10\nd: 2024-01-01\ne:\nf: ~\ng: [1_0, '1', 1:30]\n"
    assert parse(text) == {
        "a": "82.80", "b": "no", "c": "0x10", "d": "2024-01-01", "e": "", "f": "~",
        "g": ["1_0", "1", "1:30"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: &x [1]\nb: *x", "expected no anchors and aliases in line 1, column 4"),
        ("a: *x", "expected no anchors and aliases in line 1, column 4"),
        ("a: 1\na: 2", "the key 'a' twice in one mapping in line 2, column 1"),
        ("{a: {b: 1, b: 1}}", "the key 'b' twice in one mapping in line 1, column 12"),
        ("<<: {a: 1}", "expected no merge key <<"),
        ("? [a]\n: 1", "expected a text as key, found a list"),
        ("a: !!python/object/apply:os.system [ls]", "expected no tags, found 'tag:yaml.org"),
        ("a: !x 1", "expected no tags, found '!x'"),
        ("a: 1\n---\nb: 2", "expected one document, found another in line 2"),
        ("[" * 33 + "]" * 33, "nested more than 32 deep in line 1, column 33"),
        ("[" * 100_000, "nested more than 32 deep"),
        ("{a: " * 70_000, "nested more than 32 deep"),
        ("- " * 100_000, "nested more than 32 deep"),
        ("? " * 100_000, "expected a text as key, found a mapping in line 1, column 3"),
        ("a: [1, 2", "did not find expected ',' or ']'"),
        ("a: b: c", "mapping values are not allowed in this context in line 1, column 5"),
        ("a:\n\t- b", "found character that cannot start any token in line 2, column 1"),
        ("a: \0", "in line" ),
        ('a: "\\UFFFFFFFF"', ""),
        ('a: "\\ud800"', ""),
        ("a" * (MOST + 1), "expected at most 300,000 characters, found 300,001"),
    ],
    ids=range(21),
)  # fmt: skip
def test_what_is_refused(text, found):
    begin = time.perf_counter()
    message = problem(text)
    assert message.startswith("not a readable YAML file: ")
    assert found in message or "control characters" in message
    assert time.perf_counter() - begin < 3


@pytest.mark.parametrize("text", ["", "# nothing", "---\n"])
def test_an_empty_file_is_an_empty_text(text):
    assert parse(text) == ""


def test_the_file_and_its_limit(tmp_path):
    path = tmp_path / "a.yml"
    path.write_text("a: [b]\n")
    assert read_yaml(path, error=ZooError) == {"a": ["b"]}
    with pytest.raises(ZooError, match="expected at most 6 bytes, found 7") as caught:
        read_yaml(path, most=6, error=ZooError)
    assert caught.value.where == path


def test_what_is_parsed_is_named_and_helped():
    with pytest.raises(ZooError, match=r"^x\.yml: not a readable metafile: .*\. Do this\.$"):
        parse("{", what="metafile", remedy="Do this.")
