"""Relative links are made absolute or left out; everything else stays."""

from functools import partial

import pytest

from tests.support.command_line import ROOT
from tools.outside_links import in_repository, source_address, with_links

HERE = "https://example.org/vanbench"


def absolute(text):
    return with_links(text, partial(in_repository, HERE), partial(in_repository, HERE, image=True))


def left_out(text):
    return with_links(text, partial(in_repository, None), partial(in_repository, None, image=True))


@pytest.mark.parametrize(
    ("text", "with_address", "without"),
    [
        ("[a](docs/a.md#b)", f"[a]({HERE}/blob/HEAD/docs/a.md#b)", "a"),
        ("[`a[0]`](a.py)", f"[`a[0]`]({HERE}/blob/HEAD/a.py)", "`a[0]`"),
        ("x ![plot](a.svg) y", f"x ![plot]({HERE}/raw/HEAD/a.svg) y", "x  y"),
        ('<img src="a.svg" alt="">', f'<img src="{HERE}/raw/HEAD/a.svg" alt="">', ""),
        (
            '<picture>\n<source srcset="d.svg"><img src="a.svg">\n</picture>',
            f'<picture>\n<source srcset="{HERE}/raw/HEAD/d.svg">'
            f'<img src="{HERE}/raw/HEAD/a.svg">\n</picture>',
            "",
        ),
        ("[a](https://a.org) [b](#b)", "[a](https://a.org) [b](#b)", "[a](https://a.org) [b](#b)"),
        ("```md\n[a](a.md)\n```\n", "```md\n[a](a.md)\n```\n", "```md\n[a](a.md)\n```\n"),
    ],
)
def test_links(text, with_address, without):
    assert absolute(text) == with_address
    assert left_out(text) == without


def test_no_relative_link_of_the_readme_remains():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](docs/" in readme
    for text in (absolute(readme), left_out(readme)):
        assert "](docs/" not in text
        assert absolute(text) == text  # nothing relative is left


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("", None),
        ("project_urls =\n    Issues = https://example.org/i\n", None),
        (f"project_urls =\n    Source = {HERE}/\n    Issues = {HERE}/issues\n", HERE),
        (f"# project_urls =\n#     Source = {HERE}\n", None),
    ],
)
def test_the_address_is_that_of_setup_cfg(tmp_path, lines, found):
    (tmp_path / "setup.cfg").write_text(f"[metadata]\nname = x\n{lines}", encoding="utf-8")
    assert source_address(tmp_path / "setup.cfg") == found
