"""JUnit XML, read back with junitparser."""

from junitparser import Failure, JUnitXml, Skipped

from vanbench.report.answer import answer
from vanbench.report.formats import junit


def parse(rows):
    (suite,) = JUnitXml.fromstring(junit.render(rows).encode())
    return suite


def test_one_case_for_each_published_number(rows):
    suite, tally = parse(rows), answer(rows).tally
    assert suite.tests == tally.numbers == len(list(suite))
    assert suite.failures == tally.counts["deviates"] == 1
    assert suite.skipped == tally.counts["not measured"] == 6
    names = [(case.classname, case.name) for case in suite]
    assert len(set(names)) == len(names)
    assert names[0] == ("openmmlab.van_b0.in1k", "parameters")


def test_what_deviates_fails_with_the_difference(rows):
    (case,) = [case for case in parse(rows) if any(isinstance(r, Failure) for r in case.result)]
    assert (case.classname, case.name) == ("openmmlab.van_b1.in1k", "Top-1")
    assert case.result[0].message == "Top-1 81.01 %, measured 80.000 %"
    assert case.result[0].type == "deviates"


def test_what_was_not_measured_is_skipped_with_the_reason(rows):
    skipped = [c for c in parse(rows) if any(isinstance(r, Skipped) for r in c.result)]
    assert {case.result[0].message for case in skipped} == {"checkpoint unreachable"}
    assert {case.classname for case in skipped} == {
        f"openmmlab.van_b{n}.in1k" for n in (2, 3, 4)
    }  # fmt: skip


def test_a_misprint_passes_and_says_so(rows):
    cases = {(c.classname, c.name): c for c in parse(rows)}
    text = cases["openmmlab.van_b6.in21k", "parameters"].system_out
    assert text.startswith("erratum: parameters 283.9 M, counted 199.83 M")


def test_a_partial_accuracy_is_skipped_and_texts_are_escaped(hostile):
    text = junit.render([hostile])
    assert text.isascii()
    cases = list(parse([hostile]))
    assert [case.name for case in cases] == ["parameters", "Top-1", "Top-5"]
    assert cases[1].result[0].message.startswith("partial: Top-1 50.00 %, measured 50.000 %")
    assert cases[1].classname == "zoo.+cmd|calc.in1k"


def test_no_rows_are_an_empty_suite():
    assert parse([]).tests == 0
