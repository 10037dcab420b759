"""WebDataset shards: tars in which the files of one sample share the name before the first dot."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vanbench.data.layouts.archives import Place, Slices, members, slices
from vanbench.data.layouts.images import ImageSet, Item, arrange, is_image, is_stray
from vanbench.data.layouts.labels import resolve_indices
from vanbench.data.summary import Finding, finding
from vanbench.errors import DataError

MemberPlaces = dict[str, Place]  # a member's place, by its suffix in lower case
LABEL_KEYS = ("wnid", "synset", "class_id", "label", "cls")  # in a sample's JSON, best first


def open_shards(shards: Sequence[Path], class_ids: tuple[str, ...]) -> ImageSet | None:
    """The set in WebDataset shards, or None if their samples have no ``.cls`` or ``.json``."""
    samples = {
        name: sample
        for which, shard in enumerate(shards)
        for name, sample in _samples(which, shard).items()
    }
    pictures = {name: _picture(sample) for name, sample in samples.items()}
    samples = {name: sample for name, sample in samples.items() if pictures[name]}
    if not any(".cls" in sample or ".json" in sample for sample in samples.values()):
        return None
    texts = {name: _label(shards, sample) for name, sample in samples.items()}
    labels, findings = _as_labels(shards[0], texts, class_ids)
    items = [
        Item(name + pictures[name], labels[name], sample[pictures[name]])
        for name, sample in samples.items()
        if name in labels
    ]
    bare = [name for name in samples if texts[name] is None]
    text = "{n} images are left out: their samples have no class"
    return arrange(
        items,
        partial(slices, shards),
        layout="WebDataset shards",
        path=shards[0].parent,
        class_ids=class_ids,
        findings=[*findings, *finding("unlabelled", bare, text)],
    )


def _samples(which: int, shard: Path) -> dict[str, MemberPlaces]:
    """The samples of a shard by name: the shard's and what their members share."""
    samples: dict[str, MemberPlaces] = {}
    for name, offset, size in members(shard):
        folder, _, base = name.rpartition("/")
        key, dot, suffix = base.partition(".")
        if key and not is_stray(base):
            whole = "/".join(part for part in (shard.name, folder.strip("./"), key) if part)
            sample = samples.setdefault(whole, {})
            if dot + suffix in sample:
                raise DataError(f"{shard}: expected one {name}, found two: samples share a name.")
            sample[dot + suffix] = (which, offset, size)
    return samples


def _picture(sample: MemberPlaces) -> str:
    return next((suffix for suffix in sample if is_image("x" + suffix)), "")


def _label(shards: Sequence[Path], sample: MemberPlaces) -> str | None:
    """The class of a sample as written: a class id or an index; None if it has none."""
    if ".cls" in sample:
        return _text(shards, sample[".cls"]).strip()
    if ".json" not in sample:
        return None
    try:
        document = json.loads(_text(shards, sample[".json"]))
    except ValueError:
        return None
    found: Iterable[Any] = (document.get(key) for key in LABEL_KEYS)
    return next((str(value) for value in found if value is not None), None)


def _text(shards: Sequence[Path], place: Place) -> str:
    return Slices(shards, [place]).read(0).decode("utf-8", errors="replace")


def _as_labels(
    path: Path, texts: dict[str, str | None], class_ids: tuple[str, ...]
) -> tuple[Mapping[str, int], tuple[Finding, ...]]:
    """The label by sample, and what was found out about their order."""
    written = {name: text for name, text in texts.items() if text is not None}
    label_of = {class_id: label for label, class_id in enumerate(class_ids)}
    if all(text in label_of for text in written.values()):
        return {name: label_of[text] for name, text in written.items()}, ()
    odd = next((f"{n}: {t!r}" for n, t in written.items() if not t.isdecimal()), None)
    if odd is not None:
        raise DataError(
            f"{path}: expected the class of each sample as a known class id or an index; "
            f"found {odd}."
        )
    labels = resolve_indices(path, {n: int(t) for n, t in written.items()}, class_ids)
    return labels.of, labels.findings
