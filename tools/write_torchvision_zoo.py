"""Write vanbench/zoos/torchvision.toml from the metadata of the installed torchvision.

    python tools/write_torchvision_zoo.py check    # exit with 1 and a diff if it is out of date
    python tools/write_torchvision_zoo.py write

Every set of weights for ImageNet-1k is a model of the zoo. Nothing is downloaded.
"""

import json
import math
import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any

import torchvision
from torchvision.models import WeightsEnum, get_model_weights

from vanbench.model.torchvision_architecture import NAMES, TorchvisionArchitecture

FILE = Path(__file__).resolve().parents[1] / "vanbench" / "zoos" / "torchvision.toml"
SIDE = 224  # of the input of most models
VERSION = torchvision.__version__.partition("+")[0]
IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}

HEAD = f"""\
# torchvision's weights for the classification of ImageNet-1k, with the figures of their metadata.
#
# Written by tools/write_torchvision_zoo.py of the source repository, from torchvision {VERSION}. Do
# not edit by hand. torchvision writes accuracies and operations with three decimals; where Python's
# numbers drop a final zero, it is restored. Parameters are exact: they are written in millions with
# all digits. The size beside a file's name is torchvision's, in MB of 2^20 bytes.

schema = 1
name = "torchvision"
title = "torchvision {VERSION}, classification of ImageNet-1k"
source = "https://github.com/pytorch/vision/tree/v{VERSION}/torchvision/models"

# Under which convention the metadata's `_ops` come out to their digits, for every model: they were
# made with a counter that is now in torchvision's tests (get_ops in test/common_extended_utils.py,
# from https://github.com/pytorch/vision/pull/6936). It counts the multiply-adds of convolutions and
# matrix products, those of attention among them, and nothing else. fvcore's count is always shown:
# it adds the norms and the pooling, and leaves out the attention of the ViTs.
counting = {{ convention = "torchvision", resolution = {SIDE}, num_classes = 1000 }}

# The validation set of ImageNet-1k.
images = 50_000

# What most of the weights have in common; `center_crop`, `resize_short_edge` and others are given
# with each model that differs. torchvision's loader does not turn images by their EXIF orientation.
[protocol]
exif_orientation = false
resize_short_edge = 256
interpolation = "bilinear"
center_crop = {SIDE}
mean = {IMAGENET["mean"]}
std = {IMAGENET["std"]}
classes = "imagenet-1k"
"""

COMMON = {"resize_short_edge": 256, "interpolation": "bilinear", "center_crop": SIDE, **IMAGENET}


def zoo_text() -> str:
    """The whole file."""
    return HEAD + "".join(
        f"\n{text}" for name in NAMES for weights in get_model_weights(name)
        for text in [_model(name, weights)]
    )  # fmt: skip


def _model(name: str, weights: WeightsEnum) -> str:
    meta, preset = weights.meta, weights.transforms()
    (side,) = preset.crop_size
    keys: dict[str, Any] = {"architecture": _architecture(name, side)}
    if meta.get("recipe"):
        keys["config"] = meta["recipe"]
    if note := _note(meta):
        keys["note"] = note
    if side != SIDE:
        keys["counting"] = {"resolution": side}
    if protocol := _protocol(preset):
        keys["protocol"] = protocol
    keys["url"] = weights.url
    keys["reported"] = dict(_reported(meta))
    lines = [f"{key} = {_toml(value)}" for key, value in keys.items()]
    lines[-2] += f"  # {meta['_file_size']} MB"
    return "\n".join([f'[models."{name}.{weights.name.lower()}"]', *lines]) + "\n"


def _architecture(name: str, side: int) -> dict[str, Any]:
    sized = TorchvisionArchitecture(name).has_image_size and side != SIDE
    return {"torchvision": name, **({"image_size": side} if sized else {})}


def _note(meta: dict[str, Any]) -> str:
    if meta["categories"] is None:
        return "For feature extraction only: the file has no sound values for the classifier."
    return f"The license of the weights: {meta['license']}" if meta.get("license") else ""


def _protocol(preset: Any) -> dict[str, Any]:
    """What differs from the protocol of the whole file."""
    (resize,), (crop,) = preset.resize_size, preset.crop_size
    found = {
        "resize_short_edge": resize,
        "interpolation": preset.interpolation.value,
        "center_crop": crop,
        "mean": [round(255 * value, 5) for value in preset.mean],
        "std": [round(255 * value, 5) for value in preset.std],
    }
    return {key: value for key, value in found.items() if value != COMMON[key]}


def _reported(meta: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "params_m", f"{meta['num_params'] // 10**6}.{meta['num_params'] % 10**6:06}"
    yield "flops_g", f"{meta['_ops']:.3f}"
    metrics = meta["_metrics"]["ImageNet-1K"]
    for key, name in (("top1", "acc@1"), ("top5", "acc@5")):
        if not math.isnan(metrics[name]):
            yield key, f"{metrics[name]:.3f}"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(inner)}' for key, inner in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)


def main(verb: str) -> int:
    """Check or write the file; the exit code."""
    wanted, found = zoo_text(), FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    if verb == "write":
        FILE.write_text(wanted, encoding="utf-8")
        return 0
    difference = unified_diff(
        found.splitlines(), wanted.splitlines(), FILE.name, "as generated", lineterm=""
    )
    print(*difference, sep="\n", end="" if found == wanted else "\n")
    if found != wanted:
        print("Out of date. Run: python tools/write_torchvision_zoo.py write")
    return int(found != wanted)


if __name__ == "__main__":
    if sys.argv[1:] not in (["check"], ["write"]):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
