"""Which accuracies are over the images that a claim is about."""

from dataclasses import replace

import pytest

from tests.support.recorded import full_record
from vanbench.data.summary import DataSummary, Finding
from vanbench.report.coverage import doubts, why_partial
from vanbench.report.records import Record
from vanbench.report.rows import make_row
from vanbench.zoo.entries import EvaluationProtocol
from vanbench.zoo.reader import load_zoo

ENTRY = load_zoo("openmmlab").entries[0]
RECORDED = full_record(ENTRY).accuracy
UNSAID = replace(ENTRY, images=None)
OWN = replace(UNSAID, protocol=EvaluationProtocol(classes=("cat", "dog")))

BROKEN = Finding("damaged", 1, ("x",), "1 file is not a complete image")
FAULT = Finding("label", 2, ("x",), "2 images are in another class")
NOTE = Finding("duplicate", 1, ("x",), "1 image has the same bytes", fault=False)
MISSING = Finding("missing", 3, ("x",), "3 images are not here, but listed in val.txt", fault=False)


def accuracy(entry, verdict, used, *problems, total=None):
    """An accuracy under the entry's protocol over ``used`` images of a set of ``total``."""
    data = DataSummary(
        layout="class folders",
        images=used,
        classes=2,
        verdict=verdict,
        fingerprint="00",
        whole=False,
        decoded=False,
        problems=problems,
        used=used,
        total=total or used,
        unreadable={},
    )
    return replace(RECORDED, images=used, data=data, protocol=entry.protocol)


CASES = [
    (UNSAID, ("official", 50_000), None),
    (ENTRY, ("official", 50_000, NOTE), None),
    (UNSAID, ("subset", 200), "over 200 images, where the claim is about 50,000"),
    (ENTRY, ("subset", 200), "over 200 images, where the claim is about 50,000"),
    (UNSAID, ("altered", 50_000, FAULT), "the data set is altered: 2 images are in another class"),
    (UNSAID, ("altered", 50_000, BROKEN), "the data set is altered: 1 file is not a complete"),
    (UNSAID, ("altered", 200, BROKEN, FAULT), "1 file is not a complete image; 2 images are in"),
    (UNSAID, ("subset", 50_000), "the data set is subset, not official"),
    (replace(ENTRY, images=200), ("subset", 200), None),
    (replace(ENTRY, images=200), ("altered", 200, BROKEN), None),
    (replace(ENTRY, images=200), ("altered", 200, FAULT), "the data set is altered"),
    (replace(ENTRY, images=200), ("subset", 100), "over 100 images, where the claim is about 200"),
    (OWN, ("custom", 24), None),
    (OWN, ("altered", 24, BROKEN), None),
    (OWN, ("altered", 24, FAULT), "the data set is altered: 2 images are in another class"),
    (OWN, ("subset", 24, MISSING), "the data set is not complete; 3 images are not here, but"),
    (replace(OWN, images=24), ("custom", 24), None),
    (replace(OWN, images=24), ("custom", 23), "over 23 images, where the claim is about 24"),
]


@pytest.mark.parametrize(("entry", "data", "why"), CASES)
def test_what_is_over_other_images_is_partial_and_says_why(entry, data, why):
    found = why_partial(entry, accuracy(entry, *data))
    assert found is None if why is None else why in found


@pytest.mark.parametrize("entry", [ENTRY, UNSAID, OWN])
def test_a_part_of_a_set_is_partial(entry):
    part = accuracy(entry, "subset", 10, total=24)
    assert why_partial(entry, part) == "over 10 of the 24 images of the data set"


def test_an_order_of_classes_that_was_not_checked_is_a_doubt():
    order = Finding("unconfirmed class order", 24, (), "val.txt is read as …", fault=False)
    assert doubts(accuracy(OWN, "custom", 24, NOTE, order)) == "val.txt is read as …"
    assert doubts(accuracy(OWN, "custom", 24, NOTE)) is None


def test_a_figure_that_deviates_names_the_doubt_about_the_data():
    """And one that does not, or that nothing is in doubt about, has no reason."""
    order = Finding("unconfirmed class order", 50_000, (), "val.txt is read as …", fault=False)
    doubtful, sure = accuracy(ENTRY, "official", 50_000, order), accuracy(ENTRY, "official", 50_000)
    right = int(ENTRY.claims.top1.value * 500)

    def top1(found, correct1):
        record = Record("openmmlab", ENTRY.name, accuracy=replace(found, correct1=correct1))
        figure = make_row(ENTRY, record).top1
        return figure.verdict, figure.reason

    assert top1(doubtful, 50) == ("deviates", "val.txt is read as …")
    assert top1(sure, 50) == ("deviates", None)
    assert top1(doubtful, right) == ("reproduced", None)
