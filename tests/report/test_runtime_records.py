"""Records of several runtimes: their file names, and what contradicts itself."""

from dataclasses import replace

import pytest

from tests.support.models import TINY
from tests.support.runtimes import FIGURES, ROWS, runtimes_record
from vanbench.errors import RecordError
from vanbench.report import runtime_records
from vanbench.report.runtime_records import contradictions, read, write


def test_a_record_that_follows_from_its_samples_is_read(tmp_path):
    record = runtimes_record()
    assert record.architecture == TINY
    assert read(write(tmp_path, record)) == record


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "tiny.test.json"),
        ({"precision": "fp32"}, "tiny.test.fp32.json"),
        ({"runtime": "openvino", "precision": "fp32"}, "tiny.test.openvino.json"),
        ({"runtime": "openvino", "precision": "bf16"}, "tiny.test.openvino.bf16.json"),
        ({"device": "cuda"}, "tiny.test.cuda.json"),
    ],
)
def test_what_was_asked_for_is_in_the_file_s_name(tmp_path, changes, name):
    path = write(tmp_path, replace(runtimes_record(), **changes))
    assert path == tmp_path / "bench" / runtime_records.FOLDER / name


def changed(row, **changes):
    """The record with another row in place of the last one that was measured."""
    return replace(runtimes_record(), rows=(*ROWS[:1], replace(row, **changes), *ROWS[2:]))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (replace(runtimes_record(), rows=ROWS[1:]), "the first of the rows is not the reference"),
        (replace(runtimes_record(), rows=(ROWS[0], *ROWS)), "two rows are of one runtime"),
        (changed(ROWS[1], status="slow"), "the status of openvino bf16 is slow"),
        (changed(ROWS[1], figures=None), "openvino bf16 is measured, which its figures"),
        (changed(ROWS[1], reason="it hung"), "openvino bf16 is measured, which its figures"),
        (changed(ROWS[1], figures=replace(FIGURES, images_per_s=9.0)),
         "images_per_s of openvino bf16 is 9, and its samples give 40"),
        (changed(ROWS[1], figures=replace(FIGURES, speedup=3.0)),
         "speedup of openvino bf16 is 3, and its samples give 2"),
        (changed(ROWS[1], figures=replace(FIGURES, samples_s_cpu_s={"2": ((0.05, 0.1),)})),
         "openvino bf16 has no passes of batch 1"),
    ],
)  # fmt: skip
def test_a_contradiction_is_named(record, expected, tmp_path):
    assert any(text.startswith(expected) for text in contradictions(record))
    with pytest.raises(RecordError, match="contradicts itself"):
        read(write(tmp_path, record))
