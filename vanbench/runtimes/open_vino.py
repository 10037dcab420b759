"""OpenVINO on the CPU."""

import sys
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vanbench.errors import DeviceError
from vanbench.model.van import VAN
from vanbench.runtimes import names
from vanbench.runtimes.interface import Runtime, Setting, only_on_cpu
from vanbench.runtimes.quantize import Scheme, quantized, refuse_without_tool

INT8 = Scheme(depthwise=True, outputs=False)
"""The fastest, and more accurate than with outputs in int8."""

_CAPABILITIES = {"bf16": "BF16", "fp16": "FP16", "int8": "INT8"}
_TELEMETRY = "openvino_telemetry"
TOGETHER = 2
"""Images in a request: 2 to 5 % faster than one, on two cores."""
TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}  # of what is not quantised


class OpenVino(Runtime):
    """The reference's graph in OpenVINO, whose own passes optimise it."""

    name = names.OPENVINO
    extra = "openvino"
    distributions = ("openvino", "onnx")
    precisions = ("fp32", "bf16", "fp16", "int8")

    def refuse(self, device: torch.device, precision: str) -> None:
        """DeviceError for another device than the CPU, or a precision that this CPU has not.

        OpenVINO would take another one and not say so: bf16 for fp16, if the processor has it.
        DependencyError if int8 is asked for, and what quantises a model is not installed.
        """
        only_on_cpu(self, device)
        super().refuse(device, precision)
        if precision == "int8":
            refuse_without_tool(self.name)
        wanted = _CAPABILITIES.get(precision)
        if wanted and wanted not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise DeviceError(
                f"expected a processor with {precision}, found none: OpenVINO would compute in "
                "another precision",
                remedy="Use --precision fp32.",
            )

    def prepare(self, model: VAN, setting: Setting) -> nn.Module:
        """The model's graph, compiled for this processor."""
        from vanbench.runtimes.onnx_graph import onnx_model

        if setting.precision == "int8":
            graph = quantized(model, setting, INT8)
        else:
            graph = onnx_model(model, setting.resolution).SerializeToString()
        return OpenVinoModel(core().read_model(graph), TYPES[setting.precision])


class OpenVinoRequests(nn.Module):
    """A graph with one input and one output; maps (N, 3, H, W) to logits (N, classes).

    Requests of ``batch`` images go through as many streams as OpenVINO chooses, which share the
    threads; the last image is repeated where N is no multiple of it. ``single`` images alone, which
    would leave other streams idle, have all threads; that is compiled when they come the first
    time.
    """

    def __init__(self, graph: Any, kind: str, batch: int = 1, single: int | None = None):
        super().__init__()
        self.graph, self.kind = graph, kind
        self.batch, self.single = batch, single or batch
        self.threads = torch.get_num_threads()
        self.shape = [side.get_length() for side in list(graph.inputs[0].partial_shape)[1:]]
        self.queue = without_telemetry().AsyncInferQueue(self._compiled(batch, "THROUGHPUT"))

    def _compiled(self, images: int, hint: str) -> Any:
        self.graph.reshape([images, *self.shape])
        options = {
            "PERFORMANCE_HINT": hint,
            "INFERENCE_PRECISION_HINT": self.kind,
            "INFERENCE_NUM_THREADS": self.threads,
        }
        compiled = core().compile_model(self.graph, "CPU", options)
        found = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        assert found == self.kind, f"OpenVINO computes in {found} instead of {self.kind}"
        return compiled

    @cached_property
    def alone(self) -> Any:
        """A request with all threads."""
        return self._compiled(self.single, "LATENCY").create_infer_request()

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        images = np.ascontiguousarray(x.numpy())
        if len(x) == self.single:
            return torch.from_numpy(self.alone.infer({0: images})[0].copy())
        if missing := -len(images) % self.batch:
            images = np.concatenate([images, *[images[-1:]] * missing])
        logits: dict[int, Any] = {}

        def keep(request: Any, index: int) -> None:
            logits[index] = request.get_output_tensor(0).data.copy()

        self.queue.set_callback(keep)
        starts = range(0, len(images), self.batch)
        for start in starts:
            self.queue.start_async({0: images[start : start + self.batch]}, start)
        self.queue.wait_all()
        return torch.from_numpy(np.concatenate([logits[start] for start in starts])[: len(x)])


class OpenVinoModel(OpenVinoRequests):
    """A graph of vanbench's own, (N, 3, H, W) to logits (N, classes), for channels-last images."""

    def __init__(self, graph: Any, kind: str):
        super().__init__(_channels_last(graph), kind, TOGETHER, single=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1))


def _channels_last(graph: Any) -> Any:
    """The graph with an input (N, H, W, 3), which is how decoded images lie in memory."""
    openvino = without_telemetry()
    changed = openvino.preprocess.PrePostProcessor(graph)
    changed.input().tensor().set_layout(openvino.Layout("NHWC"))
    changed.input().model().set_layout(openvino.Layout("NCHW"))
    return changed.build()


@cache
def core() -> Any:
    """OpenVINO's ``Core``."""
    return without_telemetry().Core()


def without_telemetry() -> Any:
    """The module ``openvino``, imported so that it sends nothing.

    Its import would start a process that reports it to www.google-analytics.com, unless the package
    openvino_telemetry is missing, which a module of None in ``sys.modules`` means. A program that
    has imported openvino before has decided that itself.
    """
    known = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        del sys.modules[_TELEMETRY]
        if known is not None:
            sys.modules[_TELEMETRY] = known
    return openvino
