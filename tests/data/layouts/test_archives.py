"""Tars read in place: what GNU tar calls an error is one, and nothing is dropped silently."""

import io
import shutil
import subprocess
import tarfile
from functools import cache

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k
from vanbench.data.inspect import inspect
from vanbench.data.layouts.tar_members import read_members
from vanbench.data.open import open_images
from vanbench.errors import DataError

IDS = imagenet_1k()
SOME = IDS[:3]
BLOCK = 512
MAKERS = {"tar": "imagenet_val.tar", "shard": "imagenet-val-00.tar"}


@pytest.fixture(scope="module")
def nine():
    return drawing.pictures(per_class=3, classes=SOME)


def members_of(kind, pictures):
    if kind == "tar":
        return [(f"{p.wnid}/{p.name}", p.encoded) for p in pictures]
    images = [(f"{p.name[:-5]}.jpg", p.encoded) for p in pictures]
    classes = [(f"{p.name[:-5]}.cls", str(IDS.index(p.wnid)).encode()) for p in pictures]
    return [member for sample in zip(images, classes, strict=True) for member in sample]


@pytest.fixture(params=MAKERS)
def tar(request, nine, tmp_path):
    """A tar of class folders, and a WebDataset shard, with nine images."""
    path = tmp_path / MAKERS[request.param]
    drawing.write_tar(path, members_of(request.param, nine))
    assert len(open_images(path, IDS)) == 9
    return path


def header_of(path, number):
    """The offset of the header of member 0, 1, …"""
    with tarfile.open(path) as archive:
        return archive.getmembers()[number].offset


@cache
def has_gnu_tar():
    """Whether the command ``tar`` is GNU's."""
    if not shutil.which("tar"):
        return False
    done = subprocess.run(["tar", "--version"], capture_output=True, text=True)
    return "GNU tar" in done.stdout


needs_gnu_tar = pytest.mark.skipif(not has_gnu_tar(), reason="needs GNU tar")


def gnu_tar(path):
    """GNU tar's exit status for listing the archive; None without GNU tar."""
    if not has_gnu_tar():
        return None
    return subprocess.run(["tar", "tf", path], capture_output=True).returncode


@pytest.mark.parametrize("place", [0, 100, 124, 150, 156, 257])
@pytest.mark.parametrize("number", [0, 4, 8])
def test_a_flipped_byte_in_a_header_is_an_error(place, number, tar):
    content = bytearray(tar.read_bytes())
    content[header_of(tar, number) + place] ^= 0x04
    tar.write_bytes(content)
    assert gnu_tar(tar) in (2, None)
    with pytest.raises(DataError, match=r"tar: .*(damaged header at byte|cannot be read)"):
        open_images(tar, IDS)


@pytest.mark.parametrize("blocks", [1, 2, 20])
def test_a_header_of_zeros_is_an_error_when_data_follow(blocks, tar):
    content = bytearray(tar.read_bytes())
    start = header_of(tar, 2)
    content[start : start + blocks * BLOCK] = bytes(blocks * BLOCK)
    tar.write_bytes(content)
    with pytest.raises(DataError, match=r"zero block in the middle|more data after its end"):
        open_images(tar, IDS)


@pytest.mark.parametrize("cut", [-900, -600, -100, -1, 1, 300, 511])
def test_a_tar_that_is_cut_in_a_member_is_an_error(cut, tar):
    tar.write_bytes(tar.read_bytes()[: header_of(tar, 8) + cut])
    with pytest.raises(DataError, match=r"tar: .*(cannot be read|ends in the middle)"):
        open_images(tar, IDS)


def test_a_tar_that_is_cut_between_two_members_has_a_fault(tar):
    """GNU tar does not report it."""
    tar.write_bytes(tar.read_bytes()[: header_of(tar, 8)])
    found = inspect(open_images(tar, IDS))
    assert found.verdict == "altered"
    (fault,) = (f for f in found.faults if f.kind == "no end")
    assert f"{tar.name} has no end marker: files may be missing" in str(fault)


def test_two_archives_joined_with_cat_are_an_error(tar, tmp_path):
    content = tar.read_bytes()
    tar.write_bytes(content + content)
    with pytest.raises(DataError, match=r"more data after its end .* --concatenate"):
        open_images(tar, IDS)


def test_data_in_the_last_record_after_the_end_is_noted_only(tar):
    """Old programs leave there what was in their buffer; GNU tar ignores it."""
    content = bytearray(tar.read_bytes())
    assert not any(content[-BLOCK:])
    content[-1] = 7
    tar.write_bytes(content)
    (note,) = (f for f in open_images(tar, IDS).findings if f.kind == "after the end")
    assert (note.count, note.fault) == (1, False)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, b"Z"])
