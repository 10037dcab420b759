"""Names, architectures and aliases of imported models."""

import pytest

from vanbench.errors import ZooError
from vanbench.zoo.importing.drafts import check_chosen, drafts
from vanbench.zoo.importing.source import Source, SourceModel


def draft(name, url="https://h/x.pth", dataset="", **chosen):
    (found,), left_out = drafts(
        Source("w", "t", (SourceModel(name, url, dataset=dataset),)), chosen
    )
    assert left_out == []
    return found


@pytest.mark.parametrize(
    ("name", "url", "dataset", "expected"),
    [
        ("VAN-B0", "https://h/van-tiny_8xb128_in1k_20220501-385941af.pth", "", "van_b0.in1k"),
        ("van-tiny_8xb128_in1k", "https://h/x.pth", "", "van_b0.in1k"),
        ("VAN B4", "https://h/x_in21k.pth", "ImageNet-1k", "van_b4.in21k"),
        ("VAN-Large", "https://h/x.pth", "ImageNet-1k", "van_b3.in1k"),
        ("my", "https://h/van_b6-3rdparty.pth", "Food 101!", "van_b6.food_101"),
        ("van_b2", "https://h/x.pth", "", "van_b2.published"),
        ("van_b2.mine", "https://h/x_in1k.pth", "", "van_b2.mine"),
    ],
)
def test_the_name_says_architecture_and_data_set(name, url, dataset, expected):
    found = draft(name, url, dataset)
    assert (found.name, found.architecture) == (expected, expected.split(".")[0])


@pytest.mark.parametrize("name", ["VAN-X", "VAN-B7", "caravan-b0x", "ResNet-50", "van-b01"])
def test_an_unknown_architecture_is_asked_for(name):
    with pytest.raises(ZooError) as caught:
        draft(name)
    assert caught.value.problem == f"no architecture in the names of {name}"
    assert f"--architecture {name}=van_b0" in caught.value.remedy
    assert draft(name, **{name: "van_b2"}).name == "van_b2.published"


def test_all_unknown_ones_are_named_at_once():
    models = tuple(SourceModel(name, "https://h/x.pth") for name in ("A", "van-b0", "B"))
    with pytest.raises(ZooError, match="in the names of A, B"):
        drafts(Source("w", "t", models), {})


def test_equal_names_get_a_number_and_lose_a_common_alias():
    urls = [f"https://h/{i}/van-tiny_in1k.pth" for i in range(3)]
    found, _ = drafts(Source("w", "t", tuple(SourceModel("van-b0", u) for u in urls)), {})
    assert [d.name for d in found] == ["van_b0.in1k", "van_b0.in1k-2", "van_b0.in1k-3"]
    assert [d.alias for d in found] == ["", "", ""]
    assert draft("van-b0", urls[0]).alias == "van-tiny"


def test_a_choice_must_be_about_a_model_and_an_architecture():
    source = Source("w", "t", (SourceModel("A", "https://h/x.pth"),))
    with pytest.raises(ZooError, match="no model 'B'; the source has A"):
        check_chosen(source, {"B": "van_b0"})
    with pytest.raises(ZooError, match=r"expected one of van_b0, .* found 'van_b9'"):
        check_chosen(source, {"A": "van_b9"})
