"""The README's own example of a zoo."""

import tomllib
from fractions import Fraction

from tests.docs.blocks import blocks
from vanbench.model.expected_counts import expected_params
from vanbench.zoo.reader import load_zoo


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
