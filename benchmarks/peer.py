"""The best peer that was found: OpenVINO on the plain model, as its documentation advises.

Nothing of vanbench's runtimes is used here but the graph of the plain model. The configuration is
the fastest of those that docs/performance.md lists: one image for each request, static shapes, the
hint for throughput, which makes a stream for each core.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vanbench.model.van import VAN
from vanbench.runtimes.onnx_graph import onnx_model


class Peer(nn.Module):
    """Maps (N, 3, side, side) to logits (N, classes)."""

    def __init__(self, model: VAN, side: int):
        super().__init__()
        from openvino import AsyncInferQueue, Core

        core = Core()
        graph = core.read_model(onnx_model(model, side).SerializeToString())
        graph.reshape([1, 3, side, side])
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self._queue = AsyncInferQueue(core.compile_model(graph, "CPU", options))
        self._logits: dict[int, Any] = {}
        self._queue.set_callback(self._keep)

    def forward(self, x: Tensor) -> Tensor:
        images = x.numpy()
        for index in range(len(images)):
            self._queue.start_async({0: images[index : index + 1]}, index)
        self._queue.wait_all()
        return torch.from_numpy(np.concatenate([self._logits[i] for i in range(len(images))]))

    def _keep(self, request: Any, index: int) -> None:
        self._logits[index] = request.get_output_tensor(0).data.copy()
