"""The chart of runtimes: bars, what is missing, and the same numbers as a table."""

from dataclasses import replace

from tests.support.runtimes import runtimes_record
from vanbench.report.chart_svg import svg_file
from vanbench.report.charts import chart_table
from vanbench.report.runtime_chart import runtime_chart


def test_a_bar_for_each_batch_size_of_what_was_measured():
    chart = runtime_chart(runtimes_record())
    (panel,) = chart.panels
    assert chart.series == ("batch 1", "batch 2")
    assert [row.label for row in panel.rows] == ["reference fp32", "openvino bf16"]
    assert [bar.value for bar in panel.rows[1].bars] == [1 / 0.03, 40]
    assert panel.rows[1].text == "×2.00"
    headings, cells = chart_table(chart)
    assert headings[1:] == ["Throughput, images/s: batch 1", "Throughput, images/s: batch 2"]
    assert cells[1] == ["openvino bf16", "33.3 (33.33 – 33.33)", "40 (40 – 40)"]


def test_what_is_not_in_it_is_said_with_the_reason():
    assert runtime_chart(runtimes_record()).missing == (
        "openvino fp32 is not in it: failed (the runtime failed: no kernel).",
        "onnxruntime is not in it: not installed (pip install 'vanbench[onnx]').",
        "compiled is not in it: left out (It compiles for minutes).",
    )


def test_its_key_is_one_word_and_its_texts_are_safe():
    chart = runtime_chart(replace(runtimes_record("a <b> c"), device="cuda"))
    assert chart.key == "runtimes-a--b--c-cuda"
    assert "<b>" not in svg_file(chart)
