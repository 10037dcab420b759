"""Rows of the published models: one reproduced, one that deviates, the others without accuracy."""

from dataclasses import replace

import pytest

from tests.support.recorded import entry_in, full_record
from vanbench.data.summary import OFFICIAL, DataSummary
from vanbench.model.expected_counts import expected_flops, expected_params
from vanbench.report.records import Record
from vanbench.report.rows import make_row
from vanbench.zoo.reader import load_zoo

CORRECT = {"van_b0.in1k": (37_705, 46_510), "van_b1.in1k": (40_000, 47_815)}
"""Of 50,000 images: 75.41 and 93.02 as published, and 80.00 where 81.01 is published."""

OFFICIAL_DATA = DataSummary(
    "class folders", 50_000, 1000, OFFICIAL, "00", True, False, (), 50_000, 50_000, {}
)


def row_of(entry, full):
    """The row of an entry whose counts are those of its architecture."""
    counts = replace(
        full.counts,
        architecture=entry.architecture,
        resolution=224,
        params=expected_params(entry.architecture)[0],
        flops=expected_flops(entry.architecture, 224),
    )
    if entry.name not in CORRECT:
        source = replace(counts, source="architecture")
        failed = replace(full.checkpoint, status="unreachable", sha256=None, cause="DNS")
        return make_row(entry, Record("openmmlab", entry.name, failed, source))
    first, fifth = CORRECT[entry.name]
    accuracy = replace(
        full.accuracy,
        images=50_000,
        correct1=first,
        correct5=fifth,
        data=OFFICIAL_DATA,
        protocol=entry.protocol,
    )
    return make_row(entry, Record("openmmlab", entry.name, full.checkpoint, counts, accuracy))


@pytest.fixture
def full(tmp_path):
    return full_record(entry_in(tmp_path))


@pytest.fixture
def rows(full):
    return [row_of(entry, full) for entry in load_zoo("openmmlab").entries]


@pytest.fixture
def hostile(tmp_path):
    """A row whose names and reasons are made to do harm, and whose accuracy is partial."""
    entry = entry_in(tmp_path, reported='{ params_m = "0.02", top1 = "50.00", top5 = "60.00" }')
    record = full_record(entry)
    data = replace(record.accuracy.data, used=9)
    entry = replace(entry, name="+cmd|calc.in1k", source='=HYPERLINK("http://x")\x1b[31m\n</a>')
    record = replace(record, accuracy=replace(record.accuracy, data=data))
    return make_row(entry, record)
