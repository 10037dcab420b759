"""Which model of torchvision a network is, without torch."""

from dataclasses import dataclass
from typing import Any

from typing_extensions import TypedDict

from vanbench.model.architecture import Architecture, ArchitectureDict

LIBRARY = "torchvision"
# fmt: off
NAMES = (
    "alexnet", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny",
    "densenet121", "densenet161", "densenet169", "densenet201", "efficientnet_b0",
    "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4",
    "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l",
    "efficientnet_v2_m", "efficientnet_v2_s", "googlenet", "inception_v3", "maxvit_t",
    "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3", "mobilenet_v2",
    "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_16gf", "regnet_x_1_6gf",
    "regnet_x_32gf", "regnet_x_3_2gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_x_8gf",
    "regnet_y_128gf", "regnet_y_16gf", "regnet_y_1_6gf", "regnet_y_32gf", "regnet_y_3_2gf",
    "regnet_y_400mf", "regnet_y_800mf", "regnet_y_8gf", "resnet101", "resnet152", "resnet18",
    "resnet34", "resnet50", "resnext101_32x8d", "resnext101_64x4d", "resnext50_32x4d",
    "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0",
    "squeezenet1_0", "squeezenet1_1", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s",
    "swin_v2_t", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19",
    "vgg19_bn", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32", "wide_resnet101_2",
    "wide_resnet50_2",
)
# fmt: on
"""torchvision's models for the classification of images, as ``torchvision.models`` names them."""


class TorchvisionDict(TypedDict):
    """A model of torchvision, as JSON has it."""

    library: str
    """``torchvision``."""
    arch: str
    """The name of the model in ``torchvision.models``."""
    image_size: int | None
    """Side of the input that a ViT was made for, in pixels; null for torchvision's default."""
    num_classes: int
    """Outputs of the classification head."""


@dataclass(frozen=True)
class TorchvisionArchitecture:
    """A model of torchvision: its name, the width of its head, and the input's side of a ViT.

    A ViT has an embedding for each position, so that its parameters depend on ``image_size``; None
    is torchvision's default. Other models have no image size.
    """

    name: str
    num_classes: int = 1000
    image_size: int | None = None

    def as_dict(self) -> TorchvisionDict:
        """The JSON object of this model."""
        return {
            "library": LIBRARY,
            "arch": self.name,
            "image_size": self.image_size,
            "num_classes": self.num_classes,
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "TorchvisionArchitecture":
        """The inverse of ``as_dict``; ValueError for others."""
        if document.keys() != TorchvisionDict.__annotations__.keys():
            raise ValueError(f"expected an object of {', '.join(TorchvisionDict.__annotations__)}")
        name, classes, size = (document[key] for key in ("arch", "num_classes", "image_size"))
        if document["library"] != LIBRARY or name not in NAMES:
            raise ValueError("expected a classification model of torchvision")
        if not all(type(n) is int and n >= 1 for n in (classes, 1 if size is None else size)):
            raise ValueError("expected whole numbers from 1")
        return cls(name, classes, size)

    def same_body(self, other: object) -> bool:
        """Whether both are the same network up to the classification head."""
        return isinstance(other, TorchvisionArchitecture) and (self.name, self.image_size) == (
            other.name,
            other.image_size,
        )

    @property
    def has_image_size(self) -> bool:
        """Whether the number of parameters depends on the size of the image."""
        return self.name.startswith("vit_")


AnyArchitecture = Architecture | TorchvisionArchitecture
AnyArchitectureDict = ArchitectureDict | TorchvisionDict


def architecture_from_dict(document: Any) -> AnyArchitecture:
    """The architecture of a JSON object, or the one that is given; ValueError for others."""
    if isinstance(document, TorchvisionArchitecture):
        return document
    if isinstance(document, dict) and "library" in document:
        return TorchvisionArchitecture.from_dict(document)
    return Architecture.from_dict(document)
