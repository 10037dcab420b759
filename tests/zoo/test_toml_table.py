"""Strict tables: each kind of value, and the message for each that is wrong."""

from pathlib import Path

import pytest

from vanbench.errors import ZooError
from vanbench.zoo.toml_table import Table


def table(**data):
    return Table(Path("zoo.toml"), "models", data)


def test_values_of_the_right_kind():
    t = table(text="a", side=32, kind="x", sizes=[1, 2], sub={"a.b": {}})
    assert t.text("text") == "a"
    assert t.length("side", None, least=32) == 32
    assert t.one_of("kind", ("x", "y"), "y") == "x"
    assert t.one_of("other", ("x", "y"), "y") == "y"
    assert t.numbers("sizes", int, 2) == (1, 2)
    assert t.table("sub").table("a.b").name == 'models.sub."a.b"'
    t.done()


@pytest.mark.parametrize(
    ("data", "read", "message"),
    [
        ({}, lambda t: t.text("a"), "expected text, found nothing"),
        ({"a": 1}, lambda t: t.text("a"), "expected text, found int 1"),
        ({"a": True}, lambda t: t.length("a", 1), "from 1 to 1,000,000,000, found bool True"),
        ({"a": 0}, lambda t: t.length("a", 1), "from 1 to 1,000,000,000, found int 0"),
        ({"a": "z"}, lambda t: t.one_of("a", ("x", "y"), "x"), "one of x, y, found str 'z'"),
        ({"a": [1, True]}, lambda t: t.numbers("a", int, 2), "2 whole numbers"),
        ({"a": [1.5]}, lambda t: t.numbers("a", int, 1), "1 whole numbers"),
        ({"a": 1}, lambda t: t.table("a"), "expected a table, found int 1"),
        ({"a": 1}, lambda t: t.done(), "only the keys"),
    ],
)
def test_what_is_wrong_is_said_with_file_table_and_key(data, read, message):
    with pytest.raises(ZooError) as caught:
        read(table(**data))
    assert str(caught.value).startswith("zoo.toml, [models], key 'a': ")
    assert message in str(caught.value)


def test_the_top_level_has_no_name():
    with pytest.raises(ZooError, match=r"zoo.toml, top level, key 'a'"):
        Table(Path("zoo.toml"), "", {}).text("a")


def test_a_message_holds_no_secret_of_a_url():
    with pytest.raises(ZooError) as caught:
        table(a="https://user:SECRET@host/x?token=SECRET").length("a", 1)
    assert "https://host/x" in str(caught.value)
    assert "SECRET" not in str(caught.value)
