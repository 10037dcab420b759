"""What may be shown of a URL or a path: no password, no token, no folder of a machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vanbench.zoo.addresses import portable, public_url, redact


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://host/a/b.pth", "https://host/a/b.pth"),
        ("https://host:8080/a", "https://host:8080/a"),
        ("http://user:SECRET@host/a", "http://host/a"),
        ("http://SECRET@host/a", "http://host/a"),
        ("http://user:SECRET@[::1]:80/a?token=SECRET#SECRET", "http://[::1]:80/a"),
        ("https://host/a?X-Amz-Signature=SECRET", "https://host/a"),
        ("https://cdn/npm/pkg@1.0/a.pth", "https://cdn/npm/pkg@1.0/a.pth"),
        ("http://user:SEC/RET@host/a", "http://…"),
        ("http://user:SEC@RET/x?y@host/a", "http://…"),
        ("http://user:SECRET?x@host/a", "http://…"),
        ("user:SECRET@host/a", "host/a"),
        ("http://[bad/x", "http://[bad/x"),
        ("http:///x", "http:///x"),
        ("file:///home/me/a.pth", "file:///home/me/a.pth"),
        ("/home/me/a.pth", "/home/me/a.pth"),
        ("C:\\weights\\a.pth", "C:\\weights\\a.pth"),
    ],
)
def test_a_url_without_its_secrets(url, public):
    assert public_url(url) == public
    assert redact(f"{url}: not found") == f"{public}: not found"
    assert (
        redact(f"it redirects to {url}, which is one") == f"it redirects to {public}, which is one"
    )


@pytest.mark.parametrize(
    "text",
    [
        "HTTPConnectionPool(host='h', port=1): Max retries exceeded with url: /x?token=SECRET (Caused",
        "Failed to parse: 'http://user:SECRET@host:port/x'",
        "str 'https://user:SECRET@host/x?sig=SECRET'",
        "<http://user:SECRET@host/x?sig=SECRET>",
        "two: http://a/x?t=SECRET and https://u:SECRET@b/y",
    ],
)
def test_texts_of_libraries(text):
    assert "SECRET" in text
    assert "SECRET" not in redact(text)


@pytest.mark.parametrize(
    "text",
    ["Top-1 of 50,000 images: why? no", "the server answered 404 (Not Found)", "a: b @ c", "1:2"],
)
def test_other_texts_stay_as_they_are(text):
    assert redact(text) == text
    assert portable(text) == text


words = st.text("abcXYZ019_.-", min_size=1, max_size=8).filter(lambda t: t.strip("."))


@given(words, words, words, st.booleans(), st.booleans())
def test_no_secret_of_a_well_formed_url_is_left(host, user, path, with_user, with_query):
    url = "https://" + (f"{user}:S3CR3T@" if with_user else "") + f"{host}/{path}.pth"
    url += "?token=S3CR3T" if with_query else ""
    assert public_url(url) == f"https://{host}/{path}.pth"
    assert redact(f"  {url}: {url}.") == f"  https://{host}/{path}.pth: https://{host}/{path}.pth."


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/me/zoo/b0.pth: no such file", "b0.pth: no such file"),
        ("~/zoo/b0.pth: no such file", "b0.pth: no such file"),
        ("file:///home/me/my%20zoo/b%200.pth: no", "b 0.pth: no"),
        ("C:\\Users\\me\\b0.pth: no", "b0.pth: no"),
        ("kept as /cache/.vanbench/rejected/x.pth", "kept as .vanbench/rejected/x.pth"),
        ("invalid path: /no/such/store)", "invalid path: store)"),
        ("/my cache/x.pth, not in /my cache", "x.pth, not in the folder"),
        ("private/files/x.pth: no such file", "x.pth: no such file"),
        ("not in the kept folder, kept/x.pth", "not in the kept folder, x.pth"),
        ("http://u:p@host/home/me/x.pth: no", "http://host/home/me/x.pth: no"),
        ("HTTP/1.1 with images/s", "HTTP/1.1 with images/s"),
    ],
)
def test_a_text_without_folders(text, left):
    assert portable(text, ["/cache", "/my cache", "private/files", "kept", "."]) == left
