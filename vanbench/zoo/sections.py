"""The tables inside a zoo file: counting, protocol, architecture, reported figures, errata."""

from dataclasses import replace

from vanbench.conventions import COUNTERS, PARAM_CONVENTIONS, TITLES, TORCHVISION_CONVENTIONS
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.limits import CLASSES, DEPTH, DIM, RATIO, SIDE, TORCHVISION_SIDE, excess
from vanbench.model.torchvision_architecture import (
    LIBRARY,
    NAMES,
    AnyArchitecture,
    TorchvisionArchitecture,
)
from vanbench.outside.safe_text import is_plain
from vanbench.zoo.entries import AccuracyClaims, Claims, Counting, Erratum, EvaluationProtocol
from vanbench.zoo.names import LONGEST_NAME
from vanbench.zoo.other_sets import OTHER_SETS
from vanbench.zoo.reported import Reported
from vanbench.zoo.toml_table import Table

INTERPOLATIONS = ("bicubic", "bilinear")
SHORTEST_SIDE = 32  # of an input, in pixels
LONGEST_REASON = 2000
MOST_PIXEL = 1000  # of a mean or a standard deviation on the scale from 0 to 255
LEAST_STD = 1e-6


def read_protocol(table: Table, default: EvaluationProtocol) -> EvaluationProtocol:
    """The protocol of a table; ``default`` where it says nothing."""
    protocol = EvaluationProtocol(
        exif_orientation=table.get(
            "exif_orientation", bool, "true or false", default.exif_orientation
        ),
        resize_short_edge=table.length("resize_short_edge", default.resize_short_edge, most=SIDE),
        interpolation=table.one_of("interpolation", INTERPOLATIONS, default.interpolation),
        center_crop=table.length("center_crop", default.center_crop, SHORTEST_SIDE, SIDE),
        mean=table.numbers("mean", (int, float), 3, list(default.mean), least=0, most=MOST_PIXEL),
        std=table.numbers(
            "std", (int, float), 3, list(default.std), least=LEAST_STD, most=MOST_PIXEL
        ),
        classes=_read_classes(table, default.classes),
    )
    table.done()
    if protocol.resize_short_edge < protocol.center_crop:
        raise table.fail("resize_short_edge", "at least center_crop", protocol.resize_short_edge)
    return protocol


def _read_classes(table: Table, default: str | tuple[str, ...]) -> str | tuple[str, ...]:
    expected = (
        f"imagenet-1k or a list of at most {CLASSES:,} distinct class ids, each of at most "
        f"{LONGEST_NAME} visible characters"
    )
    classes = table.get("classes", (str, list), expected, default)
    if classes == default or classes == "imagenet-1k":
        return classes
    sound = isinstance(classes, list) and all(
        isinstance(c, str) and 0 < len(c) <= LONGEST_NAME and is_plain(c) for c in classes
    )
    if not sound or len(set(classes)) != len(classes) or len(classes) > CLASSES:
        raise table.fail("classes", expected, classes)
    return tuple(classes)


def read_counting(table: Table, default: Counting) -> Counting:
    """How the source counted; ``default`` where the table says nothing."""
    counting = Counting(
        convention=table.one_of("convention", tuple(TITLES), default.convention),
        resolution=table.length("resolution", default.resolution, SHORTEST_SIDE, SIDE),
        num_classes=table.length("num_classes", default.num_classes, most=CLASSES),
        params=table.one_of("params", tuple(PARAM_CONVENTIONS), default.params),
    )
    table.done()
    return counting


def any_architecture(table: Table, key: str, counting: Counting) -> AnyArchitecture:
    """A model of torchvision, or a VAN as ``declared_architecture`` reads it."""
    value = table.data.get(key)
    if isinstance(value, dict) and LIBRARY in value:
        table.seen.add(key)
        return _read_torchvision(table.table(key), counting)
    return declared_architecture(table, key, counting)


