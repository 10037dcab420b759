"""Decoded images on disk, so that another validation need not decode them.

A crop belongs to an image by its content, the SHA-256 of the encoded file, and to all that decides
its pixels: a folder of crops has the pixel part of one protocol, one decoder, one version of the
code. So the order and layout of a data set, its labels and its other images do not matter.

Crops are stored as images are decoded. A crop that is missing or damaged is decoded again.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from vanbench.data.crop_files import SUFFIX, CropKind, CropReader, CropWriter, crops_in
from vanbench.data.summary import DecoderReport
from vanbench.errors import DataError, VanbenchError
from vanbench.files import write_atomically
from vanbench.outside.json_text import read_json
from vanbench.progress import size_of
from vanbench.typed_json import Json, to_json
from vanbench.zoo.entries import EvaluationProtocol

PIXELS_VERSION = 1
"""Raised by one with every change of the code after which a pixel can be another number, or after
which files of crops have another form.

``tests/data/test_pixel_cache.py`` fails when the code from an encoded image to its crop differs
from the code that this version stands for.
"""

ABOUT = "about.json"  # what decides the pixels of the crops in a folder
NOT_PIXELS = ("mean", "std", "classes")  # of a protocol: what the pixels do not depend on

_MOST_ABOUT = 1 << 16  # bytes
_REMEDY = "Choose another folder with --cache-images, or run without it."

Place = tuple[int, int]
"""Where a crop is: the number of its file, and the slot."""


class PixelCache:
    """The crops of a run's images that are on disk, and a place for those that are not.

    It can be pickled, and used in processes that were forked: each opens the files for itself, in
    one thread. ``unwritable`` is why no crops can be stored, ``failure`` why this process cannot
    store any more; empty if it can.
    """

    def __init__(
        self,
        kind: CropKind,
        folder: Path,
        files: Sequence[Path],
        places: Mapping[str, Sequence[Place]],
        unwritable: str,
    ):
        self.folder, self.unwritable = folder, unwritable
        self._kind, self._files, self._places = kind, files, places
        self._start()

    def _start(self) -> None:
        """Begin in this process, without the files that another one has open."""
        self._process = os.getpid()
        self._reader = CropReader(self._kind)
        self._writer = CropWriter(self._kind, self.folder)
        self._written: set[str] = set()
        self.failure = ""

    def __getstate__(self) -> dict[str, Any]:
        opened = ("_reader", "_writer", "_written")
        return {name: value for name, value in self.__dict__.items() if name not in opened}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __contains__(self, sha256: str) -> bool:
        """Whether the image's crop was there when the cache was opened; it may be damaged."""
        return sha256 in self._places

    def announce(self, images: Collection[str], on_note: Callable[[str], None]) -> None:
        """Say what is going to be written for the images with these SHA-256 (hex).

        VanbenchError if the disk has not enough space for it.
        """
        there = sum(sha256 in self for sha256 in set(images))
        missing, parent = len(set(images)) - there, self.folder.parent
        if missing and self.unwritable:
            on_note(
                f"{parent} cannot be written ({self.unwritable}): the {there:,} decoded images in "
                f"it are used, the other {missing:,} are decoded in every run."
            )
        elif missing:
            needed = self._kind.bytes_of(missing)
            _check_space(parent, needed, missing)
            on_note(
                f"Decoded images are kept in {parent}: {there:,} of {there + missing:,} are there, "
                f"the rest takes {size_of(needed)}."
            )
            for other in _of_the_same_protocol(self.folder):
                on_note(
                    f"{other} is of another decoder or version and is not used. Delete it if no "
                    "other machine needs it."
                )

    def read(self, sha256: str) -> Tensor | None:
        """The image's crop, uint8 (3, side, side); None if it is not there or damaged."""
        self._here()
        for number, slot in self._places.get(sha256, ()):
            with suppress(OSError):  # the file is gone, or its disk fails
                pixels = self._reader.read(self._files[number], slot, sha256)
                if pixels is not None:
                    return pixels
        return None

    def write(self, sha256: str, pixels: Tensor) -> None:
        """Store the image's crop, uint8 (3, side, side); nothing after the first failure."""
        self._here()
        if self.unwritable or self.failure or sha256 in self._written:
            return
        try:
            self._writer.write(sha256, pixels)
        except OSError as error:
            self.failure = error.strerror or str(error)
        self._written.add(sha256)

    def read_only(self) -> "PixelCache":
        """The same crops, without a place for others."""
        return PixelCache(self._kind, self.folder, self._files, self._places, "opened to be read")

    def close(self) -> None:
        """Close the files that this process has open."""
        self._here()
        self._reader.close()
        self._writer.close()

    def _here(self) -> None:
        if self._process != os.getpid():
            self._start()


