"""The examples of zoos, and those of the Python API, which run as they are."""

import json
import re
import tomllib
from fractions import Fraction
from inspect import isroutine
from urllib.request import urlopen

import vanbench
from tests.docs.blocks import PAGES, blocks
from vanbench.model.expected_counts import expected_params
from vanbench.zoo.reader import load_zoo, parse_zoo


def test_the_examples_of_zoos_are_valid(tmp_path):
    """And their parameters are those of their architecture."""
    zoos = [*blocks("README.md", "toml"), *blocks("docs/own-model.md", "toml")]
    assert zoos
    for text in zoos:
        (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
        entry = load_zoo(str(tmp_path / "mine.toml")).find("my_van")
        params, _ = expected_params(entry.architecture)
        assert entry.claims.params_m.equals(Fraction(params, 10**6))
        assert tomllib.loads(text)["name"] == "mine"


def test_the_line_for_editors_names_the_shipped_schema(tmp_path, capsys):
    """The code in docs/zoo.md prints it, and a zoo that begins with it is the same zoo."""
    (code,) = blocks("docs/zoo.md", "python")
    exec(compile(code, "docs/zoo.md", "exec"), {})
    line = capsys.readouterr().out
    address = re.fullmatch(r"#:schema (file:///.*)\n", line)[1]
    with urlopen(address) as schema:
        assert json.load(schema)["title"] == "vanbench zoo file"
    text = blocks("README.md", "toml")[0]
    (tmp_path / "mine.toml").write_text(line + text, encoding="utf-8")
    assert load_zoo(str(tmp_path / "mine.toml")) == parse_zoo(text, tmp_path / "mine.toml")


def test_the_examples_of_the_api_run(tmp_path, monkeypatch, capsys):
    """In order, in one program, in an empty folder; they write to ``results`` there."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("docs/api.md", "python"):
        exec(compile(block, "docs/api.md", "exec"), names)
    assert names["found"].answer.headline == "REPRODUCED"
    assert names["logits"].shape == (1, 10)
    assert "validating: 360 of 360 images" in capsys.readouterr().out


def test_the_page_of_the_api_names_every_function():
    functions = [name for name in vanbench.__all__ if isroutine(getattr(vanbench, name))]
    assert len(functions) >= 10
    assert [n for n in functions if f"vanbench.{n}" not in PAGES["docs/api.md"]] == []
