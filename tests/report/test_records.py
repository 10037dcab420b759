"""Merging: what a new run did not measure is kept, unless it belongs to another file."""

import json
from dataclasses import replace

import pytest

from tests.support.recorded import entry_in, full_record, without_file
from vanbench.report.records import Record, has_file, merge
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
