"""The C allocator of this process: whether memory that a tensor leaves is kept for the next one.

glibc gives large blocks back to the kernel at once, which then has to map and clear each page of
the next tensor anew. A forward pass makes and drops tensors of the same sizes over and over, so
on a CPU that costs a plain VAN half of its time and a rewritten one a tenth.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # glibc's malloc.h
_NEVER = -1  # becomes the largest size_t


_kept = False


def keep_freed_memory() -> bool:
    """Keep what is freed in the heap, until the process ends; whether the allocator is glibc's.

    It holds for the whole process. Threads that allocated before keep arenas of their own, so call
    it before a fast model first runs.
    """
    global _kept
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        settings = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER, _M_ARENA_MAX: 1}
        _kept = all(mallopt(name, value) == 1 for name, value in settings.items())
    return _kept


def freed_memory_is_kept() -> bool:
    """Whether this process keeps it, for the record."""
    return _kept
