"""A kind of file that the fuzzer changes, and what reading it must give."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.mutators import Mutator, any_bytes, replace_all


def nothing_wrong(original: Any, found: Any) -> str:
    """For kinds without a checksum: a change may give another valid content."""
    return ""


@dataclass(frozen=True)
class Kind:
    """``make`` writes valid files into an empty folder and returns those that are changed.

    ``read`` takes the folder and the changed file, and returns what was understood, as text or
    other plain data; ``wrong`` compares that with what the valid files give, and returns what must
    not be, or nothing. ``mutators`` know the format; half of the cases use them.
    """

    make: Callable[[Path], list[Path]]
    read: Callable[[Path, Path], Any]
    mutators: tuple[Mutator, ...] = ()
    wrong: Callable[[Any, Any], str] = nothing_wrong

    def mutate(self, data: bytes, chance: random.Random) -> bytes:
        """The content with some changes; rarely another content altogether."""
        if chance.random() < 0.01:
            return replace_all(data, chance)
        if self.mutators and chance.random() < 0.5:
            data = chance.choice(self.mutators)(data, chance)
            return data if chance.random() < 0.8 else any_bytes(data, chance)
        return any_bytes(data, chance)
