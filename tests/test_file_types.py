"""What a file is by its first bytes."""

import pytest

from vanbench.file_types import describe_bytes, page_title


def test_control_characters_of_a_page_do_not_reach_the_terminal():
    assert page_title(b"<title>\x1b[31mred</title>") == "\N{REPLACEMENT CHARACTER}[31mred"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04....", "a zip archive"),
        (b"\x80\x02}q\x00.", "a pickle"),
        (b"\x10\0\0\0\0\0\0\0{}", "a safetensors file"),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?><Error><Code>NoSuchKey</Code>", '("NoSuchKey")'),
    ],
)
def test_first_bytes(head, kind):
    assert kind in describe_bytes(head)
