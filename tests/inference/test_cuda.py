"""On a CUDA device: the rewrite keeps the logits there, and the trial and the benchmark run."""

import pytest
import torch

from tests.support.models import TINY, randomized
from vanbench.benchmark.bench import BenchOptions, bench
from vanbench.devices import numerics
from vanbench.inference.autotune import tune
from vanbench.inference.optimized import optimize
from vanbench.inference.rewrite_config import RewriteConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

CUDA = torch.device("cuda")


@pytest.mark.parametrize("regroup", [True, False])
@pytest.mark.parametrize("micro_batch", [0, 2])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 5e-5)])
def test_the_rewrite_keeps_the_logits(regroup, micro_batch, dtype, bound):
    model = randomized().to(CUDA, dtype)
    x = torch.randn(5, 3, 65, 95, device=CUDA, dtype=dtype)
    choices = RewriteConfig((regroup,) * 4, pack=False, micro_batch=micro_batch, parallel=False)
    with numerics(CUDA, "fp32"), torch.inference_mode():
        expected, found = model(x), optimize(model, config=choices)(x)
    assert found.device.type == "cuda"
    assert float((found - expected).abs().max() / expected.abs().max()) < bound


def test_the_trial_decides_and_the_benchmark_measures():
    options = BenchOptions(CUDA, batch_size=4, seconds=0, rewrite=tune(CUDA).config)
    record = bench("tiny.test", TINY, options)
    assert record.same_top5
    assert record.optimized.peak_memory > 0