def with_known_convention(
    table: Table, counting: Counting, architecture: AnyArchitecture
) -> Counting:
    """The counting of a model, under a convention that such a network is counted under.

    A convention of the whole file holds for the networks that it is for; others have the first of
    theirs. ZooError where the model's own table names one of other networks.
    """
    of_torchvision = isinstance(architecture, TorchvisionArchitecture)
    known = TORCHVISION_CONVENTIONS if of_torchvision else COUNTERS
    if counting.convention in known:
        return counting
    if "convention" in table.data.get("counting", {}):
        what = "a model of torchvision" if of_torchvision else "a VAN"
        expected = f"one of {', '.join(known)} for {what}"
        raise table.table("counting").fail("convention", expected, counting.convention)
    return replace(counting, convention=next(iter(known)))


def _read_torchvision(table: Table, counting: Counting) -> TorchvisionArchitecture:
    """``{ torchvision = "resnet50" }``; a ViT may have an ``image_size``."""
    name = table.one_of(LIBRARY, NAMES, "")
    found = TorchvisionArchitecture(name, counting.num_classes)
    if "image_size" in table.data:
        if not found.has_image_size:
            expected = "no image_size, which only a ViT has"
            raise table.fail("image_size", expected, table.data["image_size"])
        side = table.length("image_size", None, SHORTEST_SIDE, TORCHVISION_SIDE)
        found = replace(found, image_size=side)
    table.done()
    if why := excess(found, counting.resolution):
        raise table.too_large(LIBRARY, why)
    return found


def declared_architecture(table: Table, key: str, counting: Counting) -> Architecture:
    """A published architecture or one of four numbers each; ZooError if it is too large."""
    expected = "a published name or a table of embed_dims, depths, mlp_ratios"
    value = table.get(key, (str, dict), expected)
    if isinstance(value, dict):
        found = _read_numbers(table.table(key))
    elif value in ARCHITECTURES:
        found = ARCHITECTURES[value]
    else:
        raise table.fail(key, f"one of {', '.join(ARCHITECTURES)}, or a table", value)
    architecture = replace(found, num_classes=counting.num_classes)
    if why := excess(architecture, counting.resolution):
        raise table.too_large(key, why)
    return architecture


def _read_numbers(table: Table) -> Architecture:
    architecture = Architecture(
        embed_dims=table.numbers("embed_dims", int, 4, most=DIM),
        depths=table.numbers("depths", int, 4, most=DEPTH),
        mlp_ratios=table.numbers("mlp_ratios", int, 4, [8, 8, 4, 4], most=RATIO),
    )
    table.done()
    return architecture


def read_claims(table: Table) -> Claims:
    """The published figures of a table."""
    found = {key: _read_figure(table, key) for key in ("params_m", "flops_g", "top1", "top5")}
    others = {key: _read_accuracies(table.table(key)) for key in OTHER_SETS if key in table.data}
    table.done()
    return Claims(**found, other_sets=others)


def _read_accuracies(table: Table) -> AccuracyClaims:
    found = AccuracyClaims(_read_figure(table, "top1"), _read_figure(table, "top5"))
    table.done()
    return found


def _read_figure(table: Table, key: str) -> Reported | None:
    expected = 'the figure as printed, as text in plain digits, such as "82.80"'
    text = table.get(key, str, expected, None)
    if text is None:
        return None
    try:
        figure = Reported(text)
    except ValueError:
        raise table.fail(key, expected, text) from None
    if key in ("top1", "top5") and figure.value > 100:
        raise table.fail(key, "a percentage from 0 to 100", text)
    return figure


def read_erratum(table: Table, counting: Counting) -> Erratum | None:
    """The erratum of a model, None if it has none."""
    if table.get("erratum", dict, "a table", None) is None:
        return None
    erratum = table.table("erratum")
    architecture = None
    if "reported_architecture" in erratum.data:
        architecture = declared_architecture(erratum, "reported_architecture", counting)
    corrected = read_claims(erratum.table("corrected"))
    reason = erratum.text("reason", most=LONGEST_REASON, multiline=True).strip()
    erratum.done()
    return Erratum(corrected, reason, architecture)
