"""A tar of images with their labels: in class folders inside it, or in a list near it."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from vanbench.data.layouts.classes import labels_by_id
from vanbench.data.layouts.flat import compare_with_list, labelled
from vanbench.data.layouts.folders import LAYOUT, NUMBERED
from vanbench.data.layouts.images import ImageSet, Item, arrange, is_image
from vanbench.data.layouts.labels import find_labels
from vanbench.data.layouts.other_sets import numbered_labels, v2_variant
from vanbench.data.layouts.tar_members import is_hidden, read_members, slices
from vanbench.data.summary import Finding, finding
from vanbench.zoo.class_ids import imagenet_1k


def open_tar(path: Path, class_ids: tuple[str, ...]) -> ImageSet | None:
    """The images of one tar, labelled by the folders in it or by a list near it, else None."""
    members = read_members(path)
    found = [(m.name.removeprefix("./"), (0, m.offset, m.size)) for m in members.files]
    images = [(name, place) for name, place in found if is_image(name) and not is_hidden(name)]
    names = [name for name, _ in images]
    findings = [*members.findings, *_notes(path, [name for name, _ in found], names)]
    variant = _v2_variant(path, names, class_ids)
    label_of = labels_by_id(class_ids) | (numbered_labels() if variant else {})
    build = partial(arrange, make_source=slices([path]), path=path, class_ids=class_ids)
    in_classes = [
        Item(name, label_of[folder], place)
        for name, place in images
        if (folder := PurePosixPath(name).parent.name) in label_of
    ]
    if in_classes:
        kept = {item.name for item in in_classes}
        lost = [name for name in names if name not in kept]
        text = "{n} {image is|images are} left out: the folder is not named after a known class id"
        findings += finding("unknown class", lost, text)
        numbered = variant and PurePosixPath(in_classes[0].name).parent.name.isdecimal()
        layout = f"tar of {NUMBERED if numbered else LAYOUT}"
        return build(in_classes, layout=layout, findings=findings, other_set=variant)
    labels = find_labels(path.parent, names, class_ids)
    if labels is None:
        return None
    findings += compare_with_list(names, labels)
    return build(labelled(images, labels), layout=f"tar with {labels.path.name}", findings=findings)


def _v2_variant(path: Path, names: Sequence[str], class_ids: tuple[str, ...]) -> str | None:
    """The variant of ImageNet-V2 that the archive's name and the folder in it show, if any."""
    if class_ids != imagenet_1k() or not names:
        return None
    return v2_variant(path.name, PurePosixPath(names[0]).parts[0])


def _notes(path: Path, names: Sequence[str], images: Sequence[str]) -> list[Finding]:
    """Findings about files in a tar that are not read, and about images that are in it twice."""
    hidden = [name for name in names if is_hidden(name)]
    others = {*names} - {*images} - {*hidden}
    repeated = [name for name, count in Counter(images).items() if count > 1]
    return [
        *finding("ignored", hidden, "{n} hidden or stray {file is|files are} ignored", fault=False),
        *finding(
            "ignored",
            others,
            "{n} {file that is no image is|files that are no images are} ignored",
            fault=False,
        ),
        *finding(
            "repeated", repeated, f"{{n}} {{image is|images are}} in {path.name} more than once"
        ),
    ]
