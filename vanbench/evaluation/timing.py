"""A stopwatch for work on a device."""

from time import perf_counter
from typing import Any

import torch


class Stopwatch:
    """Moments in the work of a device, which a GPU reaches later than the program does."""

    def __init__(self, device: torch.device):
        self.device, self.on_gpu = device, device.type == "cuda" and torch.cuda.is_available()
        self.moments: list[Any] = []
        self.mark()

    def mark(self) -> None:
        """Note the moment when all work that was started before is done."""
        if self.on_gpu:
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self.device))  # else that of the current device
            self.moments.append(event)
        else:
            self.moments.append(perf_counter())

    def seconds(self) -> list[float]:
        """The seconds between one moment and the next; waits for the last one."""
        pairs = zip(self.moments, self.moments[1:], strict=False)
        if not self.on_gpu:
            return [later - earlier for earlier, later in pairs]
        self.moments[-1].synchronize()
        return [earlier.elapsed_time(later) / 1e3 for earlier, later in pairs]
