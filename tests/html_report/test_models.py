"""The section of a model: its provenance, and where its FLOPs go."""

from dataclasses import replace

from tests.support.report_rows import counted_rows
from vanbench.html_report.models import by_stage, model_section

B0 = "van_b0.in1k"


def first_row(**parts):
    row = counted_rows({B0: (37705, 46500)})[0]
    counts = replace(row.record.counts, **parts)
    return replace(row, record=replace(row.record, counts=counts))


def test_the_provenance_of_each_number_is_there():
    row = first_row()
    text = model_section(row, 0)
    for expected in (row.record.checkpoint.sha256, "37,705 of 50,000 images right",
                     "official: 50,000 images", "short edge to 248", "fp32 without TF32",
                     "widths 32-64-160-256, depths 3-3-5-2", "4,105,800",
                     "under which the reported FLOPs are judged", "torch 2.14.1"):  # fmt: skip
        assert expected in text, expected
    assert "Misprint" not in text


def test_a_misprint_has_its_story():
    row = counted_rows()[-1]
    assert "Misprint: 283.9 M and 55.28 G are the counts of a network" in model_section(row, 7)


def test_stages_add_up_to_the_total():
    parts = {"stages.0.blocks": 3, "stages.0.norm": 1, "stages.3.blocks": 5, "pool": 2, "head": 4}
    assert by_stage(parts) == {"stage 1": 4, "stage 4": 5, "pool": 2, "head": 4}
    assert by_stage({"stages.x.blocks": 1, "stages.": 2}) == {"stages.x.blocks": 1, "stages.": 2}


def test_costs_have_their_share():
    parts = {"fvcore": {"stages.0.blocks": 750_000_000, "head": 250_000_000}}
    text = model_section(first_row(by_module=parts, by_operator={"fvcore": {"conv": 10**9}}), 0)
    assert '0.7500<span class="more">75.0 %</span>' in text
    assert '1.0000<span class="more">100.0 %</span>' in text


def test_an_old_record_says_how_to_get_the_costs():
    assert "not on record. vanbench verify records it." in model_section(first_row(), 0)
