"""Under which name the cache keeps a file."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vanbench.download.wanted import Wanted, source_id
from vanbench.zoo.entries import hash_in_name

FULL = "385941af" + "0123456789abcdef" * 3 + "01234567"


@pytest.mark.parametrize(
    ("filename", "sha256", "published"),
    [
        ("weights-385941af.pth", None, "385941af"),
        ("weights-385941af.pth", "AB" * 32, "ab" * 32),
        ("weights.pth", None, None),
        ("weights-20240101.pth", None, None),
    ],
)
def test_the_published_hash(filename, sha256, published):
    assert Wanted(filename, (), sha256).published == published


@pytest.mark.parametrize(
    ("filename", "sha256", "name"),
    [
        # a name that ends in the published hash is the one of torch.hub
        ("van-tiny-385941af.pth", None, "van-tiny-385941af.pth"),
        ("van-tiny-385941af.pth", FULL, "van-tiny-385941af.pth"),
        ("van-tiny-385941af01.pth", "385941af", "van-tiny-385941af01.pth"),
        # other names get digits of the hash
        ("model.pth", FULL, "model-385941af01234567.pth"),
        ("model.pth", "385941AF", "model-385941af.pth"),
        ("model.pth.tar", "385941af", "model-385941af.pth.tar"),
        ("model", "385941af", "model-385941af"),
        ("model-20240101.pth", "385941af", "model-20240101-385941af.pth"),
        ("model-00000000.pth", "385941af", "model-00000000-385941af.pth"),
        # characters that Windows does not allow
        ("a:b?-385941af.pth", None, "a_b_-385941af.pth"),
    ],
)
def test_names_of_files_with_a_hash(filename, sha256, name):
    assert Wanted(filename, ("https://host/x",), sha256).cache_name == name


def test_names_of_files_without_a_hash_are_of_their_source():
    first, second = (
        Wanted("model.pth", (f"https://host/{folder}/model.pth",)).cache_name for folder in "ab"
    )
    assert first != second
    for name in (first, second):
        assert re.fullmatch(r"model_url[0-9a-f]{16}\.pth", name)
        assert hash_in_name(name) is None  # nobody takes the digits for the file's hash
    same = Wanted("model.pth", ("https://host/a/model.pth", "https://mirror/model.pth"))
    assert same.cache_name == first


urls = st.from_regex(r"https://host/[ab]{1,2}/(model|my-model)\.pth(\?id=[12])?", fullmatch=True)
hashes = st.sampled_from([None, "385941af", FULL, "ab" * 32])


@given(urls, hashes, urls, hashes)
def test_two_files_never_have_one_name(url, sha256, other_url, other_sha256):
    def wanted(url, sha256):
        return Wanted(url.split("?")[0].rsplit("/", 1)[-1], (url,), sha256)

    one, other = wanted(url, sha256), wanted(other_url, other_sha256)
    if one.cache_name == other.cache_name:
        assert one.published == other.published
        assert one.published or one.urls == other.urls


@given(urls, hashes)
def test_a_password_does_not_change_the_name_and_a_user_does(url, sha256):
    def name(user):
        return Wanted("m.pth", (url.replace("://", f"://{user}@"),), sha256).cache_name

    assert name("me:one") == name("me:other") == name("me")
    assert (name("me") == name("you")) is (sha256 is not None)


def test_the_identity_of_a_source():
    assert source_id("https://host/a.pth") == "https://host/a.pth"
    assert source_id("/folder/a.pth") == "/folder/a.pth"
    one, other = (source_id(f"https://me:pw@host/a.pth?token={t}") for t in "12")
    assert one != other
    assert one.startswith("https://host/a.pth#")
    assert not {"me:pw", "token"} & {word for word in ("me:pw", "token") if word in one}