def test_links_and_special_files_are_named_as_a_fault(kind, tar):
    with tarfile.open(tar, "a") as archive:
        link = tarfile.TarInfo(f"{SOME[0]}/linked.JPEG")
        link.type = kind
        link.linkname = archive.getnames()[0] if kind in (tarfile.LNKTYPE, tarfile.SYMTYPE) else ""
        archive.addfile(link)
    images = open_images(tar, IDS)
    assert len(images) == 9
    (fault,) = (f for f in images.findings if f.kind == "link")
    assert (fault.count, fault.fault) == (1, True)
    assert "linked.JPEG" in str(fault)
    assert inspect(images).verdict == "altered"


@needs_gnu_tar
def test_a_sparse_file_is_not_read_at_its_offset(nine, tmp_path):
    """Its bytes in the archive are not those of the file."""
    folder = drawing.class_folders(tmp_path / "val", nine)
    hole = folder / SOME[0] / "hole.JPEG"
    with hole.open("wb") as file:
        file.write(nine[0].encoded)
        file.truncate(1 << 20)
    path = tmp_path / "val.tar"
    subprocess.run(["tar", "-S", "-C", tmp_path, "-cf", path, "val"], check=True)
    images = open_images(path, IDS)
    assert len(images) == 9
    assert [f.kind for f in images.findings if f.fault] == ["link"]


def test_a_name_that_is_twice_in_a_tar_is_a_fault(nine, tmp_path):
    path = tmp_path / "val.tar"
    drawing.write_tar(path, members_of("tar", [*nine, nine[0]]))
    (fault,) = (f for f in open_images(path, IDS).findings if f.kind == "repeated")
    assert fault.fault
    assert nine[0].name in str(fault)


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_sound_tars_of_each_format_have_no_findings(style, nine, tmp_path):
    path = tmp_path / "val.tar"
    with tarfile.open(path, "w", format=style) as archive:
        folder = tarfile.TarInfo("a" * 90)
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for i, p in enumerate(nine):
            info = tarfile.TarInfo(f"{'a' * 90}/é{i}/{p.wnid}/{p.name}")
            info.size = len(p.encoded)
            archive.addfile(info, io.BytesIO(p.encoded))
    images = open_images(path, IDS)
    assert (len(images), images.findings) == (9, ())


@needs_gnu_tar
@pytest.mark.parametrize("style", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_sound_tars_of_gnu_tar_have_no_findings(style, nine, tmp_path):
    drawing.class_folders(tmp_path / "val", nine)
    path = tmp_path / "val.tar"
    command = ["tar", "-C", tmp_path, f"--format={style}", "-cf", path, "val"]
    subprocess.run(command, check=True)
    images = open_images(path, IDS)
    assert (len(images), images.findings) == (9, ())


def test_a_tar_without_padding_after_its_end_is_sound(tar):
    """As libarchive and Go write them: two blocks of zeros, and no full record."""
    content = tar.read_bytes().rstrip(b"\0")
    content += bytes(-len(content) % BLOCK + 2 * BLOCK)
    tar.write_bytes(content)
    assert gnu_tar(tar) in (0, None)
    images = open_images(tar, IDS)
    assert len(images) == 9
    assert images.findings == ()


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_compressed_tar_is_refused_with_what_to_do(mode, nine, tmp_path):
    path = tmp_path / "val.tar"
    drawing.write_tar(path, members_of("tar", nine), mode=mode)
    with pytest.raises(DataError, match=r"uncompressed tar archive.*Decompress"):
        open_images(path, IDS)


def test_members_have_the_place_of_their_bytes(tar):
    content = tar.read_bytes()
    with tarfile.open(tar) as archive:
        wanted = {m.name: archive.extractfile(m).read() for m in archive}
    found = read_members(tar).files
    assert {m.name: content[m.offset : m.offset + m.size] for m in found} == wanted


def test_a_tar_of_class_folders(few, tmp_path):
    members = [(f"val/{p.wnid}/{p.name}", p.encoded) for p in few]
    strays = [("val/._x.JPEG", b"x"), (f"val/{few[0].wnid}/list.txt", b"x")]
    drawing.write_tar(tmp_path / "imagenet_val.tar", [*members, *strays])
    images = open_images(tmp_path, IDS)
    assert images.layout == "tar of class folders"
    assert [IDS[label] for label in images.labels] == [p.wnid for p in few]
    assert [(f.kind, f.examples) for f in images.findings] == [
        ("ignored", ("val/._x.JPEG",)),
        ("ignored", (f"val/{few[0].wnid}/list.txt",)),
    ]
