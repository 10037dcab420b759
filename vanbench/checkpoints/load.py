"""Models: built from numbers, or from a file's own tensors, strictly."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vanbench.checkpoints.key_names import (
    NATIVE,
    Format,
    detect,
    read_architecture,
    to_native,
    translate,
)
from vanbench.checkpoints.state_dict import oddities, read_state_dict
from vanbench.errors import CheckpointError, OddWeightsWarning, UnknownModelError
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.van import VAN, initialize


def create_model(name: str, num_classes: int = 1000, *, layer_norm_eps: float = 1e-5) -> VAN:
    """The reference VAN of a published architecture (``van_b0`` … ``van_b6``), random weights."""
    key = name.lower().replace("-", "_")
    if key not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UnknownModelError(f"No architecture {name!r}. The published ones are {known}.")
    architecture = replace(ARCHITECTURES[key], num_classes=num_classes)
    return initialize(build(architecture, layer_norm_eps))


def load_model(path: str | Path, *, layer_norm_eps: float | None = None) -> VAN:
    """The model a checkpoint holds, in eval mode; format and architecture are read from the file.

    ``layer_norm_eps`` defaults to the one of the code that uses the file's naming. Raises
    CheckpointError with every missing, unexpected and mis-shaped tensor; warns (OddWeightsWarning)
    of each that holds NaN or infinity, or nothing but zeros.
    """
    with about(path):
        state = read_state_dict(path)
        model = model_from_state(state, layer_norm_eps=layer_norm_eps)
    for oddity in oddities(state):
        warnings.warn(f"{path}: {oddity}.", OddWeightsWarning, stacklevel=2)
    return model


@contextmanager
def about(path: str | Path) -> Iterator[None]:
    """Let each CheckpointError from within name the file that it is about."""
    try:
        yield
    except CheckpointError as error:
        if str(path) in str(error):
            raise
        raise CheckpointError(f"{path}: {error}") from error


def build(architecture: Architecture, layer_norm_eps: float = 1e-5) -> VAN:
    """The reference VAN of ``architecture``, weights as torch's constructors leave them."""
    a = architecture
    return VAN(a.embed_dims, a.depths, a.mlp_ratios, a.num_classes, layer_norm_eps)


def architecture_of(model: VAN) -> Architecture:
    """The numbers of a model."""
    return read_architecture(model.state_dict())


def model_from_state(state: Mapping[str, Tensor], *, layer_norm_eps: float | None = None) -> VAN:
    """The model of a state dict in any known naming; it takes the given tensors over, uncopied."""
    source = detect(state)
    native, unknown = to_native(state, source)
    architecture = read_architecture(native)
    with torch.device("meta"):
        model = build(architecture, layer_norm_eps or source.layer_norm_eps)
    _complain(native, unknown, model.state_dict(), source)
    for name, buffer in model.named_buffers():  # absent from old files, and never used in eval mode
        if name.endswith("num_batches_tracked"):
            native.setdefault(name, torch.zeros_like(buffer, device="cpu"))
    model.load_state_dict({k: _as_float32(v) for k, v in native.items()}, assign=True)
    return model.eval().requires_grad_(False)


def _complain(
    native: Mapping[str, Tensor], unknown: list[str], wanted: Mapping[str, Tensor], source: Format
) -> None:
    """Raise CheckpointError with all that does not fit, in the file's own names."""

    def own(key: str) -> str:
        return translate(key, NATIVE, source) or key

    optional = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = [own(key) for key in wanted.keys() - native.keys() - optional]
    unexpected = unknown + [own(key) for key in native.keys() - wanted.keys()]
    shapes = [
        f"{own(key)} has {tuple(native[key].shape)} for {tuple(wanted[key].shape)}"
        for key in wanted.keys() & native.keys()
        if native[key].shape != wanted[key].shape
    ]
    problems = {"missing": missing, "unexpected": unexpected, "mis-shaped": shapes}
    if any(problems.values()):
        lists = "; ".join(
            f"{k} ({len(v)}): {', '.join(sorted(v))}" for k, v in problems.items() if v
        )
        raise CheckpointError(
            f"the tensors ({source.name} naming) are not those of one VAN: {lists}"
        )


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
