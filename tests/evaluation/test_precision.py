"""Predictions in another precision beside the stored ones in fp32, with counts made by hand."""

import pytest
import torch

from vanbench.errors import DeviceError
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.precision import (
    check_precision,
    difference_from_fp32,
    emulation_note,
)
from vanbench.prediction_store.prediction import Prediction
from vanbench.prediction_store.schema import Member
from vanbench.prediction_store.store import RunKey, Store
from vanbench.report.records import DifferenceFromFp32

CLASSES = ("cat", "dog", "owl")
LABELS = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2]
N = len(LABELS)
FP32 = [0, 0, 0, 0, 1, 1, 1, 0, 2, 0]  # 7 right: wrong at 4, 7 and 9
BF16 = [1, 2, 1, 1, 0, 1, 1, 2, 2, 0]  # loses 0 to 3, gains 4; both are wrong at 7
NUMERICS = {
    "precision": "fp32", "tf32": False, "device": "cpu", "torch": "2.9.0", "weights": "plain",
    "layer_norm_eps": 1e-5, "numerics_version": 1,
}  # fmt: skip


def key(precision, checkpoint="file", protocol="protocol", **numerics):
    changes = {"precision": precision, "tf32": precision == "tf32"} | numerics
    return RunKey(checkpoint, {"name": protocol}, NUMERICS | changes)


BF16_KEY = key("bf16")


@pytest.fixture
def path(tmp_path):
    """A database with a run in bf16."""
    path = tmp_path / "predictions.sqlite"
    add(path, BF16_KEY, BF16)
    return path


def add(path, run_key, choices, count=N):
    """A run over the first ``count`` images with these first choices; None for no prediction."""
    with Store(path) as store:
        run = store.run("model", run_key, "2026-01-01")
        ids = store.image_ids({i: f"{i:064x}" for i in range(count)})
        members = [Member(ids[i], LABELS[i], f"image-{i}") for i in range(count)]
        store.remember_evaluation(run, store.remember_set(f"{count:02}", CLASSES, members))
        store.add(
            (run, ids[i], Prediction((choice, (choice + 1) % 3), (2.0, 1.0)))
            for i, choice in enumerate(choices[:count])
            if choice is not None
        )


EXPECTED = DifferenceFromFp32(
    images=10, different=6, only_fp32_right=4, only_this_right=1, p_value=0.375
)
"""McNemar's exact test by hand: 2 · (C(5, 0) + C(5, 1)) / 2⁵."""


def test_the_images_that_differ_are_counted_and_tested(path):
    add(path, key("fp32"), FP32)
    assert difference_from_fp32(path, BF16_KEY) == EXPECTED


def test_without_predictions_in_fp32_there_is_no_difference(path):
    add(path, key("fp16"), FP32)
    assert difference_from_fp32(path, BF16_KEY) is None


def test_a_run_that_is_not_stored_has_no_difference(path):
    add(path, key("fp32"), FP32)
    assert difference_from_fp32(path, key("fp16")) is None


@pytest.mark.parametrize(
    "other",
    [
        key("fp32", checkpoint="another file"),
        key("fp32", protocol="another protocol"),
        key("fp32", weights="ema"),
        key("fp32", layer_norm_eps=1e-6),
        key("fp32", numerics_version=0),
        key("fp32", tf32=True),
        RunKey("file", {"name": "protocol"}, {}),
    ],
)
def test_another_computation_is_not_compared(other, path):
    add(path, other, FP32)
    assert difference_from_fp32(path, BF16_KEY) is None


def test_the_run_that_is_most_like_it_is_compared_and_what_differs_is_named(path):
    elsewhere = key("fp32", device="cuda", torch="2.8.0", decoder={"ok": True, "kinds": 7})
    add(path, elsewhere, BF16)
    found = difference_from_fp32(path, BF16_KEY)
    assert (found.different, found.also_differs) == (0, ("decoder", "device", "torch"))
    add(path, key("fp32"), FP32)
    add(path, key("fp32", torch="2.8.0"), BF16)
    assert difference_from_fp32(path, BF16_KEY) == EXPECTED


def test_a_run_of_the_same_runtime_is_preferred_and_named(path):
    """Another runtime has other packages, which go without saying."""
    add(path, key("int8", model="openvino", versions={"openvino": "1"}, calibration={"a": 1}), BF16)
    this = key("int8", model="openvino", versions={"openvino": "1"}, calibration={"a": 1})
    add(path, key("fp32", model="reference"), FP32)
    found = difference_from_fp32(path, this)
    assert (found.fp32_runtime, found.also_differs) == ("reference", ())
    add(path, key("fp32", model="openvino", versions={"openvino": "2"}), BF16)
    found = difference_from_fp32(path, this)
    assert (found.fp32_runtime, found.also_differs) == ("openvino", ("versions",))
    assert found.different == 0


@pytest.mark.parametrize(
    ("runtime", "bf16", "fp16"),
    [("reference", None, "fp16"), ("auto", None, "fp16"), ("openvino", None, None)],
)
def test_a_precision_that_torch_emulates_is_told(runtime, bf16, fp16, monkeypatch):
    """On a processor with bf16 and without fp16; other runtimes refuse what is not there."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_fp16_supported", lambda: False)
    cpu = torch.device("cpu")
    for precision, expected in (("fp32", None), ("bf16", bf16), ("fp16", fp16), ("int8", None)):
        note = emulation_note(cpu, RunOptions(precision=precision, runtime=runtime))
        assert note is expected or f"no instructions for {expected}" in note
    assert emulation_note(torch.device("meta"), RunOptions(precision="fp16")) is None


def test_a_run_without_all_of_the_images_is_not_compared(path):
    add(path, key("fp32"), [*FP32[:9], None])
    assert difference_from_fp32(path, BF16_KEY) is None
    add(path, key("fp32", torch="2.8.0"), FP32)
    assert difference_from_fp32(path, BF16_KEY).also_differs == ("torch",)


def test_a_part_is_compared_with_a_run_over_all_images(tmp_path):
    path = tmp_path / "predictions.sqlite"
    add(path, key("fp32"), FP32)
    add(path, BF16_KEY, BF16, count=3)
    assert difference_from_fp32(path, BF16_KEY) == DifferenceFromFp32(3, 3, 3, 0, 0.25)


def test_images_that_fp32_saw_in_another_set_count(path):
    """The last set that the fp32 run was applied to is a smaller one."""
    add(path, key("fp32"), FP32)
    add(path, key("fp32"), FP32, count=2)
    assert difference_from_fp32(path, BF16_KEY) == EXPECTED


def test_an_image_that_only_fp32_could_read_is_left_out(tmp_path):
    path = tmp_path / "predictions.sqlite"
    add(path, key("fp32"), FP32)
    add(path, BF16_KEY, [None, *BF16[1:]])
    found = difference_from_fp32(path, BF16_KEY)
    assert (found.images, found.different, found.only_fp32_right) == (9, 5, 3)


def test_tf32_is_refused_where_it_would_be_fp32(monkeypatch):
    for precision in ("fp32", "bf16", "fp16"):
        check_precision(torch.device("cpu"), precision)
    for device in ("cpu", "mps"):
        with pytest.raises(DeviceError, match="would compute in fp32"):
            check_precision(torch.device(device), "tf32")
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(DeviceError, match="Ampere"):
        check_precision(cuda, "tf32")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    check_precision(cuda, "tf32")
