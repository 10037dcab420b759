"""Pieces of HTML: whatever the text, the elements are those that were meant."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from vanbench.html_report.elements import Cell, bullets, facts, paragraph, table, verdict_mark
from vanbench.report.verdicts import SYMBOLS

HOSTILE = "\"'><script>alert(1)</script><!--&amp;\x1b[31m\u202e"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.names, self.data = [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.data.append(data)

    def handle_comment(self, data):
        raise AssertionError(data)


def pieces(text):
    cell = Cell(text, text, 1.5, text, text)
    return paragraph(text) + bullets([text]) + facts([(text, text)]) + table(text, [text], [[cell]])


@given(st.text(max_size=30).filter(lambda text: text not in SYMBOLS) | st.just(HOSTILE))
def test_a_text_never_makes_an_element_or_an_attribute(text):
    plain, found = Tags(pieces("x")), Tags(pieces(text))
    without_value = {"div", "dt", "dd"}  # facts without a value are left out
    if text:
        assert found.tags == plain.tags
    else:
        assert set(found.tags) <= set(plain.tags) | without_value
    assert found.names <= plain.names


def test_invisible_characters_are_shown_as_escapes():
    (text,) = Tags(paragraph("a\x1b[31m\u202eb")).data
    assert text == "a\\x1b[31m\\u202eb"


def test_a_verdict_is_a_symbol_and_a_word():
    assert Tags(verdict_mark("reproduced")).data == ["✓", " reproduced"]
    assert 'class="verdict not-measured"' in verdict_mark("not measured")
    assert Tags(verdict_mark("not reported")).data == ["not reported"]


def test_numbers_are_sorted_by_their_value():
    text = table("t", ["name", ">n"], [["a", Cell("1,000", number=1000.0)]], sortable=True)
    assert 'data-sort="1000"' in text
    assert '<th scope="col" class=number>n</th>' in text
    assert '<th scope="row">a</th>' in text
