"""A model that runs out of memory goes on with half as many images, and loses nothing."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.support.runs import PROTOCOL, TOTAL, counts
from vanbench.data.preprocess import normalize
from vanbench.devices import is_out_of_memory
from vanbench.errors import DeviceError
from vanbench.evaluation import predict
from vanbench.evaluation.validate import validate


class Limited(nn.Module):
    """A model with memory for so many images at once; it notes how many it was given."""

    def __init__(self, model, most, error):
        super().__init__()
        self.model, self.most, self.error, self.seen = model, most, error, []

    def forward(self, x):
        self.seen.append(len(x))
        if len(x) > self.most:
            raise self.error
        return self.model(x)


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory"
    ),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
]


@pytest.fixture
def limited(models):
    def make(most, error=ERRORS[0]):
        return replace(models["a"], model=Limited(models["a"].model, most, error))

    return make


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: f"{type(e).__name__} {str(e)[:9]}")
def test_the_batch_is_halved_until_it_fits(error, limited, models, data, run):
    calm = validate(models, data, PROTOCOL, replace(run, store=None))
    notes = []
    how = replace(run, batch_size=8, on_note=notes.append)
    contenders = {"a": limited(3, error), "b": models["b"]}
    found = validate(contenders, data, PROTOCOL, how)
    assert counts(found) == counts(calm)
    assert contenders["a"].model.seen[:3] == [8, 4, 2]
    assert max(contenders["a"].model.seen[3:]) == 2  # larger batches are not tried again
    assert found.accuracy("a").batch_size == 2
    assert found.accuracy("b").batch_size == 8
    assert notes == [
        "a: not enough memory on cpu for 8 images at once; going on with 4.",
        "a: not enough memory on cpu for 4 images at once; going on with 2.",
    ]


def test_in_the_middle_of_a_pass(limited, models, data, run):
    """Another program takes the memory after the second batch."""
    calm = validate({"a": models["a"]}, data, PROTOCOL, replace(run, store=None))
    ready = limited(8)

    def take_memory(module, inputs):
        if len(module.seen) == 2:
            module.most = 1

    ready.model.register_forward_pre_hook(take_memory)
    found = validate({"a": ready}, data, PROTOCOL, replace(run, batch_size=8))
    assert counts(found) == counts(calm)
    assert ready.model.seen[:6] == [8, 8, 8, 4, 2, 1]
    assert found.accuracy("a").batch_size == 1


@pytest.mark.parametrize(("most", "done"), [(8, True), (3, False)])
def test_no_memory_for_the_images_of_a_batch(most, done, models, data, run, monkeypatch):
    """They are copied in halves, down to a piece of the list."""

    def limited_normalize(pixels, protocol):
        if len(pixels) > most:
            raise ERRORS[0]
        return normalize(pixels, protocol)

    monkeypatch.setattr(predict, "normalize", limited_normalize)
    monkeypatch.setattr(predict, "PIECE", 4)
    how = replace(run, batch_size=16)
    if done:
        calm = validate(models, data, PROTOCOL, replace(run, store=None))
        assert counts(validate(models, data, PROTOCOL, how)) == counts(calm)
    else:
        with pytest.raises(DeviceError, match="not enough memory on cpu for 4 images"):
            validate(models, data, PROTOCOL, how)


def test_a_model_that_does_not_fit_with_one_image_fails_alone(limited, models, data, run):
    contenders = {"a": limited(0), "b": models["b"]}
    found = validate(contenders, data, PROTOCOL, replace(run, batch_size=8))
    assert contenders["a"].model.seen == [8, 4, 2, 1]
    assert found.tallies["b"].images == TOTAL
    error = found.failures["a"]
    assert error.problem == "not enough memory on cpu for one image"
    assert "Run the model alone" in error.remedy


def test_another_error_is_no_lack_of_memory(limited, models, data, run):
    found = validate(
        {"a": limited(0, RuntimeError("another")), "b": models["b"]}, data, PROTOCOL, run
    )
    assert "RuntimeError: another" in str(found.failures["a"])
    assert not is_out_of_memory(ValueError("can't allocate memory"))
