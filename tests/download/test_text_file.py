"""A README or a metafile over HTTP, and from a file."""

import pytest

from tests.support.downloads import QUICK
from vanbench.download.text_file import raw_address, read_text_from
from vanbench.errors import SourceError, ZooError

TEXT = "# VAN – a page\n" * 100
LARGE = 10_000


def failure(source, error=SourceError, most=LARGE):
    with pytest.raises(error) as caught:
        read_text_from(source, most=most, policy=QUICK)
    return caught.value


def test_the_text_comes_as_it_is(server):
    url = server.put("/README.md", TEXT.encode())
    steps = []
    found = read_text_from(
        url, most=LARGE, progress=lambda done, total, note="": steps.append(done)
    )
    assert found == TEXT
    assert steps[-1] == len(TEXT.encode())


def test_a_path_is_read(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(TEXT, encoding="utf-8")
    assert read_text_from(str(path), most=LARGE) == TEXT
    assert read_text_from(path.as_uri(), most=LARGE) == TEXT
    assert "expected at most 10 bytes" in failure(str(path), ZooError, most=10).problem
    assert failure(str(tmp_path / "absent"), ZooError).problem == "there is no such file"


def test_what_a_server_does_wrong_is_one_message(server):
    assert failure(server.url + "/absent").kind == "absent"
    large = server.put("/large", b"x" * (LARGE + 1))
    assert failure(large).kind == "too-large"
    page = server.put("/page", b"<!DOCTYPE html><title>Sign in</title>")
    assert failure(page).problem == (
        "expected a README or a metafile, got an HTML or XML page"
    )  # fmt: skip
    binary = server.put("/binary", b"\x80\x02" * 400)
    assert "expected UTF-8 text" in failure(binary, ZooError).problem


def test_secrets_are_not_in_the_message(server):
    url = server.url.replace("//", "//user:secret@") + "/absent?token=hidden"
    message = str(failure(url))
    assert "secret" not in message
    assert "hidden" not in message


@pytest.mark.parametrize(
    ("url", "raw"),
    [
        ("https://github.com/o/r/blob/main/a/b.md", "https://raw.githubusercontent.com/o/r/main/a/b.md"),
        ("http://www.github.com/o/r/blob/v1.0/b.yml?plain=1#L3",
         "https://raw.githubusercontent.com/o/r/v1.0/b.yml"),
        ("https://github.com/o/r/tree/main/a", "https://github.com/o/r/tree/main/a"),
        ("https://example.org/o/r/blob/main/b.md", "https://example.org/o/r/blob/main/b.md"),
        ("https://evil.org/https://github.com/o/r/blob/x/y", "https://evil.org/https://github.com/o/r/blob/x/y"),
    ],
)  # fmt: skip
def test_a_page_of_github_is_read_as_the_file(url, raw):
    assert raw_address(url) == raw
