"""The evaluation loop on a CUDA device: what is copied between host and GPU."""

from dataclasses import replace

import pytest
import torch

from tests.fake_cuda.test_networks import VARIANTS, uninitialized
from tests.fake_cuda.trace import CUDA, Trace, fake_tensors, is_channels_last
from tests.support.arranged import picture
from tests.support.runs import CLASSES, PROTOCOL
from vanbench.data.open import open_images
from vanbench.evaluation import crops, predict
from vanbench.evaluation.crops import in_pieces
from vanbench.evaluation.plan import COUNT_WRONG, RunOptions
from vanbench.inference.optimized import optimize

BROKEN, IMAGES = 4, 7
NETWORKS = ("reference", *VARIANTS)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Seven images, of which one cannot be decoded."""
    folder = tmp_path_factory.mktemp("data") / CLASSES[0]
    folder.mkdir()
    for number in range(IMAGES):
        content = b"no image" if number == BROKEN else picture(number)
        (folder / f"{number}.jpg").write_bytes(content)
    return open_images(folder.parent, PROTOCOL.class_ids)


@pytest.fixture
def run(images, monkeypatch):
    """The batches of a pass of four images, then three, and what was called.

    The models are the reference and each variant of the rewrite. The images are decoded before,
    where tensors have values.
    """

    def trace_pass(names=NETWORKS, wrap=lambda network: network, **options):
        models = {name: uninitialized() for name in names}
        how = RunOptions(batch_size=4, workers=0, on_error=COUNT_WRONG, **options)
        pieces = list(in_pieces(range(IMAGES), 2))
        decoded = list(crops.load(crops.CropsOf(images, PROTOCOL), pieces, 0))
        with fake_tensors() as mode:
            parts = [replace(part, pixels=mode.from_tensor(part.pixels)) for part in decoded]
            monkeypatch.setattr(predict, "load", lambda *_, **__: iter(parts))
            for name, model in models.items():
                config = VARIANTS.get(name)
                model.to(CUDA)
                models[name] = wrap(optimize(model, config=config) if config else model)
            with Trace() as trace:
                batches = list(predict.predict(models, images, PROTOCOL, pieces, CUDA, how))
        return batches, trace

    return trace_pass


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_each_batch_is_copied_once_in_each_direction(run, precision):
    batches, trace = run(precision=precision)
    assert [batch.failures for batch in batches] == [{}, {}]
    assert [len(batch.indices) for batch in batches] == [4, 3]
    down = [call for call in trace.calls if call.to_host]
    assert [(call.name, tuple(call.outputs[0].shape)) for call in down] == [
        ("copy_", (len(NETWORKS), 2, n, 5)) for n in (4, 3)
    ]
    up = [call for call in trace.calls if call.to_gpu]
    assert [(c.outputs[0].dtype, len(c.outputs[0])) for c in up] == [
        (torch.uint8, n) for n in (2, 2, 2, 1)
    ]
    assert not any(call.waits for call in trace.calls)
    first = [call for call in trace.named("conv2d") if call.inputs[0].shape[1] == 3]
    assert len(first) == len(batches) * len(NETWORKS)
    assert all(is_channels_last(call.inputs[0]) for call in first)


def test_a_batch_is_launched_before_the_results_of_the_last_one_are_read(run):
    _, trace = run(names=NETWORKS[:1])
    copied = [at for at, call in enumerate(trace.calls) if call.to_host]
    results = trace.calls[copied[0]].outputs[0]
    used = (at for at, call in enumerate(trace.calls) if any(t is results for t in call.inputs))
    assert copied[0] < copied[1] < next(at for at in used if at > copied[0])


class Large(torch.nn.Module):
    """A network for which two images are too many."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        if len(x) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.network(x)


def test_a_network_that_runs_out_of_memory_computes_smaller_parts(run):
    notes = []
    (first, second), trace = run(NETWORKS[:1], wrap=Large, on_note=notes.append)
    assert not first.failures
    assert [dict(batch.reduced) for batch in (first, second)] == [{"reference": 1}] * 2
    assert len(notes) == 2
    assert len([call for call in trace.calls if call.to_host]) == 2
