"""JUnit XML: one test case for each published number, so that CI shows what deviates."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as XML

from vanbench.outside.safe_text import for_terminal
from vanbench.report.answer import answer, difference_in_words, judged_figures, number_name
from vanbench.report.rows import Figure, ModelRow
from vanbench.report.verdicts import DEVIATES, NOT_MEASURED, PARTIAL

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(rows: Sequence[ModelRow]) -> str:
    """A test suite for the zoo: a failure for each number that deviates, with the difference.

    A number that was not measured, or over a part of the images, is skipped with its reason. The
    text is ASCII, so that it is the same in any encoding.
    """
    name = rows[0].record.zoo if rows else "vanbench"
    suites = XML.Element("testsuites")
    suite = XML.SubElement(suites, "testsuite", name=_text(name))
    for row in rows:
        for key, figure in judged_figures(row).items():
            if figure.reported:
                _add_case(suite, row, key, figure)
    counts = answer(rows).tally.counts
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(counts[DEVIATES]))
    suite.set("errors", "0")
    suite.set("skipped", str(counts[NOT_MEASURED] + counts[PARTIAL]))
    XML.indent(suites)
    return XML.tostring(suites, encoding="us-ascii", xml_declaration=True).decode("ascii") + "\n"


def _add_case(suite: XML.Element, row: ModelRow, key: str, figure: Figure) -> None:
    case = XML.SubElement(suite, "testcase", name=number_name(key))
    case.set("classname", _text(f"{row.record.zoo}.{row.entry.name}"))
    if figure.measured is None:
        XML.SubElement(case, "skipped", message=_text(figure.reason or NOT_MEASURED))
        return
    words = difference_in_words(key, figure)
    why = f" ({figure.reason})" if figure.reason else ""
    if figure.verdict == DEVIATES:
        failure = XML.SubElement(case, "failure", message=_text(words + why), type=DEVIATES)
        failure.text = _text(f"{row.entry.name}: {words}{why}")
    elif figure.verdict == PARTIAL:
        XML.SubElement(case, "skipped", message=_text(f"{PARTIAL}: {words}{why}"))
    else:
        XML.SubElement(case, "system-out").text = _text(f"{figure.verdict}: {words}{why}")


def _text(text: str) -> str:
    """A text that XML can hold; ElementTree escapes its markup."""
    return _NOT_XML.sub("\ufffd", for_terminal(text))
