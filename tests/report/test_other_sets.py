"""Accuracies over other test sets: apart from ImageNet-1k's, judged by claims about the same set."""

import csv
import io
import json
from dataclasses import replace

import pytest

from tests.support.recorded import NAME, entry_in, full_record, in_precision, over_set, without_file
from vanbench.api.judging import judged_view
from vanbench.data.summary import Finding
from vanbench.errors import RecordError
from vanbench.html_report.models import model_section
from vanbench.report import record_files
from vanbench.report.answer import answer
from vanbench.report.consistency import contradictions
from vanbench.report.formats import csv_table, junit
from vanbench.report.other_sets import other_set_accuracies
from vanbench.report.records import Record, merge, with_accuracy
from vanbench.report.row_json import as_json
from vanbench.report.rows import make_row, rows_on_record
from vanbench.report.tables import Footnotes, lines, markdown
from vanbench.typed_json import to_json
from vanbench.zoo.other_sets import OTHER_SETS
from vanbench.zoo.reader import load_zoo

CLAIMS = '{ top1 = "50.00", imagenet_a = { top1 = "10.0", top5 = "20.0" } }'


@pytest.fixture
def entry(tmp_path):
    return entry_in(tmp_path, reported=CLAIMS)


def row(entry, correct1=750, correct5=1500, **changes):
    """Judged with 750 of 7,500 images right, 10 %, and 1,500 in five, 20 %."""
    record = over_set(full_record(entry), "imagenet_a", correct1, correct5, **changes)
    return make_row(entry, record)


def verdicts(found):
    one = found.other_sets["imagenet_a"]
    return one.top1.verdict, one.top5.verdict, found.verdict


def test_a_claim_about_a_set_is_judged_by_the_accuracy_over_it(entry):
    assert verdicts(row(entry)) == ("reproduced", "reproduced", "reproduced")
    assert verdicts(row(entry, 752))[0] == "reproduced"  # 10.027 %: as printed
    assert verdicts(row(entry, 760)) == ("deviates", "reproduced", "deviates")
    assert row(entry, 760).exit_code(accuracy_asked=True) == 1
    assert row(entry).exit_code(accuracy_asked=True) == 0


def test_it_is_no_accuracy_over_imagenet_1k_and_the_other_way_round(entry):
    found = row(entry, 0, 0)
    assert (found.top1.verdict, float(found.top1.measured)) == ("reproduced", 50)
    alone = replace(found.record, accuracy=None)
    found = make_row(entry, alone)
    assert (found.top1.measured, found.top1.verdict) == (None, "not measured")
    assert found.top1.reason == "only images of ImageNet-A were given"
    found = make_row(entry, full_record(entry))
    one = found.other_sets["imagenet_a"]
    assert (one.accuracy, one.top1.measured, one.top1.verdict) == (None, None, "not measured")
    assert one.top1.reason == "no images of ImageNet-A were given"
    assert found.verdict == "not measured"
    assert found.exit_code(accuracy_asked=True) == 0  # nobody asked for ImageNet-A


def test_what_was_asked_for_is_the_set_that_was_given(entry):
    alone = replace(row(entry).record, accuracy=None)
    assert make_row(entry, alone).exit_code(accuracy_asked=True) == 0
    neither = replace(alone, other_sets=None)
    assert make_row(entry, neither).exit_code(accuracy_asked=True) == 3


def test_an_accuracy_that_nobody_claims_has_no_verdict(tmp_path):
    found = row(entry_in(tmp_path))
    assert verdicts(found) == ("not reported", "not reported", "reproduced")
    assert [str(one) for one in other_set_accuracies(found)] == [
        f"{NAME} on ImageNet-A: Top-1 10.000 %, Top-5 20.000 %, over 7,500 images"
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"used": 7_000, "images": 7_000}, "over 7,000 of the 7,500 images of the data set"),
        ({"used": 99, "images": 99, "total": 99}, "over 99 images, where ImageNet-A has 7,500"),
        ({"verdict": "subset"}, "the data set is subset, not official"),
        (
            {"problems": (Finding("damaged", 1, (), "1 files are damaged"),)},
            "the data set is altered: 1 files are damaged",
        ),
    ],
    ids=["limit", "fewer", "class without images", "fault"],
)
def test_a_part_of_the_set_is_partial(changes, reason, entry):
    found = row(entry, 9, 9, **changes)
    assert verdicts(found) == ("partial", "partial", "partial")
    assert found.other_sets["imagenet_a"].top1.reason == reason
    assert found.is_partial
    assert found.whole_record.other_sets is None
    (told,) = other_set_accuracies(found)
    assert told.partial == reason


