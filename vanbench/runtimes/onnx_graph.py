"""A VAN as an ONNX graph: the reference's operations, one by one, under the names of its tensors.

Nothing is folded or rewritten here, so that every weight of the file can be compared with the
checkpoint's; runtimes optimise the graph themselves. Initialisers have the names of the model's
``state_dict``; operations have the path of their module, as in
``/stages/0/blocks/1/attention/proj_in/Conv``, and values the name of the operation that makes them.

Weights are float32, whatever type the model has; ``checkpoints.load`` makes them float32 too.

Shapes: N images, C channels, H × W positions of a feature map.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from vanbench.model.van import VAN, Attention, Block, Mlp, Stage
from vanbench.zoo.entries import EvaluationProtocol

OPSET = 17
"""The first with LayerNormalization; what it needs has been in all runtimes since 2022."""

INPUT, LOGITS, FEATURES = "images", "logits", "features"
BATCH = "batch"  # the name of the dimension that may have any size


def onnx_model(
    model: VAN, resolution: int, *, normalization: EvaluationProtocol | None = None
) -> onnx.ModelProto:
    """The graph from ``images`` to ``logits`` (N, classes), for any N, as in eval mode.

    ``images`` are normalised, float32 (N, 3, resolution, resolution). With ``normalization`` they
    are RGB pixels, uint8 (N, resolution, resolution, 3), and the graph begins with the
    normalisation of that protocol. A model without a head gives the pooled ``features`` instead.
    """
    graph = _Graph(model)
    if normalization is None:
        image = _described(INPUT, TensorProto.FLOAT, 3, resolution, resolution)
        x = _stages(graph, model, INPUT)
    else:
        image = _described(INPUT, TensorProto.UINT8, resolution, resolution, 3)
        x = _stages(graph, model, _normalized(graph, model, INPUT, normalization))
    result = _pooled_and_classified(graph, model, x)
    return helper.make_model(
        helper.make_graph(graph.nodes, "VAN", [image], [result], graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,  # the one that came with this opset
        producer_name="vanbench",
    )


def _described(name: str, kind: int, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [BATCH, *shape])


class _Graph:
    """Nodes and initialisers as they are added."""

    def __init__(self, model: VAN):
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._paths = {module: name for name, module in model.named_modules()}
        self._names = Counter[str]()
        self._constants: dict[float, str] = {}

    def node(
        self, of: nn.Module, op: str, inputs: Sequence[str], output: str = "", **attributes: Any
    ) -> str:
        """Add an operation of a module; the name of its result."""
        path = "/".join(["", *filter(None, self._paths[of].split(".")), op])
        self._names[path] += 1
        name = path if self._names[path] == 1 else f"{path}_{self._names[path] - 1}"
        output = output or name
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=name, **attributes))
        return output

    def weight(self, of: nn.Module, name: str, shape: tuple[int, ...] | None = None) -> str:
        """Add a tensor of a module, under its name in the state dict."""
        tensor = getattr(of, name).detach()
        return self.tensor(f"{self._paths[of]}.{name}", tensor.reshape(shape or tensor.shape))

    def tensor(self, name: str, tensor: Tensor) -> str:
        """Add a tensor as float32."""
        array = tensor.float().cpu().contiguous().numpy()
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def constant(self, value: float) -> str:
        """A scalar, kept once."""
        if value not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[value] = self.tensor(name, torch.tensor(value))
        return self._constants[value]


def _normalized(graph: _Graph, model: VAN, x: str, protocol: EvaluationProtocol) -> str:
    """``data.preprocess.normalize`` of pixels (N, H, W, 3), as (N, 3, H, W)."""
    x = graph.node(model, "Cast", [x], to=TensorProto.FLOAT)
    x = graph.node(model, "Transpose", [x], perm=[0, 3, 1, 2])
    mean, std = (
        graph.tensor(name, torch.tensor(values, dtype=torch.float32).reshape(3, 1, 1))
        for name, values in (("mean", protocol.mean), ("std", protocol.std))
    )
    return graph.node(model, "Div", [graph.node(model, "Sub", [x, mean]), std])


def _stages(graph: _Graph, model: VAN, x: str) -> str:
    for stage in model.stages:
        assert isinstance(stage, Stage)
        x = _stage(graph, stage, x)
    return x


def _pooled_and_classified(graph: _Graph, model: VAN, x: str) -> onnx.ValueInfoProto:
    """Add the last operations; the result of the graph."""
    x, head = graph.node(model, "GlobalAveragePool", [x]), model.head
    if isinstance(head, nn.Linear):
        x = graph.node(model, "Flatten", [x], axis=1)
        weights = graph.weight(head, "weight"), graph.weight(head, "bias")
        graph.node(head, "Gemm", [x, *weights], output=LOGITS, transB=1)
        return _described(LOGITS, TensorProto.FLOAT, head.out_features)
    graph.node(model, "Flatten", [x], output=FEATURES, axis=1)
    last = model.stages[-1]
    assert isinstance(last, Stage)
    return _described(FEATURES, TensorProto.FLOAT, last.norm.weight.numel())


def _stage(graph: _Graph, stage: Stage, x: str) -> str:
    x = _batch_norm(graph, stage.patch_embed.norm, _conv(graph, stage.patch_embed.conv, x))
    for block in stage.blocks:
        assert isinstance(block, Block)
        x = _block(graph, block, x)
    x = graph.node(stage, "Transpose", [x], perm=[0, 2, 3, 1])
    weights = graph.weight(stage.norm, "weight"), graph.weight(stage.norm, "bias")
    eps = stage.norm.eps
    x = graph.node(stage.norm, "LayerNormalization", [x, *weights], axis=-1, epsilon=eps)
    return graph.node(stage, "Transpose", [x], perm=[0, 3, 1, 2])


def _block(graph: _Graph, block: Block, x: str) -> str:
    y = _attention(graph, block.attention, _batch_norm(graph, block.norm1, x))
    x = graph.node(block, "Add", [x, _scaled(graph, block, "layer_scale1", y)])
    y = _mlp(graph, block.mlp, _batch_norm(graph, block.norm2, x))
    return graph.node(block, "Add", [x, _scaled(graph, block, "layer_scale2", y)])


def _attention(graph: _Graph, attention: Attention, y: str) -> str:
    u = _gelu(graph, attention, _conv(graph, attention.proj_in, y))
    gate = _conv(graph, attention.lka.depthwise, u)
    gate = _conv(graph, attention.lka.depthwise_dilated, gate)
    gate = _conv(graph, attention.lka.pointwise, gate)
    gated = graph.node(attention.lka, "Mul", [u, gate])
    return graph.node(attention, "Add", [_conv(graph, attention.proj_out, gated), y])


def _mlp(graph: _Graph, mlp: Mlp, y: str) -> str:
    y = _gelu(graph, mlp, _conv(graph, mlp.depthwise, _conv(graph, mlp.fc1, y)))
    return _conv(graph, mlp.fc2, y)


def _conv(graph: _Graph, conv: nn.Conv2d, x: str) -> str:
    weights = graph.weight(conv, "weight"), graph.weight(conv, "bias")
    top, left = (int(side) for side in conv.padding)
    return graph.node(
        conv,
        "Conv",
        [x, *weights],
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        dilations=list(conv.dilation),
        pads=[top, left, top, left],
        group=conv.groups,
    )


def _batch_norm(graph: _Graph, norm: nn.BatchNorm2d, x: str) -> str:
    names = ("weight", "bias", "running_mean", "running_var")
    weights = [graph.weight(norm, name) for name in names]
    return graph.node(norm, "BatchNormalization", [x, *weights], epsilon=norm.eps)


def _scaled(graph: _Graph, block: Block, name: str, x: str) -> str:
    return graph.node(block, "Mul", [x, graph.weight(block, name, (-1, 1, 1))])


def _gelu(graph: _Graph, of: nn.Module, x: str) -> str:
    """The exact GELU, x · (1 + erf(x / √2)) / 2, in the form that runtimes recognise and fuse."""
    erf = graph.node(of, "Erf", [graph.node(of, "Div", [x, graph.constant(math.sqrt(2))])])
    one_plus = graph.node(of, "Add", [erf, graph.constant(1.0)])
    return graph.node(of, "Mul", [graph.node(of, "Mul", [x, one_plus]), graph.constant(0.5)])
