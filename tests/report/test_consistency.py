"""An edit of a record that makes it wrong is found, and named by its key."""

from dataclasses import replace

import pytest

from tests.support.models import TINY
from tests.support.recorded import SHA256, entry_in, full_record, in_precision, without_file
from vanbench.model.architecture import Architecture
from vanbench.report.consistency import contradictions, misfits
from vanbench.report.records import Calibration, DifferenceFromFp32, Numerics
from vanbench.zoo.entries import EvaluationProtocol

WIDER = Architecture((8, 12, 24, 20), TINY.depths, TINY.mlp_ratios, TINY.num_classes)
ZEROS = "0" * 64
HALF = Numerics("bf16", False, "cpu", "reference", None, False)


@pytest.fixture
def entry(tmp_path):
    return entry_in(tmp_path)


@pytest.fixture
def full(entry):
    return full_record(entry)


def edited(record, section, **changes):
    return replace(record, **{section: replace(getattr(record, section), **changes)})


def edited_data(record, **changes):
    return edited(record, "accuracy", data=replace(record.accuracy.data, **changes))


def test_what_was_measured_is_consistent(entry, full):
    for record in (full, without_file(full), replace(full, accuracy=None)):
        assert list(contradictions(record)) == []
        assert list(misfits(record, entry)) == []


EDITS = {
    "another status": ("checkpoint", {"status": "fine"}, "checkpoint.status is 'fine'"),
    "no hash": ("checkpoint", {"sha256": None}, "checkpoint.sha256 is missing"),
    "half a hash": ("checkpoint", {"sha256": SHA256[:8]}, "which is no SHA-256"),
    "no bytes": ("checkpoint", {"bytes": 0}, "checkpoint.bytes is 0"),
    "no architecture": ("checkpoint", {"architecture": None}, "checkpoint.architecture is missing"),
    "a file lost": ("checkpoint", {"status": "missing"}, "counts.source is 'checkpoint', and"),
    "no date": ("checkpoint", {"date": "today"}, "checkpoint.date is 'today', which is no date"),
    "params": ("counts", {"params": 10}, "counts.params is 10, and counts.architecture has "),
    "backbone": ("counts", {"params_backbone": 8}, "counts.params_backbone is 8, and"),
    "another source": ("counts", {"source": "elsewhere"}, "counts.source is 'elsewhere'"),
    "declared": ("counts", {"source": "architecture"}, "counts.source is 'architecture', and"),
    "resolution": ("counts", {"resolution": 64}, "counts.flops.fvcore is"),
    "tiny resolution": ("counts", {"resolution": 0}, "counts.resolution is 0"),
    "flops": ("counts", {"flops": {"fvcore": 1, "openmmlab": 2}}, "counts.flops.openmmlab is 2"),
    "no flops": ("counts", {"flops": {}}, "counts.flops.fvcore is missing"),
    "parts": (
        "counts",
        {"by_module": {"fvcore": {"head": 1}}},
        "counts.by_module.fvcore adds up to 1, and counts.flops.fvcore is",
    ),
    "no parts": ("counts", {"by_operator": {}}, "counts.by_operator.openmmlab adds up to 0, and"),
    "negative parts": (
        "counts",
        {"by_operator": {"fvcore": {"conv": -1}}},
        "counts.by_operator.fvcore has a negative number",
    ),
    "another file": ("accuracy", {"sha256": ZEROS}, f"accuracy.sha256 is {ZEROS}, and checkpoint"),
    "no images": ("accuracy", {"images": 0}, "accuracy.images is 0"),
    "more images": ("accuracy", {"images": 11}, "found 11, 10, 10 and 10"),
    "more right": ("accuracy", {"correct1": 8}, "found 8, 7 and 10"),
    "all right": ("accuracy", {"correct5": 11}, "found 5, 11 and 10"),
    "negative": ("accuracy", {"correct1": -1}, "found -1, 7 and 10"),
    "time": ("accuracy", {"seconds": float("nan")}, "accuracy.seconds is nan"),
    "precision": ("accuracy", {"numerics": HALF}, "precision 'bf16' and tf32 false, and only fp32"),
    "classes": ("accuracy", {"protocol": EvaluationProtocol(classes=("a",))}, "10 classes, and"),
}  # fmt: skip


