"""The tables within a zoo file, each read key by key."""

from pathlib import Path

import pytest

from vanbench.errors import ZooError
from vanbench.model.architecture import ARCHITECTURES
from vanbench.zoo.entries import Counting, EvaluationProtocol
from vanbench.zoo.sections import (
    declared_architecture,
    read_claims,
    read_counting,
    read_erratum,
    read_protocol,
)
from vanbench.zoo.toml_table import Table


def table(**keys):
    return Table(Path("zoo.toml"), "section", keys)


def test_what_is_not_given_is_the_default():
    assert read_protocol(table(), EvaluationProtocol()) == EvaluationProtocol()
    assert read_counting(table(), Counting()) == Counting()
    assert read_erratum(table(), Counting()) is None


def test_what_is_given_replaces_it():
    protocol = read_protocol(table(resize_short_edge=256, mean=[1, 2, 3]), EvaluationProtocol())
    assert (protocol.resize_short_edge, protocol.mean) == (256, (1, 2, 3))
    assert read_counting(table(resolution=384), Counting()).resolution == 384
    claims = read_claims(table(top1="82.80"))
    assert (claims.top1.text, claims.top5) == ("82.80", None)


def test_an_architecture_by_name_or_by_its_numbers():
    numbers = {"embed_dims": [32, 64, 160, 256], "depths": [3, 3, 5, 2]}
    for value in ("van_b0", numbers):
        found = declared_architecture(table(architecture=value), "architecture", Counting())
        assert found == ARCHITECTURES["van_b0"]


@pytest.mark.parametrize(
    ("read", "keys", "message"),
    [
        (lambda t: read_protocol(t, EvaluationProtocol()), {"center_crop": 300}, "center_crop"),
        (lambda t: read_protocol(t, EvaluationProtocol()), {"interpolation": "x"}, "one of"),
        (lambda t: read_protocol(t, EvaluationProtocol()), {"classes": ["a", "a"]}, "distinct"),
        (lambda t: read_counting(t, Counting()), {"convention": "x"}, "one of openmmlab, fvcore"),
        (read_claims, {"top1": 82.8}, "as printed"),
        (read_claims, {"top1": "1e2"}, "plain digits"),
        (read_claims, {"top2": "1"}, "only the keys"),
    ],
)
def test_anything_else_is_refused_with_file_table_and_key(read, keys, message):
    with pytest.raises(ZooError, match=message) as caught:
        read(table(**keys))
    assert "zoo.toml" in str(caught.value)
    assert "[section]" in str(caught.value)
