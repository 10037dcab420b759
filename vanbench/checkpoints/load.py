"""A checkpoint file, opened once: what it is, and the model that it holds.

Every command opens a file with ``open_checkpoint`` and hands the Checkpoint on, so that no file is
read, hashed, recognised or built twice.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from vanbench.checkpoints.guard import CHECK, guarded
from vanbench.checkpoints.key_names import NATIVE, Format, detect, to_native, translate
from vanbench.checkpoints.misfits import refuse_misfits
from vanbench.checkpoints.state_dict import read_state_dicts, suspicious_tensors
from vanbench.checkpoints.torchvision_file import TORCHVISION, model_of_torchvision
from vanbench.checkpoints.weights import PLAIN
from vanbench.errors import CheckpointError, SuspiciousWeightsWarning
from vanbench.files import HashedFile, hash_file
from vanbench.model.architecture import Architecture
from vanbench.model.build import build_uninitialized, read_architecture
from vanbench.model.torchvision_architecture import AnyArchitecture, TorchvisionArchitecture
from vanbench.model.van import VAN
from vanbench.outside.files import check_regular
from vanbench.outside.safe_text import for_terminal


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """An opened file: its hash, what its tensors say, and its model in eval mode.

    ``model`` has LayerNorm's epsilon as asked for, else that of the code that uses the file's
    naming. ``suspicious`` are sentences on weights that no training leaves. ``state`` has the
    tensors under the file's own names, ``other`` those of the other kind beside them. ``weights``
    is the kind that was taken, ``plain`` or ``ema`` (averaged); ``choice`` says so in words where
    that needs saying. ``metadata`` is the text that a safetensors file carries.
    """

    path: Path
    sha256: str
    naming: Format
    architecture: AnyArchitecture
    suspicious: tuple[str, ...]
    model: nn.Module = field(repr=False)
    state: Mapping[str, Tensor] = field(repr=False)
    other: Mapping[str, Tensor] | None = field(repr=False)
    weights: str
    choice: str | None
    metadata: Mapping[str, str]

    @property
    def ema(self) -> Mapping[str, Tensor] | None:
        """Averaged weights beside the plain ones that were taken."""
        return self.other if self.weights == PLAIN else None

    @property
    def van(self) -> VAN:
        """The model, if it is a VAN; CheckpointError if it is another network."""
        if isinstance(self.model, VAN):
            return self.model
        raise CheckpointError(
            f"expected a VAN, found {getattr(self.architecture, 'name', 'another network')} of "
            f"{self.naming.name}",
            remedy="This is for VAN alone.",
        )

    @property
    def layer_norm_eps(self) -> float | None:
        """The epsilon of a VAN's LayerNorms; None for other networks, whose code says it."""
        if not isinstance(self.model, VAN):
            return None
        return float(self.model.stages[0].norm.eps)  # type: ignore[union-attr, arg-type]

    def warn(self) -> None:
        """Issue a SuspiciousWeightsWarning for each suspicious tensor."""
        for sentence in self.suspicious:
            warnings.warn(f"{self.path}: {sentence}.", SuspiciousWeightsWarning, stacklevel=2)


def open_checkpoint(
    file: str | Path | HashedFile,
    *,
    layer_norm_eps: float | None = None,
    weights: str | None = None,
    declared: AnyArchitecture | None = None,
) -> Checkpoint:
    """Read a file, which is hashed first unless it is a HashedFile.

    The architecture of a VAN is read from the tensors. Only what the zoo declares (``declared``)
    tells that the file is of a model of torchvision, and of which.
    ``weights`` is ``plain`` or ``ema``; None takes what the framework that wrote the file loads for
    inference.

    Raises CheckpointError with every missing, unexpected and mis-shaped tensor, and where the file
    that was read is not the file that was hashed.
    """
    hashed = file if isinstance(file, HashedFile) else hash_checkpoint(Path(file))
    path = hashed.path
    with guarded(path):
        # Not mapped: mapped tensors would change when another program writes to the file.
        content = read_state_dicts(path, weights, mapped=False)
        state = content.state
        if not hashed.is_unchanged():
            raise CheckpointError(
                "expected the file that was hashed, found that it changed since",
                remedy="Run the command again when no other program writes to it.",
            )
        model, naming, architecture = _build_declared(state, layer_norm_eps, declared)
    return Checkpoint(
        path=path,
        sha256=hashed.sha256,
        naming=naming,
        architecture=architecture,
        suspicious=tuple(suspicious_tensors(state)),
        model=model,
        state=state,
        other=content.other,
        weights=content.weights,
        choice=content.choice,
        metadata=content.metadata,
    )


