"""A declared tensor is accepted only if its storage holds each of its elements once."""

import pytest

from vanbench.checkpoints.stored import MOST_DIMS, Malformed, Storage, StoredTensor

SIX = Storage("0", "torch.FloatStorage", 6)


def test_the_bytes_of_a_storage():
    assert SIX.nbytes == 24
    assert Storage("0", "torch.HalfStorage", 6).nbytes == 12


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (2, 3), (3, 1)), (0, (3, 2), (1, 3)), (5, (), ()), (6, (0,), (1,)), (1, (5,), (1,))],
)
def test_a_tensor_within_its_storage(offset, size, stride):
    StoredTensor(SIX, offset, size, stride).check("a")


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (1, (6,), (1,)),  # one element too far
        (0, (2, 3), (4, 1)),
        (0, (7,), (0,)),  # one element several times
        (0, (2, 2), (1, 1)),  # elements of its own twice
        (7, (0,), (1,)),
        (-1, (1,), (1,)),
        (0, (1,), (-1,)),
        (0, (1, 1), (1,)),
        (0, (True,), (1,)),
        (0, (1 << 61, 0), (1, 1)),
        (0, (1,) * (MOST_DIMS + 1), (1,) * (MOST_DIMS + 1)),
    ],
)
def test_any_other_tensor_is_refused_by_name(offset, size, stride):
    with pytest.raises(Malformed, match="weight"):
        StoredTensor(SIX, offset, size, stride).check("weight")
