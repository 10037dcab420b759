"""Tars whose headers are made to take time or memory: one error, at once."""

import tarfile

import pytest

from tests.support import drawing
from vanbench.data.layouts.tar_members import read_members
from vanbench.errors import DataError


def header(name, size=0, kind=tarfile.REGTYPE, raw_size=None):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    if raw_size is not None:
        block[124:136] = raw_size
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


def padded(content):
    return content + bytes(-len(content) % 512)


def record(key, value):
    """A record of a pax header, which begins with its own length."""
    rest = b" %s=%s\n" % (key, value)
    length = next(n for n in range(len(rest), len(rest) + 9) if n == len(rest) + len(str(n)))
    return str(length).encode() + rest


def pax(*records, kind=tarfile.XHDTYPE):
    content = b"".join(records)
    return header("pax", len(content), kind) + padded(content)


SOUND = header("a.jpg", 5) + padded(b"hello")
MANY = [record(b"k%d" % i, b"v") for i in range(2000)]
BAD = {
    "negative size": header("b.jpg", raw_size=b"\xff" * 10 + b"\xfe\x00"),
    "negative size in a pax header": pax(record(b"size", b"-5120")) + SOUND,
    "huge size": header("b.jpg", raw_size=b"\x80" + b"\xff" * 11),
    "a name of gigabytes": header("././@LongLink", 3 << 30, tarfile.GNUTYPE_LONGNAME),
    "a pax header of gigabytes": header("pax", 3 << 30, tarfile.XHDTYPE),
    "digits": pax(b"1" * (1 << 18)),
    "pax headers of pax headers": pax(record(b"path", b"b")) * 3000,
    "names of names": (header("././@LongLink", 3, tarfile.GNUTYPE_LONGNAME) + padded(b"ab\0"))
    * 3000,
    "headers for every member": pax(*MANY, kind=tarfile.XGLTYPE) + SOUND,
    "a sparse map without end": pax(
        record(b"GNU.sparse.major", b"1"), record(b"GNU.sparse.minor", b"0")
    )
    + header("b.jpg", 4 << 20)
    + b"9" * (4 << 20),
}


@pytest.mark.parametrize("kind", BAD)
def test_headers_that_would_take_time_or_memory_are_an_error(kind, tmp_path):
    path = tmp_path / "val.tar"
    with path.open("wb") as file:
        file.write(SOUND + BAD[kind] + bytes(4096))
        file.truncate(4 << 30 if "gigabytes" in kind else file.tell())
    expected = "expected a complete, uncompressed tar archive"
    if "negative" in kind:  # which newer versions of tarfile refuse themselves
        expected += "|the archive has a damaged header at byte 1,024"
    with pytest.raises(DataError, match=rf"val.tar: ({expected})"):
        read_members(path)


def test_many_members_without_content_are_sound(tmp_path):
    path = tmp_path / "val.tar"
    path.write_bytes(header("d/", 0, tarfile.DIRTYPE) * 5000 + SOUND + bytes(10240))
    members = read_members(path)
    assert [(m.name, m.size) for m in members.files] == [("a.jpg", 5)]
    assert members.findings == []


def test_terabytes_of_zeros_that_are_not_stored_are_skipped(tmp_path):
    path = tmp_path / "val.tar"
    with path.open("wb") as file:
        file.write(SOUND)
        file.truncate(4 << 40)
    assert len(read_members(path).files) == 1


def test_a_name_that_is_a_format_string_is_only_a_name(tmp_path):
    path = tmp_path / "{n}{0.__class__}{a|b}.tar"
    path.write_bytes(SOUND + header("l", 0, tarfile.SYMTYPE) + bytes(10240))
    (link,) = read_members(path).findings
    assert link.message == "1 link or special file is left out, in {n}{0.__class__}{a|b}.tar"


def test_a_member_that_is_larger_than_an_image_can_be_is_unreadable(tmp_path):
    from vanbench.data.inspect import inspect
    from vanbench.data.open import open_images

    path = tmp_path / "val.tar"
    big = drawing.imagenet_1k()[0] + "/big.JPEG"
    with path.open("wb") as file:
        file.write(header(big, 3 << 30))
        file.truncate((3 << 30) + 512 + 10240)
    (fault,) = inspect(open_images(path, drawing.imagenet_1k())).faults
    assert "expected at most 268,435,455 bytes, found 3,221,225,472" in str(fault)
