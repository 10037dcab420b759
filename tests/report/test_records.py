"""Merging: what a new run did not measure is kept, unless it belongs to another file."""

import json
from dataclasses import replace

import pytest

from tests.support.recorded import entry_in, full_record, in_precision, without_file
from vanbench.report.records import Record, has_file, merge, with_accuracy
from vanbench.typed_json import from_json, to_json


@pytest.fixture
def full(tmp_path):
    return full_record(entry_in(tmp_path))


def test_merge_keeps_what_the_new_run_did_not_measure(full):
    new = replace(full, counts=replace(full.counts, date="2027-01-01"), accuracy=None)
    assert merge(full, new) == replace(full, counts=new.counts)
    assert merge(None, new) == new


def test_merge_keeps_the_file_that_was_there(full):
    assert merge(full, without_file(full)) == full


def test_merge_drops_the_accuracy_of_another_file(full):
    other = replace(full.checkpoint, sha256="cd" * 32)
    assert merge(full, replace(full, checkpoint=other, accuracy=None)).accuracy is None


def test_a_record_has_a_file_when_its_hash_was_not_another_one(full):
    assert has_file(full)
    assert has_file(replace(full, checkpoint=replace(full.checkpoint, status="unverifiable")))
    assert not has_file(without_file(full))
    assert not has_file(replace(full, checkpoint=None))


def test_a_record_without_the_parts_of_its_flops_is_still_read(full):
    """Records of older versions have no such keys."""
    document = to_json(full)
    assert document["counts"].pop("by_operator") is document["counts"].pop("by_module") is None
    assert from_json(Record, json.dumps(document)) == full


def test_each_precision_has_its_place(full):
    both = in_precision(full, "bf16", correct1=4)
    assert both.accuracy == full.accuracy
    assert {name: a.correct1 for name, a in both.accuracies.items()} == {"fp32": 5, "bf16": 4}
    assert with_accuracy(replace(both, accuracy=None), full.accuracy) == both
    assert full.accuracies == {"fp32": full.accuracy}
    assert replace(full, accuracy=None).accuracies == {}


def test_another_precision_does_not_replace_fp32_nor_a_third_one(full):
    old = in_precision(in_precision(full, "bf16", correct1=4), "fp16", correct1=3)
    new = in_precision(full, "bf16", correct1=2, date="2027-01-01")
    merged = merge(old, replace(new, accuracy=None))
    assert merged.accuracy == full.accuracy
    assert {name: a.correct1 for name, a in merged.accuracies.items()} == {
        "fp32": 5, "bf16": 2, "fp16": 3
    }  # fmt: skip
    assert merged.other_precisions["bf16"].date == "2027-01-01"


def test_fp32_keeps_the_other_precisions_of_the_same_file_and_weights(full):
    old = in_precision(full, "bf16")
    assert merge(old, full) == old
    assert merge(old, replace(full, accuracy=None)) == old
    assert merge(old, without_file(full)) == old
    other = replace(full.checkpoint, sha256="cd" * 32)
    assert merge(old, replace(full, checkpoint=other)).other_precisions is None
    averaged = replace(full.checkpoint, weights="ema")
    assert merge(old, replace(full, checkpoint=averaged)).other_precisions is None


def test_a_record_without_other_precisions_is_still_read(full):
    """Records of older versions have no such keys."""
    document = to_json(full)
    assert document.pop("other_precisions") is None
    assert document["accuracy"].pop("differs_from_fp32") is None
    assert from_json(Record, json.dumps(document)) == full


def test_a_record_with_other_precisions_is_read_back(full):
    record = in_precision(full, "tf32")
    assert from_json(Record, json.dumps(to_json(record))) == record
