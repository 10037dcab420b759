"""Which models a name means, and which are the nearest to an unknown one."""

import time
from typing import NamedTuple

import pytest

from vanbench.zoo.reader import load_zoo
from vanbench.zoo.search import (
    arch_of,
    is_pattern,
    listed,
    matching,
    nearest,
    nearest_names,
    normal_name,
    suggestion,
)

OPENMMLAB = load_zoo("openmmlab").entries
ALL = [entry.name for entry in OPENMMLAB]


class Model(NamedTuple):
    """Names without anything else."""

    name: str
    aliases: tuple[str, ...] = ()
    filename: str = "weights.pth"

    @property
    def arch(self):
        return arch_of(self.name)


def names(query, models=OPENMMLAB):
    return [model.name for model in matching(models, query)]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("van_b4.in21k", "van_b4.in21k"),
        ("VAN-B4.IN21K", "van_b4.in21k"),
        ("van_b4", "van_b4.in1k"),
        ("VAN-B6", "van_b6.in21k"),
        ("van-tiny", "van_b0.in1k"),
        ("van_small", "van_b1.in1k"),
        ("VAN-Base", "van_b2.in1k"),
        ("VAN_LARGE", "van_b3.in1k"),
        ("van-tiny_8xb128_in1k_20220501-385941af.pth", "van_b0.in1k"),
        ("van-b4_3rdparty_in21k_20220909-db926b18.pth", "van_b4.in21k"),
    ],
)
def test_a_name_means_one_model(query, name):
    assert names(query) == [name]


@pytest.mark.parametrize("query", ["", "van", "van_b7", "b6", "van_b4.", ".in1k", "other/van-tiny"])
def test_what_is_no_name(query):
    assert names(query) == []


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("van_b*", ALL),
        ("*", ALL),
        ("VAN-*", ALL),
        ("*.in21k", ALL[5:]),
        ("*.IN1K", ALL[:5]),
        ("van_b[0-2]", ALL[:3]),
        ("van-b[!0-3]", ALL[4:]),
        ("van_b?", ALL),
        ("van_b4?*", ALL[4:6]),
        ("van-[tl]*", [ALL[0], ALL[3]]),
        ("*tiny", ALL[:1]),
        ("*.pth", []),
        ("van_b", []),
        ("van_b[", []),
        ("resnet*", []),
    ],
)
def test_a_pattern_means_all_models_that_it_matches_in_the_order_of_the_zoo(pattern, found):
    assert names(pattern) == found


def test_a_name_goes_before_a_file_of_that_name():
    models = [Model("a.x", filename="b.pth"), Model("b.pth"), Model("c.x", ("d",), "e.pth")]
    assert [names(query, models) for query in ("b.pth", "D", "E.PTH")] == [
        ["b.pth"], ["c.x"], ["c.x"],
    ]  # fmt: skip


def test_what_is_a_pattern():
    assert [is_pattern(text) for text in ("van_b*", "van_b?", "van[01]", "van-b0.in1k")] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "suggested"),
    [
        ("van_b7", "van_b6.in21k"),  # the closest number
        ("van_b10", "van_b1.in1k"),
        ("vanb0", "van_b0.in1k"),
        ("van-b0-in1k", "van_b0.in1k"),
        ("vam_b1", "van_b1.in1k"),
        ("van_b0_224", "van_b0.in1k"),
        ("van_b4.in22k", "van_b4.in21k"),
        ("van_b5.in1k", "van_b5.in21k"),
        ("b6", "van_b6.in21k"),
        ("b4", "van_b4.in1k or van_b4.in21k"),
        ("in21k", "van_b4.in21k or van_b5.in21k or van_b6.in21k"),
        ("in1k", "one of van_b0.in1k, van_b1.in1k, van_b2.in1k, van_b3.in1k, van_b4.in1k"),
        ("tiny", "van_b0.in1k (van-tiny)"),
        ("VAN_Bace", "van_b2.in1k (van-base)"),
        ("VAN-Base-in1k", "van_b2.in1k (van-base)"),
        ("Visual-Attention-Network/van-large", "van_b3.in1k (van-large)"),
        ("./van_b2.in1k", "van_b2.in1k"),
        ("van-tiny_8xb128_in1k.pth", "van_b0.in1k"),
        ("resnet50", ""),
        ("zzzz", ""),
        ("b", ""),
        ("", ""),
    ],
)
def test_what_an_unknown_name_suggests(query, suggested):
    found = nearest(OPENMMLAB, query)
    assert (suggestion(found) if found else "") == suggested


@pytest.mark.parametrize("entry", OPENMMLAB, ids=ALL)
@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
def test_a_name_without_one_of_its_letters_suggests_its_model(entry, place):
    query = entry.name[:place] + entry.name[place + 1 :]
    assert [model.name for model, _ in nearest(OPENMMLAB, query)] == [entry.name]


@pytest.mark.parametrize("query", ["x" * 10**6, "van_b" * 10**5, "*" * 10**6, "1" * 10**5])
def test_a_thousand_models_are_searched_at_once(query):
    models = [Model(f"van_{i}.{'ab' * 40}", (f"alias-{i}",)) for i in range(1000)]
    begin = time.perf_counter()
    matching(models, query)
    nearest(models, query)
    assert time.perf_counter() - begin < 5


def test_the_nearest_of_other_names():
    zoos = ["demo", "openmixup", "openmmlab", "paddle"]
    assert nearest_names(zoos, "openmlab") == ["openmmlab"]
    assert nearest_names(zoos, "OpenMMLab") == ["openmmlab"]
    assert nearest_names(zoos, "open") == ["openmixup", "openmmlab"]
    assert nearest_names(zoos, "zzzz") == nearest_names([], "demo") == []


def test_a_list_in_a_message_is_bounded():
    assert listed(["a", "b"]) == "a, b"
    assert listed([f"{i}" for i in range(1000)]).endswith("18, 19, …")


def test_the_form_in_which_names_are_compared():
    assert normal_name("VAN-B6.In21K") == normal_name("van_b6.in21k")
