"""WebDataset shards: tars in which the files of one sample share the name before the first dot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vanbench.data.layouts.classes import resolve_classes
from vanbench.data.layouts.images import ImageSet, Item, arrange, is_image, is_stray
from vanbench.data.layouts.tar_members import Member, Place, Slices, read_members, slices
from vanbench.data.summary import finding
from vanbench.errors import DataError
from vanbench.outside.json_text import parse_json

MemberPlaces = dict[str, Place]  # a member's place, by its suffix
MOST_CLASS, MOST_JSON = 4096, 1 << 24  # bytes of a sample's .cls and .json
LABEL_KEYS = ("wnid", "synset", "class_id", "label", "cls")  # in a sample's JSON, best first


def open_shards(shards: Sequence[Path], class_ids: tuple[str, ...]) -> ImageSet | None:
    """The set in WebDataset shards, or None if their samples have no ``.cls`` or ``.json``."""
    members = [read_members(shard) for shard in shards]
    samples = {
        name: sample
        for which, shard in enumerate(shards)
        for name, sample in _samples(which, shard, members[which].files).items()
    }
    suffixes = {name: _image_suffix(sample) for name, sample in samples.items()}
    pictured = {name: sample for name, sample in samples.items() if suffixes[name]}
    if not any(".cls" in sample or ".json" in sample for sample in pictured.values()):
        return None
    texts = {name: _class_text(shards, sample) for name, sample in pictured.items()}
    written = {name: text for name, text in texts.items() if text is not None}
    labels = resolve_classes(shards[0], written, class_ids)
    items = [
        Item(name + suffixes[name], labels.of[name], sample[suffixes[name]])
        for name, sample in pictured.items()
        if name in labels.of
    ]
    no_class = [name for name, text in texts.items() if text is None]
    no_image = [name for name, sample in samples.items() if not suffixes[name] and ".cls" in sample]
    return arrange(
        items,
        slices(shards),
        layout="WebDataset shards",
        path=shards[0].parent,
        class_ids=class_ids,
        findings=[
            *(found for shard in members for found in shard.findings),
            *labels.findings,
            *finding(
                "unlabelled",
                no_class,
                "{n} {image is|images are} left out: the sample has no class",
            ),
            *finding(
                "incomplete", no_image, "{n} {sample is|samples are} left out, without an image"
            ),
        ],
    )


def _samples(which: int, shard: Path, members: Sequence[Member]) -> dict[str, MemberPlaces]:
    """The samples of a shard by name, which is the shard's and what their members share."""
    samples: dict[str, MemberPlaces] = {}
    for member in members:
        folder, _, base = member.name.rpartition("/")
        key, dot, suffix = base.partition(".")
        if key and not is_stray(base):
            name = "/".join(part for part in (shard.name, folder.strip("./"), key) if part)
            sample = samples.setdefault(name, {})
            if dot + suffix in sample:
                raise DataError(
                    f"expected one {member.name}, found two: samples share a name",
                    where=shard,
                    remedy="Write the shard again with a name of its own for each sample.",
                )
            sample[dot + suffix] = (which, member.offset, member.size)
    return samples


def _image_suffix(sample: Mapping[str, Place]) -> str:
    return next((suffix for suffix in sample if is_image("x" + suffix)), "")


def _class_text(shards: Sequence[Path], sample: Mapping[str, Place]) -> str | None:
    """The class of a sample as written: a class id or an index; None if it has none."""
    if ".cls" in sample:
        content = _content(shards, sample[".cls"], MOST_CLASS)
        return content.decode("utf-8", errors="replace").strip()
    if ".json" not in sample:
        return None
    content = _content(shards, sample[".json"], MOST_JSON)
    try:
        document: Any = parse_json(content, where=None, error=DataError, strict=False)
    except DataError:
        return None
    if not isinstance(document, dict):
        return None
    return next((str(document[key]) for key in LABEL_KEYS if document.get(key) is not None), None)


def _content(shards: Sequence[Path], place: Place, most: int) -> bytes:
    """The bytes of a member; DataError if there are more than ``most``, or fewer than it says."""
    which, offset, size = place
    if size > most:
        raise DataError(
            f"expected at most {most:,} bytes of a sample's class, found {size:,} at byte "
            f"{offset:,}",
            where=shards[which],
            remedy="Write the shard again.",
        )
    try:
        return Slices(shards, [place]).read(0)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise DataError(problem, where=shards[which]) from error
