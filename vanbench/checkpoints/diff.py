"""Two files of weights, tensor by tensor, whatever their naming."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vanbench.checkpoints.key_names import detect, to_native
from vanbench.checkpoints.state_dict import read_state_dicts
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

    Two tensors are the same if they have one type and equal values; NaN is equal to NaN here.
    ``choices`` says which weights were taken of a file that has more; None where it has no others.
    """

    formats: tuple[str, str]
    equal: int
    differences: tuple[TensorDifference, ...]
    choices: tuple[str | None, str | None] = (None, None)

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
    one, other = read_state_dicts(first), read_state_dicts(second)
    (name_a, a), (name_b, b) = _native(first, one.state), _native(second, other.state)
    names = sorted(a.keys() | b.keys())
    differences = tuple(d for name in names if (d := _difference(name, a, b)))
    return FileComparison(
        formats=(name_a, name_b),
        equal=len(names) - len(differences),
        differences=differences,
        choices=(one.choice, other.choice),
    )


def _native(path: Path, state: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    """The naming of a file's tensors, and the tensors by the reference model's names."""
    with located(path):
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
        return TensorDifference(name, f"shape {_shape(left)} and {_shape(right)}")
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


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "()"
