"""How the exact rewrite runs on a machine: variants that give the same logits up to rounding.

No torch here: records hold a RewriteConfig.
"""

from dataclasses import dataclass

from vanbench.typed_json import from_json

PART_BYTES = 850_000  # of a part of an MLP; found by trial on cores with 1 MiB of L2 cache


@dataclass(frozen=True)
class RewriteConfig:
    """Which variant runs; any gives the same logits up to rounding.

    ``regroup``: for each stage, whether its dilated convolutions run on regrouped planes.
    ``pack``: whether oneDNN's fused kernels are used where they can be (CPU).
    ``part_bytes``: about the size of one image's hidden features in a part of an MLP; 0: no parts.
    ``micro_batch``: images that go through the network together; 0 means all of a batch. With
    packed weights, twice as many go together through the last two stages.
    ``parallel``: whether each core takes micro-batches of its own; else all share each operation.
    ``triton``: whether depth-wise convolutions run in a kernel of Triton where they can (CUDA).
    """

    regroup: tuple[bool, bool, bool, bool] = (True, True, True, True)
    """For each stage, whether its dilated convolutions run on regrouped planes."""
    pack: bool = True
    """Whether oneDNN's fused kernels are used where they can be."""
    part_bytes: int = PART_BYTES
    """About the size in bytes of one image's hidden features in a part of an MLP; 0: no parts."""
    micro_batch: int = 4
    """Images that go through the network together; 0: all of a batch."""
    parallel: bool = True
    """Whether each core takes micro-batches of its own."""
    triton: bool = False
    """Whether depth-wise convolutions run in a kernel of Triton where they can (CUDA)."""

    def __post_init__(self) -> None:
        if min(self.part_bytes, self.micro_batch) < 0:
            raise ValueError("part_bytes and micro_batch must be 0 or more")

    @classmethod
    def from_json(cls, text: str) -> "RewriteConfig":
        """The config that a record holds; ValueError if the text is no such object.

        What it does not name has its default.

        >>> RewriteConfig.from_json('{"micro_batch": 2}').micro_batch
        2
        """
        return from_json(cls, text)