def test_conventions_of_another_version_are_no_contradiction(entry, full):
    """A convention that this version does not know, and one that the record does not have."""
    flops = {"fvcore": full.counts.flops["fvcore"], "another": 5}
    record = edited(full, "counts", flops=flops)
    assert list(contradictions(record)) == []
    assert "counts.flops has no openmmlab" in "; ".join(misfits(record, entry))


@pytest.mark.parametrize("edit", EDITS)
def test_a_contradiction_is_named(full, edit):
    section, changes, message = EDITS[edit]
    assert message in "; ".join(contradictions(edited(full, section, **changes)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"used": 9}, "found 10, 9, 10 and 10"),
        ({"images": 9}, "found 10, 10, 9 and 10"),
        ({"total": 9}, "found 10, 10, 10 and 9"),
        ({"total": 11}, "found 10, 10, 10 and 11"),
        ({"classes": 11}, "accuracy.data.classes is 11"),
        ({"unreadable": dict.fromkeys("abcd", "damaged")}, "4 of 10 images"),
    ],
)
def test_data_that_does_not_fit_the_counts_is_named(full, changes, message):
    assert message in "; ".join(contradictions(edited_data(full, **changes)))


def test_an_architecture_that_the_file_does_not_have(full):
    record = edited(full, "checkpoint", architecture=WIDER)
    assert "counts.architecture is not checkpoint.architecture" in contradictions(record)


def test_an_accuracy_without_a_file(full):
    record = replace(without_file(full), accuracy=full.accuracy)
    assert "accuracy is there, and checkpoint.status is 'unreachable'" in contradictions(record)
    assert "accuracy is there, and checkpoint.status is None" in contradictions(
        replace(record, checkpoint=None)
    )


def test_verified_needs_the_published_digits(entry, full):
    record = edited(full, "checkpoint", sha256=ZEROS)
    assert list(misfits(record, entry)) == [
        f"checkpoint.status is 'verified' with the SHA-256 {ZEROS}, and the published one is "
        f"{SHA256[:8]}…"
    ]


def test_verified_needs_the_complete_published_hash(tmp_path, full):
    other = SHA256[:8] + "0" * 56
    (text,) = misfits(full, entry_in(tmp_path, sha256=f'"{other}"'))
    assert text.endswith(f"the published one is {other}")


def test_a_file_without_a_published_hash_is_not_verified(tmp_path):
    entry = entry_in(tmp_path, url='"https://example.org/van.pth"')
    full = full_record(entry)
    assert list(misfits(full, entry)) == [
        "checkpoint.status is 'verified', and the zoo has no hash of the file"
    ]
    assert list(misfits(edited(full, "checkpoint", status="unverifiable"), entry)) == []


def test_the_file_of_another_entry(tmp_path, full):
    entry = entry_in(tmp_path, url='"https://example.org/other-01234567.pth"')
    assert "and the zoo names other-01234567.pth" in "; ".join(misfits(full, entry))


def test_what_was_counted_in_another_way_than_the_zoos(tmp_path, entry, full):
    assert "counts.resolution is 32, and the zoo's is 64" in misfits(
        full, entry_in(tmp_path, resolution="64")
    )
    head = replace(TINY, num_classes=0)
    assert "counts.architecture has 0 classes, and the zoo counts with 10" in misfits(
        edited(full, "counts", architecture=head), entry
    )


def test_a_declared_architecture_that_the_zoo_does_not_declare(entry, full):
    record = edited(without_file(full), "counts", architecture=WIDER)
    assert "counts.architecture is not the one that the zoo declares" in misfits(record, entry)
    held = edited(full, "counts", architecture=WIDER)  # the file's tensors decide
    assert list(misfits(held, entry)) == []


