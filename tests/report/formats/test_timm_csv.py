"""The columns of timm's results, for measured models alone."""

import io

import pandas
import pytest

from vanbench.report.formats import timm_csv


def test_the_measured_models_as_timm_has_them(rows):
    frame = pandas.read_csv(io.StringIO(timm_csv.render(rows)))
    assert list(frame.columns) == [
        "model", "top1", "top1_err", "top5", "top5_err", "param_count", "img_size", "crop_pct",
        "interpolation",
    ]  # fmt: skip
    assert frame.to_dict("records") == [
        {"model": "van_b0.in1k", "top1": 75.41, "top1_err": 24.59, "top5": 93.02,
         "top5_err": pytest.approx(6.98), "param_count": 4.11, "img_size": 224,
         "crop_pct": 0.903, "interpolation": "bicubic"},
        {"model": "van_b1.in1k", "top1": 80.0, "top1_err": 20.0, "top5": 95.63,
         "top5_err": pytest.approx(4.37), "param_count": 13.86, "img_size": 224,
         "crop_pct": 0.903, "interpolation": "bicubic"},
    ]  # fmt: skip


def test_timm_resizes_to_the_same_short_edge(rows):
    """timm resizes the short edge to floor(img_size / crop_pct)."""
    frame = pandas.read_csv(io.StringIO(timm_csv.render(rows)))
    assert set((frame.img_size / frame.crop_pct).astype(int)) == {248}


def test_what_is_left_out_is_named(rows, hostile):
    assert timm_csv.left_out(rows) == [row.entry.name for row in rows[2:]]
    assert timm_csv.left_out([hostile]) == [hostile.entry.name]
    assert timm_csv.render([hostile]).count("\n") == 1
