"""The keys of a zoo file, from which tools/write_schemas.py makes the schema that editors use.

``reader`` and ``sections`` read these keys; tests hold both to the same keys, kinds and limits. An
editor shows the docstring under a key. What no schema can say is left to the reader, such as
whether a network is too large as a whole, or whether two names are alike.
"""

from re import Pattern
from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from vanbench.conventions import PARAM_CONVENTIONS, TITLES
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.limits import CLASSES, DEPTH, DIM, RATIO, SIDE, TORCHVISION_SIDE
from vanbench.model.torchvision_architecture import NAMES
from vanbench.zoo.entries import Counting, EvaluationProtocol
from vanbench.zoo.names import ALIAS, LONGEST_NAME, LONGEST_URL, MODEL, ZOO
from vanbench.zoo.reader import (
    LEAST_EPS,
    LONGEST_CITATION,
    MOST_ALIASES,
    MOST_EPS,
    MOST_MIRRORS,
    MOST_MODELS,
    NO_FILE,
)
from vanbench.zoo.reported import FIGURE
from vanbench.zoo.sections import (
    INTERPOLATIONS,
    LEAST_STD,
    LONGEST_REASON,
    MOST_PIXEL,
    SHORTEST_SIDE,
)
from vanbench.zoo.toml_table import LARGEST_LENGTH, LONGEST_TEXT

_COUNTING, _PROTOCOL = Counting(), EvaluationProtocol()

_LINE = r"^[^\x00-\x1f\x7f]*$"
_FILLED_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
_LINES = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"  # with line feeds and tabs
_SHA256 = r"^[0-9a-f]{8,64}$"
_PERCENTAGE = r"^(?:0{0,12}100(?:\.0{1,15})?|0{0,13}[0-9]{1,2}(?:\.[0-9]{1,15})?)$"


def _all_of(pattern: Pattern[str]) -> str:
    return f"^(?:{pattern.pattern})$"


def _text(most: int = LONGEST_TEXT, pattern: str = _LINE) -> Any:
    return Field(max_length=most, pattern=pattern)


def _number(least: float, most: float) -> Any:
    return Field(ge=least, le=most)


def _length(least: int, most: int | None = None) -> Any:
    return Field(min_length=least, max_length=most or least)


def _more(**keywords: Any) -> Any:
    """Further keywords of JSON Schema."""
    return Field(json_schema_extra=keywords)


_NAME = _text(LONGEST_NAME, _all_of(ALIAS))
_FIGURE = Field(pattern=_all_of(FIGURE))


class ArchitectureTable(TypedDict, total=False):
    """The numbers of a network of your own, one for each of its four stages."""

    embed_dims: Required[Annotated[list[Annotated[int, _number(1, DIM)]], _length(4)]]
    """Channels of each of the four stages, such as ``[32, 64, 160, 256]``."""
    depths: Required[Annotated[list[Annotated[int, _number(1, DEPTH)]], _length(4)]]
    """Blocks of each of the four stages, such as ``[3, 3, 5, 2]``."""
    mlp_ratios: Annotated[
        list[Annotated[int, _number(1, RATIO)]], _length(4), _more(default=[8, 8, 4, 4])
    ]
    """How many times wider the hidden layer of the MLP is, for each of the four stages. Default:
    ``[8, 8, 4, 4]``."""


class TorchvisionTable(TypedDict, total=False):
    """A model of torchvision."""

    torchvision: Required[Annotated[str, _more(enum=list(NAMES))]]
    """The name of the model in ``torchvision.models``, such as ``resnet50``."""
    image_size: Annotated[int, _number(SHORTEST_SIDE, TORCHVISION_SIDE)]
    """Side of the input that a ViT was made for, in pixels, such as ``384``; other models have
    none."""


class CountingTable(TypedDict, total=False):
    """How the source counted parameters and FLOPs."""

    convention: Annotated[str, _more(enum=list(TITLES), default=_COUNTING.convention)]
    """The convention that the reported FLOPs are judged under, or another counter or source, by
    whose rule they were made; ``vanbench flops MODEL --explain`` shows the rules. For a model of
    torchvision it is ``torchvision`` or ``fvcore``. ``openmmlab`` for a VAN and ``torchvision`` for
    a model of torchvision if the file does not say."""
    resolution: Annotated[int, _number(SHORTEST_SIDE, SIDE), _more(default=_COUNTING.resolution)]
    """Side of the square input that the FLOPs are reported for, in pixels. ``224`` if the file does
    not say."""
    num_classes: Annotated[int, _number(1, CLASSES), _more(default=_COUNTING.num_classes)]
    """Outputs of the classification head that the reported parameters include. ``1000`` if the file
    does not say."""
    params: Annotated[str, _more(enum=list(PARAM_CONVENTIONS), default=_COUNTING.params)]
    """What the reported parameters count: ``parameters`` all of them, the others also BatchNorm's
    running statistics, or no layer scales. ``parameters`` if the file does not say."""