def test_other_labels_for_a_part_are_no_reason_against_the_accuracy(tmp_path):
    entry = entry_in(tmp_path)
    record = over_set(full_record(entry), "imagenet_real", 2, 3, used=5, images=5, total=5)
    found = make_row(entry, record)
    assert not found.is_partial
    assert found.whole_record.accuracy
    assert found.whole_record.other_sets is None


def test_an_erratum_may_be_about_another_set(tmp_path):
    corrected = '{ corrected = { imagenet_a = { top1 = "10.1" } }, reason = "Misprint." }'
    entry = entry_in(tmp_path, reported=CLAIMS, erratum=corrected)
    found = row(entry, 758)
    assert verdicts(found)[0] == "erratum"
    assert "Top-1 on ImageNet-A 10.0 %, measured 10.11 %" in answer([found]).discoveries[0].text


# Records


def test_a_record_keeps_each_set_until_it_is_measured_again(entry):
    full = full_record(entry)
    old = over_set(over_set(full, "imagenet_a", 1, 2), "imagenet_r", 3, 4)
    new = replace(over_set(full, "imagenet_a", 5, 6), accuracy=None)
    merged = merge(old, new)
    assert {key: a.correct1 for key, a in merged.other_sets.items()} == {
        "imagenet_a": 5,
        "imagenet_r": 3,
    }
    assert merged.accuracy == old.accuracy
    other = replace(new.checkpoint, sha256="ff" * 32)
    assert merge(old, replace(full, checkpoint=other, accuracy=None)).other_sets is None


def test_another_precision_over_another_set_is_not_recorded(entry):
    accuracy = over_set(full_record(entry), "imagenet_a", 1, 2).other_sets["imagenet_a"]
    bf16 = replace(accuracy, numerics=replace(accuracy.numerics, precision="bf16"))
    empty = Record("zoo", NAME)
    assert with_accuracy(empty, bf16) == empty
    assert with_accuracy(empty, accuracy).accuracy is None


def test_a_record_is_read_as_it_was_written_and_an_old_one_has_no_other_sets(entry, tmp_path):
    record = row(entry).record
    record_files.write(tmp_path, record)
    assert record_files.read(tmp_path, "zoo", entry) == record
    (path,) = (tmp_path / "zoo").glob("*.json")
    old = json.loads(path.read_text())
    del old["other_sets"], old["accuracy"]["data"]["other_set"]
    path.write_text(json.dumps(old))
    assert record_files.read(tmp_path, "zoo", entry) == full_record(entry)


def test_rows_on_record_have_the_whole_sets_only(entry, tmp_path):
    part = {"used": 99, "images": 99, "total": 99}
    record = over_set(row(entry).record, "imagenet_r", 1, 2, **part)
    record_files.write(tmp_path, record)
    zoo = load_zoo(str(tmp_path / "zoo.toml"))
    (found,) = rows_on_record(zoo, tmp_path)
    assert list(found.other_sets) == ["imagenet_a"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda r: replace(r, other_sets={"imagenet_r": r.other_sets["imagenet_a"]}),
            "other_sets.imagenet_r.data.other_set is 'imagenet_a'",
        ),
        (
            lambda r: replace(r, other_sets={"x": r.other_sets["imagenet_a"]}),
            f"other_sets.x is no other test set: these are {', '.join(OTHER_SETS)}",
        ),
        (
            lambda r: replace(r, accuracy=r.other_sets["imagenet_a"]),
            "accuracy.data.other_set is 'imagenet_a', and other test sets belong under other_sets",
        ),
        (
            lambda r: replace(r, other_sets={"imagenet_a": r.accuracy}),
            "other_sets.imagenet_a.data.other_set is None",
        ),
        (
            lambda r: replace(
                r, other_sets={"imagenet_a": replace(r.other_sets["imagenet_a"], sha256="0" * 64)}
            ),
            "other_sets.imagenet_a.sha256",
        ),
        (
            lambda r: replace(
                r,
                other_sets={
                    "imagenet_a": in_precision(r, "bf16").other_precisions["bf16"],
                },
            ),
            "only fp32 without TF32 belongs there",
        ),
    ],
    ids=["another key", "unknown", "as ImageNet-1k", "ImageNet-1k", "another file", "bf16"],
)
def test_an_accuracy_in_the_wrong_place_is_found(change, sentence, entry, tmp_path):
    record = row(entry).record
    assert list(contradictions(record)) == []
    changed = change(record)
    assert any(sentence in text for text in contradictions(changed))
    path = tmp_path / "zoo" / f"{NAME}.json"
    record_files.write(tmp_path, record)
    path.write_text(json.dumps({**json.loads(path.read_text()), **to_json(changed)}))
    with pytest.raises(RecordError, match="contradicts itself"):
        record_files.read(tmp_path, "zoo", entry)


