"""Tar archives read in place: member offsets are listed once, then images are read by offset."""

import tarfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from vanbench.data.layouts.classes import labels_by_id
from vanbench.data.layouts.flat import compare_with_list, labelled
from vanbench.data.layouts.images import ImageSet, Item, Source, arrange, is_image, is_stray
from vanbench.data.layouts.labels import find_labels
from vanbench.data.summary import Finding, finding
from vanbench.errors import DataError

Place = tuple[int, int, int]  # which file, offset, size

BLOCK, RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE
END_MARKER = 2 * BLOCK  # zeros
CHUNK = 1 << 20

COPY_AGAIN = "Copy or download it again."


@dataclass(frozen=True)
class Slices:
    """Images that are byte ranges of larger files."""

    paths: Sequence[Path]
    places: Sequence[Place]

    def read(self, index: int) -> bytes:
        which, offset, size = self.places[index]
        with open(self.paths[which], "rb", buffering=0) as file:
            file.seek(offset)
            content = file.read(size)
        if len(content) < size:
            raise OSError(f"{self.paths[which].name} ends early")
        return content

    def position(self, index: int) -> Place:
        return self.places[index]


def slices(paths: Sequence[Path]) -> Callable[[Sequence[Place]], Source]:
    """What makes a source of byte ranges of ``paths``."""
    return partial(Slices, paths)


@dataclass(frozen=True)
class Member:
    """A regular file in a tar."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Members:
    """The regular files in a tar, and what is wrong or worth a note."""

    files: Sequence[Member]
    findings: Sequence[Finding]


def read_members(path: Path) -> Members:
    """The content of an uncompressed tar; DataError where GNU tar reports an error.

    Links, devices and sparse files cannot be read by their offset: they are findings.
    """
    files, special = [], []
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isreg() and not member.issparse():
                    files.append(Member(member.name, member.offset_data, member.size))
                elif not member.isdir() and not _is_hidden(member.name):
                    special.append(member.name)
            end = archive.offset
        with path.open("rb") as file:
            after = _check_end(file, path, end)
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise DataError(
            f"expected a complete, uncompressed tar archive, and it cannot be read: {error}",
            where=path,
            remedy=f"{COPY_AGAIN} Decompress a compressed archive first.",
        ) from error
    text = f"{{n}} entries of {path.name} are left out: they are links or special files"
    return Members(files, [*finding("link", special, text), *after])


def _check_end(file: IO[bytes], path: Path, offset: int) -> list[Finding]:
    """Findings about the end of a tar, whose last member ends at ``offset``.

    DataError if something else is there than the end marker, or if more data follow it. What is
    in the same record as the marker is ignored, as GNU tar does.
    """
    file.seek(offset)
    marker = file.read(END_MARKER)
    header = marker[:BLOCK]
    if not header:
        text = f"{path.name} has no end marker: files may be missing at its end"
        return [Finding("no end", 1, (), text)]
    if len(header) < BLOCK:
        raise DataError("the archive ends in the middle of a header", where=path, remedy=COPY_AGAIN)
    if any(header):
        problem = f"the archive has a damaged header at byte {offset:,}"
        raise DataError(problem, where=path, remedy=COPY_AGAIN)
    if any(marker):
        problem = f"the archive has a zero block in the middle, at byte {offset:,}"
        raise DataError(problem, where=path, remedy=COPY_AGAIN)
    next_record = -(-(offset + END_MARKER) // RECORD) * RECORD
    rest_of_record = file.read(next_record - offset - END_MARKER)
    while chunk := file.read(CHUNK):
        if any(chunk):
            raise DataError(
                f"the archive has more data after its end at byte {offset:,}",
                where=path,
                remedy="If archives were joined with cat, give each of them by itself, or join "
                "them with tar --concatenate. Otherwise copy or download it again.",
            )
    text = f"{path.name} has data after its end marker, which are ignored"
    return [Finding("after the end", 1, (), text, fault=False)] if any(rest_of_record) else []


def open_tar(path: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    """The images of one tar, labelled by the folders in it or by a list near it, else None."""
    members = read_members(path)
    found = [(m.name.removeprefix("./"), (0, m.offset, m.size)) for m in members.files]
    images = [(name, place) for name, place in found if is_image(name) and not _is_hidden(name)]
    names = [name for name, _ in images]
    findings = [*members.findings, *_notes(path, [name for name, _ in found], names)]
    label_of = labels_by_id(class_ids)
    build = partial(arrange, make_source=slices([path]), path=path, class_ids=class_ids)
    in_classes = [
        Item(name, label_of[folder], place)
        for name, place in images
        if (folder := PurePosixPath(name).parent.name) in label_of
    ]
    if in_classes:
        kept = {item.name for item in in_classes}
        lost = [name for name in names if name not in kept]
        text = "{n} images are left out: they are in folders not named after a known class id"
        findings += finding("unknown class", lost, text)
        return build(in_classes, layout="tar of class folders", findings=findings)
    labels = find_labels(path.parent, names, class_ids)
    if labels is None:
        return None
    findings += compare_with_list(names, labels)
    return build(labelled(images, labels), layout=f"tar with {labels.path.name}", findings=findings)


def _notes(path: Path, names: Sequence[str], images: Sequence[str]) -> list[Finding]:
    """Findings about files in a tar that are not read, and about images that are in it twice."""
    hidden = [name for name in names if _is_hidden(name)]
    others = {*names} - {*images} - {*hidden}
    repeated = [name for name, count in Counter(images).items() if count > 1]
    return [
        *finding("ignored", hidden, "{n} hidden or stray files are ignored", fault=False),
        *finding("ignored", others, "{n} files that are not images are ignored", fault=False),
        *finding("repeated", repeated, f"{{n}} images are in {path.name} more than once"),
    ]


def _is_hidden(name: str) -> bool:
    return any(is_stray(part) for part in PurePosixPath(name.removeprefix("./")).parts)
