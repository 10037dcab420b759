"""Predictions per image: the reference's, in any batches, of exactly the bytes that were checked."""

import hashlib
from dataclasses import replace

import pytest
import torch

from tests.support.arranged import ranking
from tests.support.models import randomized
from tests.support.runs import PROTOCOL, TOTAL
from vanbench.data.open import open_images
from vanbench.errors import DataError
from vanbench.evaluation.crops import in_pieces
from vanbench.evaluation.predict import piece_size, predict

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(data):
    return open_images(data, PROTOCOL.class_ids)


@pytest.fixture
def choices(models, images, run):
    """The five classes of each image, best first, by index."""

    def compute(indices=range(TOTAL), protocol=PROTOCOL, **changes):
        content = changes.pop("content", None)
        how = replace(run, **changes)
        model = {"a": models["a"].model}
        found = {}
        pieces = in_pieces(indices, piece_size(CPU, how))
        for batch in predict(model, images, protocol, pieces, CPU, how, content=content):
            rows = batch.top["a"].tolist()
            found |= dict(zip(batch.indices, rows, strict=True))
        return found

    return compute


@pytest.mark.parametrize("how", [{}, {"batch_size": 1}, {"batch_size": 7, "workers": 2}], ids=str)
def test_the_choices_are_the_references_in_any_batches(how, choices, images):
    model = randomized(seed=0)
    found = choices(**how)
    assert list(found) == list(range(TOTAL))
    assert all(found[i] == ranking(model, images.read(i))[:5] for i in range(TOTAL))


def test_only_the_images_that_are_asked_for_in_that_order(choices):
    assert list(choices([5, 2, 9])) == [5, 2, 9]


def test_images_are_compared_with_the_hashes_that_were_found_before(choices, images):
    content = {i: hashlib.sha256(images.read(i)).hexdigest() for i in range(TOTAL)}
    assert choices(content=content) == choices()
    for wrong in (content | {7: "00" * 32}, {i: content[i] for i in content if i != 7}):
        with pytest.raises(DataError, match=f"{images.names[7]} changed after it was checked"):
            choices(content=wrong)


def test_nothing_of_torch_is_changed_while_the_caller_runs(models, images, run):
    state = torch.get_rng_state()
    for batch in predict(
        {"a": models["a"].model},
        images,
        PROTOCOL,
        in_pieces(range(TOTAL)),
        CPU,
        replace(run, precision="bf16"),
    ):
        assert batch.logits["a"].dtype == torch.float32
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
    assert torch.equal(torch.get_rng_state(), state)


def test_an_unreadable_image_has_no_choice_and_a_reason(models, tmp_path, run):
    for number in range(3):
        path = tmp_path / "class-1" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"not an image")
    images = open_images(tmp_path, PROTOCOL.class_ids)
    model = {"a": models["a"].model}
    with pytest.raises(DataError, match=r"class-1/0\.jpg cannot be used: not a readable image"):
        list(predict(model, images, PROTOCOL, [range(3)], CPU, run))
    how = replace(run, on_error="count-wrong")
    (batch,) = predict(model, images, PROTOCOL, [range(3)], CPU, how)
    assert batch.unreadable.keys() == {0, 1, 2}
    assert batch.top["a"].tolist() == [[-1] * 5] * 3
    assert batch.logits["a"].isnan().all()
