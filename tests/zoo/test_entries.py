"""Entries: the file's name, its hash, what may be recorded of its address, and finding one."""

import pytest

from vanbench.errors import UnknownModelError
from vanbench.zoo.entries import filename_of, hash_in_name
from vanbench.zoo.reader import load_zoo


@pytest.mark.parametrize(
    ("filename", "digits"),
    [
        ("van-tiny_8xb128_in1k_20220501-385941af.pth", "385941af"),
        ("weights-385941af.safetensors", "385941af"),
        ("weights-385941af.pth.tar", "385941af"),
        ("weights-" + "ab" * 32 + ".pth", "ab" * 32),
        ("weights-12345678.pth", "12345678"),  # digits only, and no date
        ("weights-20241301.pth", "20241301"),  # no month 13
        ("weights-20230229.pth", "20230229"),  # no leap year
        ("weights-18991231.pth", "18991231"),  # before there were checkpoints
        ("weights-2024010.pth", None),
        ("weights.pth", None),
        ("weights-385941a.pth", None),
        ("weights-385941ag.pth", None),
        ("weights_20220501.pth", None),
        # dates
        ("my_van-20240101.pth", None),
        ("my_van-20240229.pth", None),
        ("my_van-202401012359.pth", None),
        ("my_van-20240101235959.pth.tar", None),
    ],
)
def test_the_hash_in_a_name(filename, digits):
    assert hash_in_name(filename) == digits


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/weights.pth", "weights.pth"),
        ("https://host/a/weights.pth?token=a/b", "weights.pth"),
        ("https://host/a/weights.pth#x/y", "weights.pth"),
        ("file:///a/my%20weights.pth", "my%20weights.pth"),
        ("https://host/", ""),
        ("https://host", ""),
    ],
)
def test_the_name_of_a_file(url, name):
    assert filename_of(url) == name


@pytest.mark.parametrize("query", ["van_b4", "VAN-B4", "Van_B4.IN1K", "van-b4.in1k"])
def test_names_in_any_spelling(query):
    assert load_zoo("openmmlab").find(query).name == "van_b4.in1k"


def test_a_bare_architecture_is_its_first_entry():
    assert load_zoo("openmmlab").find("van_b6").name == "van_b6.in21k"


def test_an_unknown_name_suggests_near_ones():
    with pytest.raises(UnknownModelError, match=r"'van_b9'.*Did you mean van_b\d") as caught:
        load_zoo("openmmlab").find("van_b9")
    assert caught.value.exit_code == 2


def test_a_name_like_nothing_lists_all():
    with pytest.raises(UnknownModelError, match=r"It has van_b0.in1k, "):
        load_zoo("openmmlab").find("zzzz")


def test_a_pattern_that_matches_several_is_not_one_model():
    with pytest.raises(UnknownModelError) as caught:
        load_zoo("openmmlab").find("*.in21k")
    assert str(caught.value) == (
        "expected the name of one model, found '*.in21k'. It matches van_b4.in21k, van_b5.in21k, "
        "van_b6.in21k. Give one of these."
    )
    assert load_zoo("openmmlab").find("*b6*").name == "van_b6.in21k"


def test_a_pattern_that_matches_nothing_lists_all():
    with pytest.raises(
        UnknownModelError, match=r"^no model 'van_c\*' in the zoo 'openmmlab'\. It has"
    ):
        load_zoo("openmmlab").matching("van_c*")


def test_the_protocol_in_words():
    assert load_zoo("openmmlab").entries[0].protocol.describe() == (
        "EXIF orientation, short edge to 248 (bicubic, antialiased), centre crop 224, "
        "(RGB − 127.5) / 127.5"
    )