class ProtocolTable(TypedDict, total=False):
    """How an image becomes the network's input. The defaults are those of OpenMMLab's VAN."""

    exif_orientation: Annotated[bool, _more(default=_PROTOCOL.exif_orientation)]
    """Whether an image is turned as its EXIF orientation says. ``true`` if the file does not
    say."""
    resize_short_edge: Annotated[int, _number(1, SIDE), _more(default=_PROTOCOL.resize_short_edge)]
    """Length that the shorter side of the image is resized to, in pixels; at least
    ``center_crop``. ``248`` if the file does not say."""
    interpolation: Annotated[str, _more(enum=list(INTERPOLATIONS), default=_PROTOCOL.interpolation)]
    """The filter of the resize, which is antialiased. ``bicubic`` if the file does not say."""
    center_crop: Annotated[int, _number(SHORTEST_SIDE, SIDE), _more(default=_PROTOCOL.center_crop)]
    """Side of the square that is cut from the middle, in pixels. ``224`` if the file does not
    say."""
    mean: Annotated[
        list[Annotated[float, _number(0, MOST_PIXEL)]], _length(3), _more(default=_PROTOCOL.mean)
    ]
    """What is subtracted from red, green and blue, which are from 0 to 255; for example
    ``[123.675, 116.28, 103.53]``. ``[127.5, 127.5, 127.5]`` if the file does not say."""
    std: Annotated[
        list[Annotated[float, _number(LEAST_STD, MOST_PIXEL)]],
        _length(3),
        _more(default=_PROTOCOL.std),
    ]
    """What red, green and blue are divided by after that; for example
    ``[58.395, 57.12, 57.375]``. ``[127.5, 127.5, 127.5]`` if the file does not say."""
    classes: Annotated[
        Literal["imagenet-1k"]
        | Annotated[
            list[Annotated[str, _text(LONGEST_NAME), _length(1, LONGEST_NAME)]],
            Field(max_length=CLASSES),
            _more(uniqueItems=True),
        ],
        _more(default=_PROTOCOL.classes),
    ]
    """The classes: ``imagenet-1k``, which is the 1,000 WordNet ids in sorted order, or a list of
    class ids in the order of the network's outputs, such as ``["cat", "dog"]``. ``imagenet-1k`` if
    the file does not say."""


class AccuraciesTable(TypedDict, total=False):
    """Published accuracies over another test set, each as text with the digits as printed."""

    top1: Annotated[str, _text(31, _PERCENTAGE)]
    """Top-1 accuracy over this set in percent, as printed, such as ``"62.4"``."""
    top5: Annotated[str, _text(31, _PERCENTAGE)]
    """Top-5 accuracy over this set in percent, as printed."""


class ReportedTable(TypedDict, total=False):
    """Published figures, each as text with the digits that were printed: they are its precision."""

    params_m: Annotated[str, _FIGURE]
    """Parameters in millions, as printed, such as ``"4.11"``."""
    flops_g: Annotated[str, _FIGURE]
    """FLOPs in billions, as printed, such as ``"0.88"``."""
    top1: Annotated[str, _text(31, _PERCENTAGE)]
    """Top-1 accuracy in percent, as printed, such as ``"75.41"``."""
    top5: Annotated[str, _text(31, _PERCENTAGE)]
    """Top-5 accuracy in percent, as printed, such as ``"93.02"``."""
    imagenet_v2_matched_frequency: AccuraciesTable
    """Accuracies over ImageNet-V2 matched-frequency, such as ``{ top1 = "62.4" }``."""
    imagenet_v2_threshold: AccuraciesTable
    """Accuracies over ImageNet-V2 threshold-0.7."""
    imagenet_v2_top_images: AccuraciesTable
    """Accuracies over ImageNet-V2 top-images."""
    imagenet_real: AccuraciesTable
    """Accuracies by the labels of ImageNet-ReaL."""
    imagenet_a: AccuraciesTable
    """Accuracies over ImageNet-A, among the logits of its 200 classes."""
    imagenet_r: AccuraciesTable
    """Accuracies over ImageNet-R, among the logits of its 200 classes."""
    imagenet_sketch: AccuraciesTable
    """Accuracies over ImageNet-Sketch."""


class ErratumTable(TypedDict, total=False):
    """A misprint in the published figures."""

    corrected: Required[ReportedTable]
    """The figures as they should be, written like those of ``reported``."""
    reason: Required[Annotated[str, _text(LONGEST_REASON, _LINES)]]
    """Why the published figure is wrong; may have several lines."""
    reported_architecture: Annotated[str, _more(enum=list(ARCHITECTURES))] | ArchitectureTable
    """The architecture that the wrong figures fit: a published name, or a table of numbers."""