# What is shown


def test_the_tally_counts_claims_about_other_sets(entry):
    found = answer([row(entry)])
    assert found.tally.numbers == 3
    assert found.headline == "REPRODUCED"
    found = answer([row(entry, 760)])
    assert found.headline == "DEVIATES"
    text = f"{NAME} deviates: Top-1 on ImageNet-A 10.0 %, measured 10.13 %"
    assert [one.text for one in found.discoveries] == [text]
    found = answer([make_row(entry, full_record(entry))])
    assert found.headline == "INCOMPLETE"
    assert found.reasons[0].text == (
        "Top-1 on ImageNet-A and Top-5 on ImageNet-A not measured: no images of ImageNet-A were given"
    )


def test_words_name_the_set_and_its_verdicts(entry):
    (one,) = other_set_accuracies(row(entry, 760))
    assert str(one) == (
        f"{NAME} on ImageNet-A: Top-1 10.133 % (✗ deviates, reported 10.0), "
        "Top-5 20.000 % (✓ reproduced, reported 20.0), over 7,500 images"
    )


def test_json_has_the_set_beside_imagenet_1k(entry):
    found = as_json(row(entry, 760))
    assert found["top1"]["measured"] == 50
    (key,) = found["other_sets"]
    one = found["other_sets"][key]
    assert (key, one["title"], one["partial"], one["device"]) == (
        "imagenet_a",
        "ImageNet-A",
        None,
        "CPU",
    )
    assert (one["top1"]["correct"], one["top1"]["images"]) == (760, 7_500)
    assert (one["top1"]["reported_text"], one["top1"]["verdict"]) == ("10.0", "deviates")
    never = as_json(make_row(entry, without_file(full_record(entry))))["other_sets"]["imagenet_a"]
    assert (never["top1"]["measured"], never["date"], never["device"]) == (None, None, None)


def test_every_form_shows_which_set(entry):
    found = row(entry, 760)
    numbers = {r["number"]: r for r in csv.DictReader(io.StringIO(csv_table.render([found])))}
    assert float(numbers["imagenet_a.top1"]["measured"]) == pytest.approx(76 / 7.5)
    assert numbers["imagenet_a.top1"]["images"] == "7500"
    assert (numbers["top1"]["images"], numbers["top1"]["measured"]) == ("10", "50.0")
    assert 'name="Top-1 on ImageNet-A"' in junit.render([found])
    assert "Other test sets" in markdown([found])
    assert "on ImageNet-A: Top-1 10.133 %" in markdown([found])
    assert "On ImageNet-A" in model_section(found, 0)
    printed = [line[0].strip() for line in lines(found, Footnotes())]
    assert printed[-2:] == ["Top-1, % (ImageNet-A)", "Top-5, % (ImageNet-A)"]
    assert any("on ImageNet-A" in note for note in judged_view([found]).notes)


def test_without_other_sets_nothing_is_shown(tmp_path):
    entry = entry_in(tmp_path)
    found = make_row(entry, full_record(entry))
    assert found.other_sets == {}
    assert "ImageNet-" not in markdown([found])
    assert as_json(found)["other_sets"] == {}
