"""OpenMMLab's metafiles."""

import pytest

from vanbench.errors import ZooError
from vanbench.zoo.importing.metafile import read_metafile, scaled
from vanbench.zoo.reported import Reported

MODEL = """\
Models:
  - Name: van-b0
    Metadata: {Parameters: 4105800, FLOPs: 880000000}
    Results:
      - {Task: Object Detection, Dataset: COCO, Metrics: {box AP: 40.1}}
      - {Task: Image Classification, Dataset: ImageNet-1k, Metrics: {Top 1 Accuracy: 82.80}}
    Weights: https://h/van-b0-385941af.pth
"""


def test_figures_keep_their_digits():
    (model,) = read_metafile(MODEL, "m.yml").models
    assert model.figures == {"params_m": "4.1058", "flops_g": "0.88", "top1": "82.80"}
    assert model.dataset == "ImageNet-1k"


@pytest.mark.parametrize("value", ["", "null", "~"])
def test_what_is_empty_was_not_said(value):
    text = MODEL.replace("4105800", value).replace("  - {Task: O", f"  - {{Task: {value}")
    text = text.replace("82.80", value).split("    Results:")[0] + f"    Results: {value}\n"
    (model,) = read_metafile(text, "m.yml").models
    assert model.figures == {"flops_g": "0.88"}
    assert (model.url, model.dataset) == ("", "")


@pytest.mark.parametrize("number", [1, 10, 999_999, 1_000_000, 4_110_000, 283_900_000, 10**14])
def test_a_scaled_number_has_its_value(number):
    figure = Reported(scaled(str(number), 6, "x"))
    assert figure.value * 10**6 == number
    assert not (figure.decimals and figure.text.endswith("0"))


@pytest.mark.parametrize(
    ("old", "new", "problem", "where"),
    [
        ("4105800", "4.1e6", "expected a whole number, found '4.1e6'", "'van-b0', Parameters"),
        ("4105800", "-4", "expected a whole number, found '-4'", "'van-b0', Parameters"),
        ("4105800", "[1]", "expected a text as Parameters, found ['1']", "model 'van-b0'"),
        ("4105800", "9" * 16, "expected a whole number", "'van-b0', Parameters"),
        ("Models:", "Things:", "expected a mapping with Models", "m.yml"),
        ("Name: van-b0", "Title: x", "expected a model with a Name", "m.yml"),
        ("{Parameters: 4105800, FLOPs: 880000000}", "x", "expected a mapping as Metadata", "van-b0"),
        ("Weights: https:", "Weights: &a https:", "not a readable metafile: expected no anchors", ""),
    ],
)  # fmt: skip
def test_what_is_refused(old, new, problem, where):
    with pytest.raises(ZooError) as caught:
        read_metafile(MODEL.replace(old, new), "m.yml")
    assert caught.value.problem.startswith(problem)
    assert where in str(caught.value.where)
