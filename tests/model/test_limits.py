"""What a zoo may declare: the published networks with room to spare, and nothing absurd."""

import time

import pytest

from vanbench.model import limits
from vanbench.model.architecture import ARCHITECTURES, Architecture


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
@pytest.mark.parametrize("side", [32, 224, 1024])
def test_the_published_networks_are_within_the_limits(architecture, side):
    assert limits.excess(architecture, side) is None


def test_the_smallest_published_network_at_larger_sides():
    assert limits.excess(ARCHITECTURES["van_b0"], 2048) is None
    assert "features at once" in str(limits.excess(ARCHITECTURES["van_b0"], 4096))


SMALL = Architecture((8,) * 4, (1,) * 4)


@pytest.mark.parametrize(
    ("architecture", "side", "message"),
    [
        (Architecture((8,) * 4, (65, 64, 64, 64)), 32, "257 blocks, and the limit is 256"),
        (Architecture((4096,) * 4, (1,) * 4), 32, "parameters, and the limit is 1,000,000,000"),
        (Architecture((8, 8, 4096, 8), (1,) * 4), 4096, "1,073,741,824 features at once at 4096×4096, and"),
        (Architecture((8, 8, 8, 10**9), (1,) * 4), 32, "parameters, and the limit is 1,000,000,000"),
        (SMALL, 10**30, "features at once at 1000000000000000000000000000000×10"),
        (ARCHITECTURES["van_b6"], 1200, "FLOPs at 1200×1200, and the limit is 1,000,000,000,000"),
    ],
)  # fmt: skip
def test_what_is_too_large(architecture, side, message):
    begin = time.perf_counter()
    assert message in str(limits.excess(architecture, side))
    assert time.perf_counter() - begin < 0.1
