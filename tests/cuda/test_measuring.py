"""On a GPU: the trial uses every variant, and the benchmark's record is complete."""

from tests.cuda.device import CUDA, MARKS
from tests.support.models import TINY
from vanbench.benchmark.bench import BenchOptions, bench
from vanbench.inference.autotune import candidates, tune
from vanbench.inference.optimized import default_config

pytestmark = MARKS


def test_the_trial_uses_every_variant():
    result = tune(CUDA)
    assert result.dropped == {}
    assert result.seconds.keys() == candidates(default_config(CUDA), CUDA).keys()


def test_the_benchmark_measures():
    options = BenchOptions(CUDA, batch_size=4, seconds=0, rewrite=tune(CUDA).config)
    record = bench("tiny.test", TINY, options)
    assert record.same_top5
    assert record.max_relative_error < 1e-4
    assert record.reference.peak_memory > 0
    assert record.optimized.peak_memory > 0
    assert record.ceiling.images_per_s > 0
    assert record.environment.gpu
