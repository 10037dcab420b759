"""Memory for features on the CPU: what a pass freed is there for the next one.

A block that the C library has given back to the kernel is mapped anew, page by page, and cleared:
features are as large as such blocks, and half of a pass can go into that. These functions make
glibc keep them. They write to nothing, so they take no memory, and do no harm with another library.
"""

import torch
from torch import Tensor

MIB = 1 << 20


def keep_freed_blocks() -> None:
    """Let glibc keep freed blocks of up to 31 MiB.

    It begins by giving back every block of 128 kB or more. It stops that for blocks of up to the
    largest size that was given back, if that is at most 32 MiB.
    """
    _blocks(31 * MIB)


def hold_heaps() -> Tensor | None:
    """Let glibc keep the memory of the calling thread, as long as the result lives.

    In every thread but the main one, memory is in heaps of 64 MiB, and glibc gives back the last
    heap whenever it is empty. The result is a small block in the third heap, and keeps all three.
    Comes after ``keep_freed_blocks``.
    """
    blocks = _blocks(*[30 * MIB] * 5, 64 << 10)
    return blocks[-1] if blocks else None


def _blocks(*sizes: int) -> list[Tensor]:
    """Blocks of these sizes at the same time; none where this process may not have so much."""
    try:
        return [torch.empty(size, dtype=torch.uint8, device="cpu") for size in sizes]
    except RuntimeError:
        return []
