"""A VAN as an ONNX graph: the reference's operations, one by one, under the names of its tensors.

Nothing is folded or rewritten here, so that every weight of the file can be compared with the
checkpoint's; runtimes optimise the graph themselves. The initialisers keep the names of the model's
``state_dict``.

Shapes: N images, C channels, H × W positions of a feature map.
"""

import math
from collections.abc import Sequence
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from vanbench.model.van import VAN, Attention, Block, Mlp, Stage

OPSET = 17
"""The first with LayerNormalization; what it needs has been in all runtimes since 2022."""

INPUT, OUTPUT = "images", "logits"
BATCH = "batch"  # the name of the dimension that may have any size


def onnx_model(model: VAN, resolution: int) -> onnx.ModelProto:
    """The graph from ``images``, float32 (N, 3, resolution, resolution), to logits (N, classes).

    ``model`` computes in eval mode, and N may be any number.
    """
    graph = _Graph(model)
    x = _van(graph, model, INPUT)
    graph.node("Identity", [x], output=OUTPUT)
    head: Any = model.head
    last: Any = model.stages[-1]
    outputs = head.out_features if isinstance(head, torch.nn.Linear) else last.norm.weight.numel()
    image = helper.make_tensor_value_info(
        INPUT, TensorProto.FLOAT, [BATCH, 3, resolution, resolution]
    )
    logits = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [BATCH, outputs])
    return helper.make_model(
        helper.make_graph(graph.nodes, "VAN", [image], [logits], graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,  # the one that came with this opset
        producer_name="vanbench",
    )


class _Graph:
    """Nodes and initialisers as they are added; a value is called by the node that makes it."""

    def __init__(self, model: VAN):
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._names = {id(module): name for name, module in model.named_modules()}
        self._constants: dict[tuple[float, ...] | float, str] = {}

    def node(self, op: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add an operation; the name of its result."""
        name = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def weight(self, module: object, name: str, shape: tuple[int, ...] | None = None) -> str:
        """Add a tensor of a module, under its name in the state dict."""
        tensor = getattr(module, name).detach().float().cpu()
        full = f"{self._names[id(module)]}.{name}"
        array = tensor.reshape(shape or tensor.shape).contiguous().numpy()
        self.initializers.append(numpy_helper.from_array(array, full))
        return full

    def constant(self, value: float) -> str:
        """A scalar float32, kept once."""
        if value not in self._constants:
            name = f"constant_{len(self._constants)}"
            tensor = helper.make_tensor(name, TensorProto.FLOAT, [], [value])
            self.initializers.append(tensor)
            self._constants[value] = name
        return self._constants[value]


def _van(graph: _Graph, model: VAN, x: str) -> str:
    for stage in model.stages:
        assert isinstance(stage, Stage)
        x = _stage(graph, stage, x)
    x = graph.node("GlobalAveragePool", [x])
    x = graph.node("Flatten", [x], axis=1)
    if not isinstance(model.head, torch.nn.Linear):
        return x
    weights = graph.weight(model.head, "weight"), graph.weight(model.head, "bias")
    return graph.node("Gemm", [x, *weights], transB=1)


def _stage(graph: _Graph, stage: Stage, x: str) -> str:
    x = _batch_norm(graph, stage.patch_embed.norm, _conv(graph, stage.patch_embed.conv, x))
    for block in stage.blocks:
        assert isinstance(block, Block)
        x = _block(graph, block, x)
    x = graph.node("Transpose", [x], perm=[0, 2, 3, 1])
    weights = graph.weight(stage.norm, "weight"), graph.weight(stage.norm, "bias")
    x = graph.node("LayerNormalization", [x, *weights], axis=-1, epsilon=stage.norm.eps)
    return graph.node("Transpose", [x], perm=[0, 3, 1, 2])


def _block(graph: _Graph, block: Block, x: str) -> str:
    y = _attention(graph, block.attention, _batch_norm(graph, block.norm1, x))
    x = graph.node("Add", [x, _scaled(graph, block, "layer_scale1", y)])
    y = _mlp(graph, block.mlp, _batch_norm(graph, block.norm2, x))
    return graph.node("Add", [x, _scaled(graph, block, "layer_scale2", y)])


def _attention(graph: _Graph, attention: Attention, y: str) -> str:
    u = _gelu(graph, _conv(graph, attention.proj_in, y))
    gate = _conv(graph, attention.lka.depthwise, u)
    gate = _conv(graph, attention.lka.depthwise_dilated, gate)
    gate = _conv(graph, attention.lka.pointwise, gate)
    out = _conv(graph, attention.proj_out, graph.node("Mul", [u, gate]))
    return graph.node("Add", [out, y])


def _mlp(graph: _Graph, mlp: Mlp, y: str) -> str:
    y = _gelu(graph, _conv(graph, mlp.depthwise, _conv(graph, mlp.fc1, y)))
    return _conv(graph, mlp.fc2, y)


def _conv(graph: _Graph, conv: torch.nn.Conv2d, x: str) -> str:
    weights = graph.weight(conv, "weight"), graph.weight(conv, "bias")
    top, left = (int(side) for side in conv.padding)
    return graph.node(
        "Conv",
        [x, *weights],
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        dilations=list(conv.dilation),
        pads=[top, left, top, left],
        group=conv.groups,
    )


def _batch_norm(graph: _Graph, norm: torch.nn.BatchNorm2d, x: str) -> str:
    names = ("weight", "bias", "running_mean", "running_var")
    return graph.node(
        "BatchNormalization", [x, *(graph.weight(norm, name) for name in names)], epsilon=norm.eps
    )


def _scaled(graph: _Graph, block: Block, name: str, x: str) -> str:
    return graph.node("Mul", [x, graph.weight(block, name, (-1, 1, 1))])


def _gelu(graph: _Graph, x: str) -> str:
    """The exact GELU, x · (1 + erf(x / √2)) / 2, in the form that runtimes recognise and fuse."""
    erf = graph.node("Erf", [graph.node("Div", [x, graph.constant(math.sqrt(2))])])
    one_plus = graph.node("Add", [erf, graph.constant(1.0)])
    return graph.node("Mul", [graph.node("Mul", [x, one_plus]), graph.constant(0.5)])
