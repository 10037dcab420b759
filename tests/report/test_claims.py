"""What stands beside what: conventions and misprints explain, other sources contradict."""

from pathlib import Path

import pytest

from tests.support.recorded import entry_in, full_record
from vanbench.report import record_files
from vanbench.report.claims import claims_on_record, findings, in_words, standings
from vanbench.zoo.combined import combine
from vanbench.zoo.reader import load_zoo, parse_zoo

HEAD = """
schema = 1
name = "{name}"
title = "A source"
source = "https://example.org/{name}"
layer_norm_eps = 1e-6
"""
ENTRY = """
[models."van_b0.{tag}"]
architecture = "van_b0"
{more}
reported = {{ {reported} }}
"""
SAME = 'weights_of = "one/van_b0.x"'


def zoo(name, *entries, head=""):
    """A zoo with entries of a tag, figures and further lines."""
    tables = [
        ENTRY.format(tag=tag, reported=reported, more=more) for tag, reported, more in entries
    ]
    return parse_zoo(HEAD.format(name=name) + head + "".join(tables), Path(f"{name}.toml"))


def judged(tmp_path, *zoos):
    (found,) = claims_on_record(combine(zoos, tmp_path), tmp_path)
    return found


def texts(found):
    return [finding.text for finding in findings(found)]


def test_a_source_that_contradicts_another_is_found(tmp_path):
    found = judged(
        tmp_path,
        zoo("one", ("x", 'top1 = "81.1"', "")),
        zoo("two", ("y", 'top1 = "81.01"', SAME)),
        zoo("three", ("z", 'top1 = "81.14"', SAME)),
    )
    (two, three) = found.contradictions
    assert two.claim.entry.name == "two/van_b0.y"
    assert [other.entry.name for other in two.others] == ["one/van_b0.x"]
    assert [other.entry.name for other in three.others] == ["two/van_b0.y"]
    assert [claim.standing for claim in found.every()] == ["contradicts"] * 3
    assert texts(found)[0] == "Top-1 81.01 contradicts 81.1 of one/van_b0.x (the same settings)"


def test_each_source_of_a_contradicted_number_is_marked(tmp_path):
    """The finding names the first that prints it."""
    found = judged(
        tmp_path,
        zoo("one", ("x", 'top1 = "84.13"', "")),
        zoo("two", ("y", 'top1 = "84.2"', SAME), ("z", 'top1 = "84.2"', SAME)),
    )
    assert [claim.standing for claim in found.every()] == ["contradicts"] * 3
    assert [c.claim.entry.name for c in found.contradictions] == ["two/van_b0.y"]


@pytest.mark.parametrize(("one", "two"), [("75.4", "75.41"), ("75.4", "75.35"), ("82.80", "82.8")])
def test_what_may_be_the_same_number_is_no_contradiction(tmp_path, one, two):
    found = judged(
        tmp_path,
        zoo("one", ("x", f'top1 = "{one}"', "")),
        zoo("two", ("y", f'top1 = "{two}"', SAME)),
    )
    assert found.contradictions == ()
    assert standings(found.every()) == {"not measured": 2}


def test_other_weights_are_not_compared(tmp_path):
    found = judged(tmp_path, zoo("one", ("x", 'top1 = "81.1"', ""), ("y", 'top1 = "75.0"', "")))
    assert found.contradictions == ()


def test_settings_that_differ_are_named(tmp_path):
    other = "[protocol]\nmean = [123.675, 116.28, 103.53]\n"
    found = judged(
        tmp_path,
        zoo("one", ("x", 'top1 = "75.4"', "")),
        zoo("two", ("y", 'top1 = "72.03"', f"{SAME}\nlayer_norm_eps = 1e-5"), head=other),
    )
    (text,) = texts(found)
    assert text.endswith("(settings other than those of one/van_b0.x: mean, layer_norm_eps)")


def test_a_digit_that_is_off_by_one_deviates(tmp_path):
    found = judged(tmp_path, zoo("one", ("x", 'params_m = "4.12", flops_g = "0.88"', "")))
    assert standings(found.every()) == {"deviates": 1, "reproduced": 1}
    assert texts(found) == ["parameters 4.12 M, counted 4.106 M"]


def test_a_convention_explains(tmp_path):
    way = 'counting = { params = "with-bn-statistics", convention = "paddleclas" }'
    found = judged(tmp_path, zoo("one", ("x", 'params_m = "4.113", flops_g = "0.8798"', way)))
    assert standings(found.every()) == {"explained": 2}
    assert texts(found) == [
        "it counts parameters and BatchNorm statistics",
        "it counts FLOPs as conv + conv_bias + 2 × batch_norm + linear",
    ]


def test_a_misprint_explains(tmp_path):
    erratum = 'erratum = { corrected = { params_m = "4.11" }, reason = "Exchanged." }'
    found = judged(tmp_path, zoo("one", ("x", 'params_m = "880"', erratum)))
    (claim,) = found.every()
    assert (claim.standing, claim.correction) == ("explained", "4.11")
    assert texts(found) == ["parameters 880 M, counted 4.1 M: Exchanged."]


def test_a_measured_accuracy_is_judged(tmp_path):
    """The record of the tests has a Top-1 of 50 %."""
    entry = entry_in(tmp_path)
    record_files.write(tmp_path, full_record(entry))
    (found,) = claims_on_record(load_zoo(str(tmp_path / "zoo.toml")), tmp_path)
    assert entry.name in found.claims
    assert found.claims[entry.name]["top1"].standing == "reproduced"


def test_the_shipped_claims_have_the_known_contradictions(tmp_path):
    """Those of B1 that a reader finds in the sources: 81.1 against 81.01, 81.012 and 81.02."""
    found = {one.arch: one for one in claims_on_record(load_zoo("all"), tmp_path)}
    values = {
        frozenset((c.claim.text, o.text))
        for c in found["van_b1"].contradictions
        for o in c.others
        if c.claim.number == "top1"
    }
    expected = [("81.1", "81.01"), ("81.1", "81.012"), ("81.1", "81.02"), ("81.012", "81.02")]
    assert values == set(map(frozenset, expected))
    assert found["van_b6"].contradictions == ()
    every = standings(claim for one in found.values() for claim in one.every())
    assert every["deviates"] == 0


def test_the_tally_in_words():
    assert in_words({"reproduced": 3, "explained": 1, "deviates": 0, "contradicts": 2,
                     "close": 0, "not measured": 4}) == (
        "3 reproduced, 1 explained, 0 deviating, 2 contradicting another source, 4 not measured"
    )  # fmt: skip
