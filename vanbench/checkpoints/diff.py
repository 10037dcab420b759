"""Two files of weights, tensor by tensor, whatever their naming."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vanbench.checkpoints.key_names import detect, to_native
from vanbench.checkpoints.state_dict import read_state_dict
from vanbench.errors import located


@dataclass(frozen=True)
class TensorDifference:
    """One tensor, by the reference model's name, that the two files do not share."""

    name: str
    what: str
    largest: float | None = None  # of the absolute differences


@dataclass(frozen=True)
class FileComparison:
    """``formats`` are the namings of both files; ``equal`` counts the tensors that are the same.

    The same are two tensors of one type with equal values; NaN is equal to NaN here.
    """

    formats: tuple[str, str]
    equal: int
    differences: tuple[TensorDifference, ...]

    @property
    def same(self) -> bool:
        """Whether both files hold the same network."""
        return not self.differences

    @property
    def largest(self) -> float | None:
        """The largest absolute difference of two values; None where no two can be compared."""
        apart = [d.largest for d in self.differences if d.largest is not None]
        return max(apart, default=None)


def compare_files(first: Path, second: Path) -> FileComparison:
    """What two checkpoints share and where they differ.

    Counters of training steps (``num_batches_tracked``) and tensors that a format never uses are
    left out: no forward pass reads them. Raises CheckpointError if a file is not a VAN's.
    """
    (name_a, a), (name_b, b) = _native(first), _native(second)
    differences = [d for name in sorted(a.keys() | b.keys()) if (d := _difference(name, a, b))]
    return FileComparison((name_a, name_b), len(a.keys() | b.keys()) - len(differences),
                      tuple(differences))  # fmt: skip


def _native(path: Path) -> tuple[str, dict[str, Tensor]]:
    """The naming of a file, and its tensors by the reference model's names."""
    with located(path):
        state = read_state_dict(path)
        source = detect(state)
    native, unknown = to_native(state, source)
    named = {**native, **{key: state[key] for key in unknown}}
    return source.name, {k: v for k, v in named.items() if not k.endswith("num_batches_tracked")}


def _difference(
    name: str, a: Mapping[str, Tensor], b: Mapping[str, Tensor]
) -> TensorDifference | None:
    if name not in a or name not in b:
        return TensorDifference(name, f"only in the {'first' if name in a else 'second'} file")
    left, right = a[name], b[name]
    if left.shape != right.shape:
        return TensorDifference(name, f"shape {tuple(left.shape)} and {tuple(right.shape)}")
    x, y = left.double(), right.double()
    unequal = ~((x == y) | (x.isnan() & y.isnan()))
    if not unequal.any():
        if left.dtype == right.dtype:
            return None
        return TensorDifference(name, f"the same values as {left.dtype} and {right.dtype}", 0.0)
    apart = float((x - y)[unequal].abs().max())
    if not math.isfinite(apart):
        return TensorDifference(name, "NaN or infinite in one of the files only")
    return TensorDifference(name, f"differs by up to {apart:.3g}", apart)
