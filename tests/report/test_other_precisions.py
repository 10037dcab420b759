"""Accuracies in other precisions, in words and numbers."""

from dataclasses import replace
from fractions import Fraction

import pytest

from tests.support.recorded import NAME, entry_in, full_record, in_precision
from vanbench.report.other_precisions import other_accuracies
from vanbench.report.records import (
    Calibration,
    DifferenceFromFp32,
    Forward,
    Fp32Speed,
    Numerics,
    with_accuracy,
)
from vanbench.report.row_json import as_json
from vanbench.report.rows import make_row


@pytest.fixture
def entry(tmp_path):
    return entry_in(tmp_path)


def other(entry, **changes):
    """The one accuracy in bf16 of a model whose fp32 accuracy is 5 of 10."""
    return only(entry, in_precision(full_record(entry), "bf16", **changes))


INT8 = Numerics(
    "int8", False, "cpu", "openvino", None, False,
    calibration=Calibration("validation set", 128, "cc" * 32, "onnxruntime 1.32.0"),
)  # fmt: skip


def in_int8(entry, **changes):
    """The same in int8, by OpenVINO."""
    full = full_record(entry)
    return only(entry, with_accuracy(full, replace(full.accuracy, numerics=INT8, **changes)))


def only(entry, record):
    (found,) = other_accuracies(make_row(entry, record))
    return found


def test_four_images_lost_and_one_gained_are_chance(entry):
    """By hand: of 5 images 1 at most on one side, 2 · (1 + 5) / 2⁵ = 0.375."""
    difference = DifferenceFromFp32(10, 6, 4, 1, 0.375)
    found = other(entry, correct1=2, differs_from_fp32=difference)
    assert found.delta1 == Fraction(-30)
    assert str(found) == (
        f"{NAME} in bf16: Top-1 20.000 % (−30.000 to fp32, not more than chance, p = 0.38), "
        "Top-5 70.000 %; 6 of 10 Top-1 differ from fp32's"
    )


def test_ten_images_lost_and_none_gained_are_more_than_chance(entry):
    """By hand: 2 · 1 / 2¹⁰ = 0.00195…"""
    difference = DifferenceFromFp32(10, 10, 10, 0, 2 / 2**10)
    found = other(entry, correct1=0, differs_from_fp32=difference)
    assert "(−100.000 to fp32, more than chance, p = 0.002)" in str(found)


def test_the_same_first_choices_need_no_test(entry):
    found = other(entry, differs_from_fp32=DifferenceFromFp32(10, 0, 0, 0, 1.0))
    assert str(found) == (
        f"{NAME} in bf16: Top-1 50.000 % (±0 to fp32), Top-5 70.000 %; "
        "the same first choice as in fp32 for all 10 images"
    )


def test_one_image_on_which_both_are_wrong(entry):
    found = other(entry, differs_from_fp32=DifferenceFromFp32(10, 1, 0, 0, 1.0, ("device", "gpu")))
    assert "(±0 to fp32, not more than chance, p = 1)" in str(found)
    assert found.compared == "1 of 10 Top-1 differs from fp32's (with another device, gpu)"


def test_the_runtimes_are_named_where_they_are_two(entry):
    difference = DifferenceFromFp32(10, 1, 0, 0, 1.0, ("gpu",), "reference")
    found = in_int8(entry, differs_from_fp32=difference)
    assert (
        found.compared == "1 of 10 Top-1 differs from those of reference in fp32 (with another gpu)"
    )
    same = replace(difference, different=0, also_differs=(), fp32_runtime="openvino")
    found = in_int8(entry, differs_from_fp32=same)
    assert found.compared == "the same first choice as in fp32 for all 10 images"


def test_the_speed_is_beside_that_in_fp32_and_the_calibration_is_said(entry):
    speeds = {"forward": Forward(300, 2.0), "fp32_speed": Fp32Speed(100.0, "optimized")}
    found = in_int8(entry, **speeds)
    assert found.speed == "150 images/s in openvino, 1.50 times the 100 of fp32 in optimized"
    assert str(found).endswith(
        f"{found.speed}; calibrated on 128 images of the validation set itself"
    )
    assert in_int8(entry, forward=Forward(300, 2.0)).speed == ""


def test_without_stored_predictions_only_the_accuracies_are_compared(entry):
    found = other(entry, correct1=6)
    assert found.delta_text == "+10.000"
    assert str(found) == (
        f"{NAME} in bf16: Top-1 60.000 % (+10.000 to fp32), Top-5 70.000 %; "
        "fp32 predictions of these images are not stored, so that none was compared"
    )


def test_without_an_accuracy_in_fp32_nothing_is_compared(entry):
    record = replace(in_precision(full_record(entry), "fp16"), accuracy=None)
    found = only(entry, record)
    assert (found.delta1, found.delta_text) == (None, "")
    assert str(found).startswith(f"{NAME} in fp16: Top-1 50.000 %, Top-5 70.000 %; fp32 pred")


def test_accuracies_over_other_images_are_not_compared(entry):
    full = full_record(entry)
    elsewhere = replace(full.accuracy.data, fingerprint="11")
    assert only(entry, in_precision(full, "bf16", data=elsewhere)).delta1 is None


def test_a_part_says_so(entry):
    full = full_record(entry)
    part = replace(full.accuracy.data, used=10, total=20)
    assert str(only(entry, in_precision(full, "bf16", data=part))).endswith(
        "; partial: over 10 of the 20 images of the data set"
    )


def test_json(entry):
    difference = DifferenceFromFp32(10, 6, 4, 1, 0.375, ("device",))
    record = in_precision(full_record(entry), "bf16", correct1=2, differs_from_fp32=difference)
    document = as_json(make_row(entry, record))
    assert (document["top1"]["correct"], document["top1"]["verdict"]) == (5, "reproduced")
    found = document["other_precisions"].pop("bf16")
    assert document["other_precisions"] == {}
    assert (found["images"], found["correct1"], found["correct5"]) == (10, 2, 7)
    assert (found["top1"], found["top5"], found["top1_minus_fp32"]) == (20.0, 70.0, -30.0)
    assert found["ci95"][0] < 20 < found["ci95"][1]
    assert found["ci95_top5"][0] < 70 < found["ci95_top5"][1]
    assert (found["device"], found["partial"]) == ("CPU", None)
    assert found["differs_from_fp32"] == {
        "images": 10, "different": 6, "only_fp32_right": 4, "only_this_right": 1,
        "p_value": 0.375, "also_differs": ["device"], "fp32_runtime": None,
    }  # fmt: skip
