"""Names that become names of files and folders: portable, visible, and not too long."""

import pytest

from vanbench.zoo.names import (
    comparable,
    is_alias,
    is_device,
    is_file_address,
    is_model_name,
    is_zoo_name,
)


@pytest.mark.parametrize(
    "name", ["van_b0.in1k", "van-b0.a.b", "größe.数", "1.2", "a+b.c+d", "x" * 98 + ".b", "a.con"]
)
def test_names_of_models(name):
    assert is_model_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "a", "a.", ".b", "..", "-a.b", "a b.c", "a/b.c", "a\\b.c", "a:b.c", "a.b/../c",
        "a.b\0", "a.\x1b[2J", "a.b\n", "a.\u202eb", "a.\u200bb", "a.\ud800", "a.b\xa0",
        "x" * 99 + ".b", "数" * 40 + ".b", "con.in1k", "NUL.x", "com1.x", "lpt¹.x", "Aux.b.c",
    ],
)  # fmt: skip
def test_what_cannot_name_a_model(name):
    assert not is_model_name(name)


def test_other_names_of_models():
    assert all(map(is_alias, ["van-tiny", "VAN_Tiny.in1k", "größe", "a", "x" * 100]))
    assert not any(
        map(is_alias, ["", "-a", "van tiny", "van/tiny", "van*", "a\n", "\u202ea", "x" * 101])
    )


@pytest.mark.parametrize("name", ["mine", "open-mmlab_2", "größe", "2024", "_a", "console"])
def test_names_of_zoos(name):
    assert is_zoo_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "-", "_", "..", "a.b", "a/b", "a b", "a\n", "a\0", "con", "NUL", "x" * 101, "bench", "Bench", "evidence"],
)  # fmt: skip
def test_what_cannot_name_a_zoo(name):
    assert not is_zoo_name(name)


@pytest.mark.parametrize("name", ["con", "CON.pth", "nul.tar.gz", "com0", "lpt9.x", "prn"])
def test_devices_of_windows(name):
    assert is_device(name)
    assert not is_device(f"a{name}")
    assert not is_device(f"{name.split('.')[0]}a.pth")


@pytest.mark.parametrize(
    "url",
    [
        "https://host/a/van-385941af.pth",
        "https://host/x.pth?token=a/b#c",
        "https://user:password@host:8080/x.pth",
        "http://[::1]:80/x.pth",
        "https://host/folder%2Fx.pth?alt=media",  # a name as it is in the cache
        "https://host/größe.pth",
        "file:///a/my%20weights.pth",
        "file:///a/%E9t%E9.pth",  # not UTF-8
    ],
)
def test_addresses_of_files(url):
    assert is_file_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "https://host", "https://host/", "https://host/a/", "https://host/..", "https://host/.",
        "https://host/a\\b.pth", "https://host/x.pth ", "https://host/x.", "https://host/con.pth",
        "https://host/NUL", "https://host/\x1b[2J.pth", "https://host/\u202ehtp.x",
        "https://host/" + "x" * 201, "https://host/" + "数" * 67,
        "https://host:99999/x.pth", "https://host:a/x.pth", "https://[::1/x.pth",
        "https://[bad/x.pth", "https://\u2100/x.pth",
        "file:///a/%00.pth", "file:///a/b%2Fc.pth", "file:///a/%1B[2J.pth", "file:///a/b%0A.pth",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_file(url):
    assert not is_file_address(url)


@pytest.mark.parametrize(
    ("first", "second"),
    [("VAN-B0.x", "van_b0.x"), ("gr\xf6\xdfe.x", "gro\u0308\xdfe.x"), ("ｖan.x", "van.x")],
)
def test_names_that_a_file_system_may_take_for_one(first, second):
    assert comparable(first) == comparable(second)
