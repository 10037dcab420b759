"""The optimised VAN: the exact rewrite's steps in order, and how they are configured.

``optimize`` is what a program calls. Which of several exact variants is fastest depends on the
machine; ``autotune.tune`` finds out in a second or two. Its result can be recorded and used again.
"""

import copy
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from threading import Barrier
from typing import Any

import torch
from torch import Tensor, nn

from vanbench.inference import memory, packed, passes
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.van import VAN


def default_config(device: torch.device) -> RewriteConfig:
    """The config that suits most machines with this kind of device."""
    if device.type == "cpu":
        return RewriteConfig()
    return RewriteConfig(pack=False, part_bytes=0, micro_batch=0, parallel=False)


class OptimizedVAN(nn.Module):
    """A rewritten VAN for inference: maps (N, 3, H, W) to logits (N, classes).

    It computes in micro-batches. With packed weights it computes in the precision that they were
    packed for, also under autocast, and cannot be copied, saved or moved: its ``state_dict`` does
    not have them.
    """

    def __init__(self, network: nn.Module, config: RewriteConfig, at_once: int):
        super().__init__()
        self.network, self.config, self.at_once = network, config, at_once
        self.packed = any(isinstance(module, packed.PackedStage) for module in network.modules())

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        kind = x.device.type
        if not (self.packed and torch.is_autocast_enabled(kind)):
            return self._in_pieces(x)
        with torch.autocast(kind, enabled=False):
            return self._in_pieces(x.float())

    def _in_pieces(self, x: Tensor) -> Tensor:
        threads = torch.get_num_threads() if self.config.parallel else 1
        pieces = torch.split(x, _piece_size(len(x), self.at_once, threads))
        if len(pieces) == 1:
            return self.network(x)
        if threads == 1:
            return torch.cat([self.network(piece) for piece in pieces])
        return torch.cat(_in_threads(self.network, pieces, threads))


def _piece_size(images: int, micro_batch: int, threads: int) -> int:
    """Images per piece: at most ``micro_batch``, and something for every thread."""
    share = -(-images // threads)
    return max(1, min(micro_batch or images, share))


def _in_threads(network: nn.Module, pieces: Sequence[Tensor], threads: int) -> list[Tensor]:
    """``network`` of each piece, on ``threads`` threads, each operation on one thread.

    Threads that share no operation do not wait for each other, and each core's cache holds its own
    micro-batch. Grad mode and autocast belong to a thread, so they are set in each.
    """
    kind = pieces[0].device.type
    dtype, enabled = torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)

    def run(piece: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(kind, dtype, enabled=enabled):
            return network(piece)

    return list(_pool(threads, os.getpid()).map(run, pieces))


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """``threads`` threads with one OpenMP thread each; the caller keeps its own number.

    A forked process has none of the threads of its parent, so each process makes its own.
    """
    own = torch.get_num_threads()
    started = Barrier(threads + 1)
    held: list[Tensor | None] = []

    def start() -> None:
        held.append(memory.hold_heaps())
        torch.get_num_threads()  # a thread's first call would undo what was set before it
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(threads, initializer=start)
    for _ in range(threads):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(own)  # the default of threads to come, which start() has changed
    return pool


PACKED_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""The precisions that weights can be packed for."""

STEPS: dict[str, Callable[..., None]] = {
    "fold_patch_embed": passes.fold_patch_embed,
    "fold_norm1": passes.fold_norm1,
    "fold_norm2": passes.fold_norm2,
    "fold_layer_scales": passes.fold_layer_scales,
    "regroup_dilated": passes.regroup_dilated,
    "split_mlp": passes.split_mlp,
    "pack_stages": packed.pack_stages,
    "channels_last": passes.channels_last,
    "depthwise_in_triton": passes.depthwise_in_triton,
    "fuse_operators": passes.fuse_operators,
}
"""The steps in their order; OptimizedVAN does ``micro_batch`` and ``parallel`` after them."""


def optimize(
    model: VAN, *, config: RewriteConfig | None = None, precision: str = "fp32"
) -> OptimizedVAN:
    """A module with the same logits as ``model`` in eval mode, faster (docs/performance.md).

    Args:
        model: A VAN of this package, which stays as it is.
        config: Which variant of the rewrite runs. The default suits most machines;
            ``vanbench.inference.autotune.tune`` finds the best for this one.
        precision: What packed weights compute in: ``fp32``, or ``bf16`` for logits that are
            close to those of ``model``. In any other, nothing is packed.

    Returns:
        A copy for inference on the same device in the same dtype. On a CPU its weights are packed:
        it computes in ``precision`` also under autocast, and cannot be copied, saved or moved.
        ``RewriteConfig(pack=False)`` makes one that can, somewhat slower.

    Raises:
        TypeError: The model is no VAN of this package.

    >>> fast = vanbench.optimize(vanbench.create_model("van_b0"))
    """
    _require_van(model)
    device = next(model.parameters()).device
    config = config or default_config(device)
    if device.type == "cpu":
        memory.keep_freed_blocks()
    network = copy.deepcopy(model).eval().requires_grad_(False)
    dtype = PACKED_DTYPES.get(precision) if config.pack else None
    small = (
        2 if dtype == torch.bfloat16 else 1
    )  # so many features take as much memory as one in float32
    first, later = config.micro_batch, 2 * config.micro_batch  # where features are smaller
    options: dict[str, dict[str, Any]] = {
        "regroup_dilated": {"stages": config.regroup},
        "split_mlp": {"part_bytes": small * config.part_bytes},
        "pack_stages": {"dtype": dtype, "at_once": (first, first, later, later)},
        "depthwise_in_triton": {"chosen": config.triton},
    }
    for name, step in STEPS.items():
        step(network, **options.get(name, {}))
    packs = any(isinstance(module, packed.PackedStage) for module in network.modules())
    return OptimizedVAN(network, config, later if packs else config.micro_batch)


def compiled(model: VAN, *, config: RewriteConfig | None = None) -> OptimizedVAN:
    """``optimize(model)`` with torch's compiler on top; its first call takes minutes.

    The compiler fuses element-wise operations itself and cannot see into packed weights, so it
    gets torch's own convolutions. Raises TypeError for anything but a VAN of this package.
    """
    _require_van(model)
    config = config or default_config(next(model.parameters()).device)
    fast = optimize(model, config=replace(config, pack=False))
    fast.network.compile(options={"freezing": True})
    return fast


def _require_van(model: object) -> None:
    """TypeError unless ``model`` is a VAN; it says what to pass instead of a wrapper."""
    if isinstance(model, VAN):
        return
    advice = "Load one with vanbench.load_model, or make one with vanbench.create_model."
    if isinstance(model, OptimizedVAN):
        advice = "It is optimized already."
    for wrapped in ("module", "_orig_mod"):  # DataParallel and DDP; torch.compile
        if isinstance(getattr(model, wrapped, None), VAN):
            advice = f"Pass its .{wrapped}."
    kind = type(model)
    raise TypeError(f"expected a VAN, found {kind.__module__}.{kind.__qualname__}. {advice}")
