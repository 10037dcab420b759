"""ONNX Runtime on the CPU."""

import math
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vanbench.model.van import VAN
from vanbench.runtimes import names
from vanbench.runtimes.interface import Runtime, Setting, only_on_cpu
from vanbench.runtimes.quantize import Scheme, quantized

IMAGES_AT_ONCE = 2  # for each thread; the fastest of 1, 2, 4 and 8 on a CPU with 1 MiB of L2 cache

INT8 = Scheme(depthwise=False, outputs=True)
"""Only convolutions whose output is quantised compute in int8; depth-wise ones are slower in it."""


class OnnxRuntime(Runtime):
    """The reference's graph in ONNX Runtime, whose own passes optimise it."""

    name = names.ONNXRUNTIME
    extra = "onnx"
    distributions = ("onnxruntime", "onnx")
    precisions = ("fp32", "int8")

    def refuse(self, device: torch.device, precision: str) -> None:
        """DeviceError for another device than the CPU, or another precision."""
        only_on_cpu(self, device)
        super().refuse(device, precision)

    def prepare(self, model: VAN, setting: Setting) -> nn.Module:
        """Sessions of the model's graph."""
        from vanbench.runtimes.onnx_graph import onnx_model

        if setting.precision == "int8":
            return OnnxSessions(quantized(model, setting, INT8))
        return OnnxSessions(onnx_model(model, setting.resolution).SerializeToString())


class OnnxSessions(nn.Module):
    """An ONNX graph with one input and one output; maps (N, 3, H, W) to logits (N, classes).

    Each core takes images of its own in a session of one thread. A single image, which would leave
    the other cores idle, goes through a session in which all threads share each operation; it is
    made when the first such image comes. With ``batch``, the graph takes so many images at once,
    and N is a multiple of it.
    """

    def __init__(self, graph: bytes, batch: int | None = None):
        super().__init__()
        self.graph, self.batch, self.threads = graph, batch, torch.get_num_threads()
        self.session = _session(graph, 1)
        self.pool = ThreadPoolExecutor(self.threads)

    @cached_property
    def shared(self) -> Any:
        """A session with all threads, for single images."""
        return _session(self.graph, self.threads)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        if len(x) == (self.batch or 1):
            return _logits(self.shared, x)
        size = self.batch or min(IMAGES_AT_ONCE, math.ceil(len(x) / self.threads))
        parts = self.pool.map(lambda part: _logits(self.session, part), torch.split(x, size))
        return torch.cat(list(parts))


def _session(graph: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # warnings are about its own optimisations, errors are raised
    return onnxruntime.InferenceSession(
        graph,
        options,
        providers=["CPUExecutionProvider"],
        enable_fallback=0,  # to the same provider once more, and it prints that on stdout
    )


def _logits(session: Any, x: Tensor) -> Tensor:
    name = session.get_inputs()[0].name
    images = np.ascontiguousarray(x.numpy())
    return torch.from_numpy(session.run(None, {name: images})[0])
