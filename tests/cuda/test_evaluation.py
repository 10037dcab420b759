"""On a GPU: a pass over images gives what the CPU gives, waits for nothing, and survives."""

import json

import pytest
import torch
from torch import nn

from tests.cuda.device import CUDA, MARKS
from tests.support.arranged import picture
from tests.support.command_line import run as command
from tests.support.models import randomized
from tests.support.runs import CLASSES, PROTOCOL
from vanbench.data.open import open_images
from vanbench.evaluation.crops import in_pieces
from vanbench.evaluation.plan import COUNT_WRONG, RunOptions
from vanbench.evaluation.predict import predict
from vanbench.inference.autotune import tune
from vanbench.inference.optimized import optimize

pytestmark = MARKS

BROKEN, IMAGES = 4, 37
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """37 images, of which one cannot be decoded."""
    folder = tmp_path_factory.mktemp("data") / CLASSES[0]
    folder.mkdir()
    for number in range(IMAGES):
        content = b"no image" if number == BROKEN else picture(number)
        (folder / f"{number:02d}.jpg").write_bytes(content)
    return open_images(folder.parent, PROTOCOL.class_ids)


def networks(device):
    models = {str(seed): randomized(seed=seed).to(device) for seed in range(3)}
    config = tune(CUDA).config if device.type == "cuda" else None
    return {name: optimize(model, config=config) for name, model in models.items()}


def pass_over(images, models, device, **options):
    """The class indices and logits by model, in the order of the images; and the batches."""
    how = RunOptions(on_error=COUNT_WRONG, **{"batch_size": 8, "workers": 0} | options)
    batches = list(predict(models, images, PROTOCOL, in_pieces(range(IMAGES), 4), device, how))
    assert not any(batch.failures for batch in batches)
    assert [index for batch in batches for index in batch.indices] == list(range(IMAGES))
    top = {name: torch.cat([batch.top[name] for batch in batches]) for name in models}
    logits = {name: torch.cat([batch.logits[name] for batch in batches]) for name in models}
    return top, logits, batches


def check(found, expected):
    """The same classes but where logits are as close as rounding, and the same logits."""
    for name in expected[0]:
        readable = torch.arange(IMAGES) != BROKEN
        assert bool((found[0][name][BROKEN] == -1).all())
        a, b = found[1][name][readable], expected[1][name][readable]
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))
        same = found[0][name][readable] == expected[0][name][readable]
        assert float(same.float().mean()) > 0.95


@pytest.fixture(scope="module")
def expected(images):
    return pass_over(images, networks(CPU), CPU)


@pytest.mark.parametrize(
    "options", [{}, {"batch_size": 1}, {"batch_size": 256, "workers": 2}, {"workers": 3}], ids=str
)
def test_the_predictions_are_the_cpus(options, images, expected):
    check(pass_over(images, networks(CUDA), CUDA, **options), expected)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs a second GPU")
def test_the_predictions_of_another_gpu_are_the_cpus(images, expected):
    second = torch.device("cuda", 1)
    check(pass_over(images, networks(second), second), expected)


def test_nothing_but_the_results_waits_for_the_gpu(images):
    models = networks(CUDA)
    pass_over(images, models, CUDA)  # Triton compiles, and cuDNN chooses its algorithms
    torch.cuda.set_sync_debug_mode("error")
    try:
        pass_over(images, models, CUDA, workers=2)
    finally:
        torch.cuda.set_sync_debug_mode("default")


class Large(nn.Module):
    """A network that needs a third of the GPU's memory for each image."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        third = torch.cuda.get_device_properties(x.device).total_memory // 3
        torch.empty(len(x) * third, dtype=torch.uint8, device=x.device)
        return self.network(x)


def test_a_network_that_runs_out_of_memory_computes_smaller_parts(images, expected):
    models = {name: Large(network) for name, network in networks(CUDA).items()}
    found = pass_over(images, models, CUDA)
    check(found, expected)
    assert max(found[2][-1].reduced.values()) <= 2


def test_verify_counts_on_the_gpu_what_it_counts_on_the_cpu(tmp_path):
    counts = {}
    for device in ("cpu", "cuda"):
        outcome = command(
            "verify", "--all", "--zoo", "demo", "--json", "--workers", 0, "--device", device,
            "--results", tmp_path / device,
        )  # fmt: skip
        models = json.loads(outcome.stdout)["models"]
        counts[device] = [(m["name"], m["top1"], m["top5"]) for m in models]
    assert counts["cuda"] == counts["cpu"]
