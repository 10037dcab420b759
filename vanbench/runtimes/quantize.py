"""Post-training quantisation to int8, with ONNX Runtime's own tool.

What comes out is an ONNX graph in which QuantizeLinear and DequantizeLinear (QDQ) stand around the
operations that compute in int8. OpenVINO reads the same form, so that one tool serves both.

Convolutions are quantised: their weights to int8 around zero, with a scale for each output channel,
and their inputs to uint8 with a zero point. All else stays in fp32: batch and layer normalisation,
GELU, the product with the gate, the residual sums, pooling and the head. To quantise these too made
the errors larger and both runtimes slower; docs/precision.md has the measurements.
"""

import logging
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vanbench.errors import DependencyError
from vanbench.model.van import VAN
from vanbench.runtimes.interface import Setting

if TYPE_CHECKING:
    import onnx

TOOL = "onnxruntime"
"""The package with the tool, under pip's name."""


@dataclass(frozen=True)
class Scheme:
    """Which parts of convolutions a runtime has in int8.

    ``depthwise``: depth-wise ones are quantised, too. ``outputs``: so is what a convolution gives.
    """

    depthwise: bool
    outputs: bool


def refuse_without_tool(runtime: str) -> None:
    """DependencyError with the command that installs the tool, where it is not."""
    try:
        version(TOOL)
    except PackageNotFoundError as error:
        raise DependencyError(
            f"the runtime {runtime} needs {TOOL} to quantise a model, which is not installed",
            remedy="Install it with: pip install 'vanbench[onnx]'",
        ) from error


def tool() -> str:
    """The tool with its version, as a record has it."""
    return f"{TOOL} {version(TOOL)}"


def quantized(model: VAN, setting: Setting, scheme: Scheme) -> bytes:
    """The model's graph with quantised convolutions, serialised.

    The scale of each activation comes from the smallest and the largest value that it has over the
    setting's ``calibration`` images. The same model and images give the same bytes. Files are
    written to a temporary folder only.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from vanbench.runtimes.onnx_graph import onnx_model

    assert setting.calibration is not None, "int8 needs calibration images"
    with TemporaryDirectory(prefix="vanbench-") as folder, _without_advice():
        plain, folded, result = (str(Path(folder, name)) for name in ("plain", "folded", "result"))
        onnx.save(onnx_model(model, setting.resolution), plain)
        # Batch normalisation and layer scale go into the convolution before them.
        quant_pre_process(plain, folded, skip_symbolic_shape=True)
        quantize_static(
            folded,
            result,
            _Images(setting.calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=saturates(),
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[] if scheme.depthwise else _depthwise(onnx.load(folded)),
            extra_options={
                "OpTypesToExcludeOutputQuantization": [] if scheme.outputs else ["Conv"]
            },
        )
        return Path(result).read_bytes()


def saturates() -> bool:
    """Whether sums of products of 8-bit numbers may not fit into what this processor adds them in.

    That is so for x86 processors without VNNI: two products are added in 16 bits. Weights of 7 bits
    fit, which ONNX Runtime's documentation recommends there.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    return not (torch.cpu._is_vnni_supported() or "avx_vnni" in _linux_cpu_flags())


def _linux_cpu_flags() -> set[str]:
    """The features of the processor as Linux lists them; none elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def _depthwise(graph: "onnx.ModelProto") -> list[str]:
    """The names of the depth-wise convolutions."""
    return [
        node.name
        for node in graph.graph.node
        if any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
    ]


class _Images:
    """Images one by one, as ONNX Runtime's ``CalibrationDataReader`` gives them."""

    def __init__(self, images: Tensor):
        self._images = iter(torch.split(images.cpu(), 1))

    def get_next(self) -> Mapping[str, Any] | None:
        from vanbench.runtimes.onnx_graph import INPUT

        image = next(self._images, None)
        return None if image is None else {INPUT: image.contiguous().numpy()}


@contextmanager
def _without_advice() -> Iterator[None]:
    """Without the warnings that the tool logs, which are about its own options."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
