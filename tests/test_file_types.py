"""What a file is by its first bytes."""

import pytest

from vanbench.file_types import (
    LEGACY_MAGIC,
    describe_bytes,
    is_legacy_torch,
    is_page,
    is_safetensors,
    is_zip,
    page_title,
)

HEADS = {
    "zip": b"PK\x03\x04....",
    "legacy": LEGACY_MAGIC + b"...",
    "safetensors": b"\x10\0\0\0\0\0\0\0{}",
    "page": b"<!DOCTYPE html><title>Sign in</title>",
    "other": b"\x80\x02}q\x00.",
}


@pytest.mark.parametrize("kind", HEADS)
def test_each_kind_is_recognised_by_one_test_only(kind):
    head = HEADS[kind]
    found = {
        "zip": is_zip(head),
        "legacy": is_legacy_torch(head),
        "safetensors": is_safetensors(head),
        "page": is_page(head),
    }
    assert [name for name, yes in found.items() if yes] == ([] if kind == "other" else [kind])


@pytest.mark.parametrize(
    ("head", "description"),
    [
        (b"", "nothing (it is empty)"),
        (HEADS["zip"], "a zip archive, as PyTorch writes since 1.6"),
        (HEADS["legacy"], "a legacy PyTorch file"),
        (HEADS["safetensors"], "a safetensors file"),
        (HEADS["page"], 'an HTML or XML page ("Sign in")'),
        (b"  \n<html><body>", "an HTML or XML page"),
        (b"\xef\xbb\xbf\n<?xml?><Error><Code>NoSuchKey</Code>", 'an HTML or XML page ("NoSuchKey")'),
        (b"\x1f\x8b\x08", "gzip-compressed data"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer, not the file it points to"),
        (HEADS["other"], "a pickle"),
        (bytes(600), "zero bytes"),
        (b"hello", "the bytes b'hello'"),
    ],
)  # fmt: skip
def test_a_description_of_the_first_bytes(head, description):
    assert describe_bytes(head) == description


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (b"<html><title> Sign\n &amp; in </title>", "Sign & in"),
        (b"<html><h1>Not <b>here</b></h1>", "Not here"),
        (b"<html><title></title>", None),
        (b"<html>", None),
        (b"<title>" + b"x" * 200 + b"</title>", "x" * 99 + "…"),
        (b"<title>\x1b[31mred</title>", "\\x1b[31mred"),
    ],
)
def test_the_title_of_a_page(page, title):
    assert page_title(page) == title
