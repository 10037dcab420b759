"""The charts of rows as data and as tables, and the README's figures."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tests.support.report_rows import counted_rows
from vanbench.report import bench_records
from vanbench.report.chart_svg import accuracy_svg, complexity_svg
from vanbench.report.charts import (
    accuracy_charts,
    chart_table,
    complexity_chart,
    speed_chart,
)

B0, B6 = "van_b0.in1k", "van_b6.in21k"
MEASURED = {B0: (37705, 46500)}


def test_the_misprint_is_marked_with_both_numbers():
    chart = complexity_chart(counted_rows())
    rows = [panel.rows[-1] for panel in chart.panels]
    assert [row.label for row in rows] == [B6, B6]
    assert [row.note for row in rows] == ["! 199.83, not 283.9", "! 38.909, not 55.28"]
    assert [row.bars[0].value for row in rows] == [283.9, 55.28]
    assert [row.label for panel in chart.panels for row in panel.rows if row.marked] == [B6, B6]
    assert f"{B6}: parameters 283.9 M, counted 199.83 M" in chart.description


def test_a_measured_accuracy_has_its_interval_and_the_others_are_named():
    by_params, by_flops = accuracy_charts(counted_rows(MEASURED))
    reported, measured = by_flops.series
    assert [point.label for point in reported.points] == [f"van_b{i}.in1k" for i in range(5)]
    (point,) = measured.points
    assert (point.y, round(point.low, 3), round(point.high, 3)) == (75.41, 75.031, 75.785)
    others = ", ".join(f"van_b{i}.in1k" for i in range(1, 5))
    assert by_params.missing == (f"Not measured: {others} (checkpoint unreachable).",)


def test_a_reported_accuracy_has_the_interval_of_its_images():
    reported, _ = accuracy_charts(counted_rows())[0].series
    point = reported.points[0]
    assert (round(point.low, 3), round(point.high, 3)) == (75.031, 75.785)


def test_the_table_of_a_chart_has_each_number():
    headings, cells = chart_table(accuracy_charts(counted_rows(MEASURED))[1])
    assert headings == ["Model", "Kind", "FLOPs, G (OpenMMLab)", "Top-1, %", "95 % interval"]
    assert cells[0] == [B0, "reported", "0.88", "75.41", "75.03 – 75.79"]
    assert cells[-1] == [B0, "measured", "0.879968", "75.41", "75.03 – 75.79"]
    headings, cells = chart_table(complexity_chart(counted_rows()))
    assert cells[0] == [B0, "4.11", "4.11", "0.88", "0.88"]
    assert cells[-1] == [B6, "283.9", "199.8", "55.28", "38.91"]


def test_there_is_no_chart_of_nothing():
    assert complexity_chart([]) is complexity_svg([]) is accuracy_svg([]) is speed_chart([]) is None
    assert accuracy_charts([]) == ()


def test_the_accuracy_figure_waits_for_a_measurement():
    assert accuracy_svg(counted_rows()) is None
    assert "van_b4.in1k" in accuracy_svg(counted_rows(MEASURED))


def test_the_complexity_figure_is_the_same_each_time_and_says_the_misprint_in_words():
    text = complexity_svg(counted_rows())
    assert text == complexity_svg(counted_rows())
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert "counted 199.83 M" in root.findtext(f"{space}desc")
    texts = [element.text for element in root.iter(f"{space}text")]
    assert {"! 199.83, not 283.9", "4.11 ✓"} <= set(texts)


def test_speed_has_medians_and_the_quartiles_of_the_samples(pytestconfig):
    path = pytestconfig.rootpath / "results" / "bench" / "van_b0.in1k.json"
    record = bench_records.read(path)
    throughput, latency = speed_chart([record]).panels
    slow, fast = throughput.rows[0].bars
    assert slow.value == pytest.approx(record.reference.images_per_s)
    assert fast.value == pytest.approx(record.optimized.images_per_s)
    assert slow.low <= slow.value <= slow.high
    assert throughput.rows[0].text == f"×{record.speedup:.2f}"
    assert latency.rows[0].bars[1].value == pytest.approx(record.optimized.latency_ms.p50)
    other = replace(record, precision="bf16", compile=True)
    assert speed_chart([other]).panels[0].rows[0].label == f"{record.name} bf16 compile"