def load_model(path: str | Path, *, layer_norm_eps: float | None = None) -> VAN:
    """The model that a checkpoint holds, in eval mode; naming and architecture are read from it.

    Args:
        path: A file of PyTorch (zip or legacy) or safetensors, in the naming of OpenMMLab, of the
            authors or of Hugging Face. It is read as data; no code in it is run.
        layer_norm_eps: The epsilon of the LayerNorms, which no file stores. The default is that of
            the code that uses the file's naming.

    Returns:
        The reference module. It maps float32 (N, 3, H, W), sides of at least 32 pixels, to logits
        (N, classes), or to the pooled features if the file has no head. A
        SuspiciousWeightsWarning is issued for each tensor that holds NaN or infinity, or nothing
        but zeros.

    Raises:
        CheckpointError: The file cannot be read, or does not hold the tensors of one VAN; the error
            lists every missing, unexpected and mis-shaped tensor.

    >>> model = vanbench.load_model("van-tiny_8xb128_in1k_20220501-385941af.pth")  # doctest: +SKIP
    """
    path = Path(path)
    with guarded(path):
        state = read_state_dicts(path).state
        model = model_from_state(state, layer_norm_eps=layer_norm_eps)
    for sentence in suspicious_tensors(state):
        warnings.warn(f"{path}: {sentence}.", SuspiciousWeightsWarning, stacklevel=2)
    return model


def model_from_state(state: Mapping[str, Tensor], *, layer_norm_eps: float | None = None) -> VAN:
    """The model of a state dict in any known naming; its weights are the given tensors."""
    return _build(state, layer_norm_eps)[0]


def hash_checkpoint(path: Path) -> HashedFile:
    """The hash of a file that is to be opened; CheckpointError if it cannot be read."""
    with guarded(path):
        check_regular(path, CheckpointError, remedy=CHECK)
        return hash_file(path)


def _build_declared(
    state: Mapping[str, Tensor], layer_norm_eps: float | None, declared: AnyArchitecture | None
) -> tuple[nn.Module, Format, AnyArchitecture]:
    if isinstance(declared, TorchvisionArchitecture):
        return model_of_torchvision(state, declared), TORCHVISION, declared
    return _build(state, layer_norm_eps)


def _build(
    state: Mapping[str, Tensor], layer_norm_eps: float | None
) -> tuple[VAN, Format, Architecture]:
    naming = detect(state)
    native, unknown = to_native(state, naming)
    architecture = read_architecture(native)
    model = build_uninitialized(architecture, layer_norm_eps or naming.layer_norm_eps)
    _check_names_and_shapes(native, unknown, model.state_dict(), naming)
    for name, buffer in model.named_buffers():  # absent from old files, and never used in eval mode
        if name.endswith("num_batches_tracked"):
            native.setdefault(name, torch.zeros(buffer.shape, dtype=buffer.dtype, device="cpu"))
    model.load_state_dict({k: _as_float32(v) for k, v in native.items()}, assign=True)
    return model.eval().requires_grad_(False), naming, architecture


def _check_names_and_shapes(
    native: Mapping[str, Tensor], unknown: list[str], wanted: Mapping[str, Tensor], source: Format
) -> None:
    """Raise CheckpointError with all that does not fit, in the file's own names."""

    def own(key: str) -> str:
        return for_terminal(translate(key, NATIVE, source) or key)

    optional = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = [own(key) for key in wanted.keys() - native.keys() - optional]
    unexpected = [for_terminal(key) for key in unknown]
    unexpected += [own(key) for key in native.keys() - wanted.keys()]
    shapes = [
        f"{own(key)} has {tuple(native[key].shape)} for {tuple(wanted[key].shape)}"
        for key in wanted.keys() & native.keys()
        if native[key].shape != wanted[key].shape
    ]
    refuse_misfits("not those of one VAN", source.name, missing, unexpected, shapes)


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
