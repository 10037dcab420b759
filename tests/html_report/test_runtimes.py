"""The report's part about runtimes: the chart, all figures, and the reasons of missing ones."""

from tests.support.runtimes import runtimes_record
from vanbench.html_report.runtimes import runtimes_part


def test_a_chart_and_a_table_for_each_record():
    html = runtimes_part((runtimes_record(), runtimes_record("<b>")))
    assert html.count("<svg") == 2
    assert "<b>" not in html
    first = html.split("<figure")[1]
    for cell in ("openvino", "bf16", "40.00", "2.00", "30.0", "3", "4e-03", "differs"):
        assert f">{cell}</td>" in first or f">{cell}</th>" in first
    assert "openvino 1" in first
    assert "failed (the runtime failed: no kernel)." in first


def test_nothing_without_records():
    assert runtimes_part(()) == ""