def open_pixel_cache(
    folder: Path,
    images: Collection[str],
    protocol: EvaluationProtocol,
    decoder: DecoderReport,
    on_note: Callable[[str], None],
) -> PixelCache:
    """The crops in ``folder`` of the images with these SHA-256 (hex), under this protocol.

    ``on_note`` is told of files that are not used. VanbenchError if the folder cannot be made; one
    that exists and cannot be written is used as it is.
    """
    about = about_crops(protocol, decoder)
    identity = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    kind = CropKind(identity, protocol.center_crop)
    crops = folder / f"crops-{kind.side}-{identity[:16]}"
    unwritable = _why_not_writable(crops, about)
    files, places = _stored(crops, kind, set(images), on_note)
    return PixelCache(kind, crops, files, places, unwritable)


def about_crops(protocol: EvaluationProtocol, decoder: DecoderReport) -> Json:
    """All that decides the pixels of a crop, besides the image."""
    steps = {name: v for name, v in to_json(protocol).items() if name not in NOT_PIXELS}
    differences = {kind: to_json(found) for kind, found in decoder.differences.items()}
    return {
        "pixels_version": PIXELS_VERSION,
        "protocol": steps,
        "decoder": {"libraries": dict(decoder.libraries), "differences": differences},
    }


def _why_not_writable(crops: Path, about: Json) -> str:
    """Make the folder of the crops; if it cannot be written, the reason."""
    try:
        crops.mkdir(parents=True, exist_ok=True)
        if not (crops / ABOUT).exists():
            write_atomically(crops / ABOUT, json.dumps(about, indent=1) + "\n")
        with tempfile.TemporaryFile(dir=crops):
            return ""
    except OSError as error:
        reason = error.strerror or str(error)
        if not crops.parent.is_dir():
            problem = f"the folder for decoded images cannot be made: {reason}"
            raise VanbenchError(problem, where=crops.parent, remedy=_REMEDY) from error
        return reason


def _stored(
    crops: Path, kind: CropKind, images: Set[str], on_note: Callable[[str], None]
) -> tuple[list[Path], dict[str, list[Place]]]:
    """The files of crops, and where in them those of ``images`` are."""
    files = sorted(crops.glob(f"*{SUFFIX}"))
    places: dict[str, list[Place]] = {}
    for number, path in enumerate(files):
        try:
            found = crops_in(path, kind)
        except (DataError, OSError) as error:
            reason = error.problem if isinstance(error, DataError) else error.strerror or error
            on_note(f"{path} is not used ({reason}). Delete it.")
            continue
        for sha256 in images & found.keys():
            places.setdefault(sha256, []).append((number, found[sha256]))
    return files, places


def _check_space(folder: Path, needed: int, images: int) -> None:
    """VanbenchError if the disk has less free space than the crops need."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise VanbenchError(
            f"expected {size_of(needed)} of free disk space for {images:,} decoded images, found "
            f"{size_of(free)}",
            where=folder,
            remedy=f"Free disk space. {_REMEDY}",
            cause="not enough disk space for decoded images",
        )


def _of_the_same_protocol(crops: Path) -> Iterator[Path]:
    """The folders beside this one whose crops only a decoder or version tells from its own."""
    abouts = {path.parent: _about(path) for path in sorted(crops.parent.glob(f"crops-*/{ABOUT}"))}
    own = abouts.pop(crops, {}).get("protocol")
    return (folder for folder, about in abouts.items() if own and about.get("protocol") == own)


def _about(path: Path) -> Json:
    """What a folder of crops says about itself; empty where that is damaged."""
    with suppress(DataError):
        found = read_json(path, most=_MOST_ABOUT, error=DataError)
        if isinstance(found, dict):
            return found
    return {}