def test_another_protocol(entry, full):
    other = replace(entry.protocol, resize_short_edge=256)
    assert "accuracy.protocol is another one than the zoo's: resize_short_edge" in misfits(
        edited(full, "accuracy", protocol=other), entry
    )


def test_other_precisions_are_consistent(entry, full):
    difference = DifferenceFromFp32(10, 6, 4, 1, 0.375)
    record = in_precision(full, "bf16", correct1=2, differs_from_fp32=difference)
    for precision in ("tf32", "fp16"):
        record = in_precision(record, precision)
    for one in (record, replace(record, accuracy=None)):
        assert list(contradictions(one)) == []
        assert list(misfits(one, entry)) == []


OTHER = "other_precisions.bf16"
OTHER_EDITS = {
    "precision": ({"numerics": replace(HALF, precision="fp16")}, f"{OTHER}.numerics has precision"),
    "tf32": ({"numerics": replace(HALF, tf32=True)}, f"{OTHER}.numerics has precision 'bf16' and"),
    "calibrated": (
        {"numerics": replace(HALF, calibration=Calibration("other images", 1, ZEROS, "tool 1"))},
        f"{OTHER}.numerics.calibration is there for int8, and for no other precision",
    ),
    "another file": ({"sha256": ZEROS}, f"{OTHER}.sha256 is {ZEROS}, and checkpoint"),
    "other weights": ({"weights": "ema"}, f"{OTHER}.weights is 'ema'"),
    "more right": ({"correct1": 8}, f"expected 0 ≤ {OTHER}.correct1 ≤ correct5"),
    "no date": ({"date": "today"}, f"{OTHER}.date is 'today'"),
    "another p": ({"differs_from_fp32": DifferenceFromFp32(10, 6, 4, 1, 0.5)}, "give 0.375"),
    "more flips": (
        {"differs_from_fp32": DifferenceFromFp32(10, 4, 4, 1, 0.375)},
        "only_this_right ≤ different ≤ images, found 4, 1, 4 and 10",
    ),
    "negative": (
        {"differs_from_fp32": DifferenceFromFp32(10, 4, -1, 1, 1.0)}, "found -1, 1, 4 and 10"
    ),
    "more gained": (
        {"differs_from_fp32": DifferenceFromFp32(10, 6, 0, 6, 2 / 64)},
        f"{OTHER}.differs_from_fp32.only_this_right is 6, and 5 images are right",
    ),
    "other images": (
        {"differs_from_fp32": DifferenceFromFp32(9, 0, 0, 0, 1.0)},
        f"{OTHER}.differs_from_fp32.images is 9, and 10 images could be read",
    ),
    "very many": (
        {"differs_from_fp32": DifferenceFromFp32(10**18, 10**18, 10**18, 0, 0.0)},
        "and 10 images could be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), OTHER_EDITS.values(), ids=OTHER_EDITS)
def test_an_edit_of_another_precision_is_found(full, changes, message):
    record = in_precision(full, "bf16")
    edited_one = replace(record.other_precisions["bf16"], **changes)
    found = "; ".join(contradictions(replace(record, other_precisions={"bf16": edited_one})))
    assert message in found


def test_fp32_is_no_other_precision_and_differs_from_nothing(full):
    record = replace(full, other_precisions={"fp32": full.accuracy})
    assert "other_precisions.fp32 is no other precision: these are tf32" in "; ".join(
        contradictions(record)
    )
    record = replace(full, other_precisions={"int4": full.accuracy})
    assert "other_precisions.int4 is no other precision" in "; ".join(contradictions(record))
    record = edited(full, "accuracy", differs_from_fp32=DifferenceFromFp32(10, 0, 0, 0, 1.0))
    assert "accuracy.differs_from_fp32 is there" in "; ".join(contradictions(record))


def test_another_precision_under_another_protocol(entry, full):
    changed = replace(entry.protocol, center_crop=16)
    record = in_precision(full, "bf16", protocol=changed)
    assert "other_precisions.bf16.protocol is another one than the zoo's: center_crop" in list(
        misfits(record, entry)
    )