class ModelTable(TypedDict, total=False):
    """One checkpoint, and what is published of it."""

    architecture: Required[
        Annotated[str, _more(enum=list(ARCHITECTURES))] | ArchitectureTable | TorchvisionTable
    ]
    """A published architecture, such as ``van_b0``, a table of ``embed_dims``, ``depths`` and
    ``mlp_ratios``, or a model of torchvision, such as ``{ torchvision = "resnet50" }``."""
    url: Annotated[str, _text(LONGEST_URL)]
    """Where the file is: a URL that ends in the file's name, or a path beside the zoo file, such as
    ``files/my-van-0123abcd.pth``. A claim without a file has none: its parameters and FLOPs are
    judged, its accuracy is not measured."""
    no_file: Annotated[str, _text(pattern=_FILLED_LINE), _more(default=NO_FILE)]
    """Why the claim has no file that can be used, as a clause, such as ``the file is in a foreign
    format (PaddlePaddle)``. A ``url`` beside it is not used. Without ``url`` and this key:
    ``no file is published``."""
    mirrors: Annotated[list[Annotated[str, _text(LONGEST_URL)]], Field(max_length=MOST_MIRRORS)]
    """Further URLs or paths of the same file, tried in order."""
    sha256: Annotated[str, _text(64, _SHA256)]
    """The SHA-256 of the file, or at least its first 8 digits, in lower case. Needed where the
    file's name does not end in them; ``vanbench hash FILE`` prints it."""
    reported: ReportedTable
    """The published figures as printed, such as ``{ params_m = "4.11", top1 = "75.41" }``."""
    weights_of: Annotated[
        str, _text(2 * LONGEST_NAME + 1, f"^(?:{ZOO.pattern})/(?:{MODEL.pattern})$")
    ]
    """The model of a zoo whose weights these are said to be, such as ``authors/van_b0.in1k``.
    ``vanbench claims`` compares what is claimed of the same weights and, where both files are in
    the cache, their tensors."""
    aliases: Annotated[list[Annotated[str, _NAME]], Field(max_length=MOST_ALIASES)]
    """Other names of the model, such as ``["van-tiny"]``. No other model of the file may have
    them."""
    pretrain: Annotated[str, _text(pattern=_FILLED_LINE)]
    """What the source says of the pre-training, such as ``From scratch``."""
    config: Annotated[str, _text(pattern=_FILLED_LINE)]
    """The URL of the configuration file that the source names."""
    note: Annotated[str, _text(pattern=_FILLED_LINE)]
    """A note of the source on this model. Default: the note of the whole file."""
    source: Annotated[str, _text()]
    """Where the figures of this model were published. Default: the source of the whole file."""
    layer_norm_eps: Annotated[float, _number(LEAST_EPS, MOST_EPS)]
    """LayerNorm's epsilon of this model. Default: that of the whole file."""
    images: Annotated[int, _number(1, LARGEST_LENGTH)]
    """Over how many images the accuracies of this model are claimed. Default: that of the whole
    file."""
    counting: CountingTable
    """How this model was counted, where that differs from the whole file."""
    protocol: ProtocolTable
    """How this model's images are prepared, where that differs from the whole file."""
    erratum: ErratumTable
    """A misprint in the published figures: ``corrected``, ``reason``, and optionally
    ``reported_architecture``."""


class ZooFile(TypedDict, total=False):
    """A zoo file of vanbench: what was published of which checkpoints, where and how."""

    schema: Required[Literal[1]]
    """Version of the form of this file: ``1``."""
    name: Required[Annotated[str, _text(LONGEST_NAME, _all_of(ZOO))]]
    """A short name of letters, digits, ``-`` and ``_``, such as ``mine``. The folder of the records
    under ``results`` has it."""
    title: Required[Annotated[str, _text()]]
    """What the zoo is, for people, in one line."""
    source: Required[Annotated[str, _text()]]
    """Where the figures were published: the address of a page, or a citation."""
    citation: Annotated[str, _text(LONGEST_CITATION, _LINES)]
    """The BibTeX entry that the source asks to cite; may have several lines."""
    note: Annotated[str, _text(pattern=_FILLED_LINE)]
    """A note of the source on every model, in one line."""
    layer_norm_eps: Annotated[float, _number(LEAST_EPS, MOST_EPS)]
    """LayerNorm's epsilon, which no file of weights stores, such as ``1e-5``. Default: that of the
    code that uses the file's names of tensors, ``1e-5`` for OpenMMLab's, ``1e-6`` for those of the
    authors and of Hugging Face."""
    data: Annotated[str, _text()]
    """A validation set beside this file, used when ``--data`` is not given."""
    images: Annotated[int, _number(1, LARGEST_LENGTH)]
    """Over how many images the accuracies are claimed; a run over others is partial. Default:
    50,000 with the classes of ImageNet-1k, else it is not checked."""
    counting: CountingTable
    """How the source counted parameters and FLOPs. Default: OpenMMLab's convention, an input of 224
    pixels, 1,000 classes."""
    protocol: ProtocolTable
    """How an image becomes the network's input. Default: as for OpenMMLab's VAN."""
    models: Required[
        Annotated[
            dict[Annotated[str, _text(LONGEST_NAME, _all_of(MODEL))], ModelTable],
            _length(1, MOST_MODELS),
            _more(additionalProperties=False),
        ]
    ]
    """The checkpoints, each a table ``[models."ARCH.TAG"]``, such as ``[models."van_b0.in1k"]``."""
