"""The same predictions and verdicts from every runtime; what is told, stored and recorded."""

import json
from dataclasses import replace

import pytest

from tests.runtimes.test_choose import Absent, OneWeightChanged
from tests.support.arranged import checkpoint
from tests.support.command_line import run
from tests.support.drawing import jpeg
from tests.support.models import randomized
from tests.support.runs import CLASSES, PROTOCOL, counts
from vanbench.checkpoints.load import open_checkpoint
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.evaluation.validate import validate_candidates
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.build import random_weights
from vanbench.prediction_store.store import FILE, Store
from vanbench.runtimes.names import COMPILED, NAMES, ONNXRUNTIME, OPENVINO, OPTIMIZED, REFERENCE
from vanbench.runtimes.registry import RUNTIMES
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.entries import EvaluationProtocol

QUICK = [name for name in NAMES if name != COMPILED]
ODD = Architecture((7, 11, 18, 33), (1, 2, 1, 1), (3, 5, 2, 1), len(CLASSES))
THOUSAND = EvaluationProtocol(resize_short_edge=72, center_crop=64)
"""The classes of ImageNet-1k and images of 64×64: enough for every stage of a published VAN."""


def candidate(folder, name, model, protocol):
    path = folder / f"{name}.pth"
    path.write_bytes(checkpoint(model))
    return Candidate(name, protocol, lambda: open_checkpoint(path))


def drawn(folder, total, classes):
    for number in range(total):
        place = folder / "images" / classes[number % len(classes)]
        place.mkdir(exist_ok=True, parents=True)
        (place / f"{number:04d}.jpg").write_bytes(jpeg(number, (80, 72)))
    return folder / "images"


def stored(path):
    """Predictions by runtime and image."""
    with Store(path) as store:
        return {r.key.numerics["model"]: store.read(r.id) for r in store.runs()}


def assert_as_the_reference(found, expected):
    """The same first choices, but where two logits are as good as equal."""
    assert found.keys() == expected.keys()
    for image, prediction in expected.items():
        same = found[image]
        assert same.logits == pytest.approx(prediction.logits, rel=1e-4, abs=1e-5)
        if same.top != prediction.top:
            gaps = [a - b for a, b in zip(same.logits, prediction.logits, strict=True)]
            assert set(same.top[:4]) & set(prediction.top[:4])
            assert max(map(abs, gaps)) <= 1e-4 * abs(prediction.logits[0])


def check_all_runtimes(one, data, tmp_path):
    options = RunOptions(device="cpu", workers=0, store=tmp_path / FILE)
    found = {}
    for name in QUICK:
        passes, errors = validate_candidates([one], data, replace(options, runtime=name))
        assert not errors
        found[name] = counts(passes[one.name])[one.name]
        assert passes[one.name].numerics.runtime == name
        assert passes[one.name].computed == passes[one.name].data.used
    assert set(found.values()) == {found[REFERENCE]}
    predictions = stored(options.store)
    assert set(predictions) == set(QUICK)
    for name in QUICK:
        assert_as_the_reference(predictions[name], predictions[REFERENCE])


def test_odd_widths_over_a_thousand_images(tmp_path):
    one = candidate(tmp_path, "odd", randomized(ODD), PROTOCOL)
    check_all_runtimes(one, drawn(tmp_path, 1000, CLASSES), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["van_b0", "van_b2"])
def test_published_networks_over_a_thousand_images(name, tmp_path):
    one = candidate(tmp_path, name, random_weights(ARCHITECTURES[name]), THOUSAND)
    check_all_runtimes(one, drawn(tmp_path, 1000, imagenet_1k()), tmp_path)


@pytest.fixture
def one(tmp_path):
    return candidate(tmp_path, "one", randomized(seed=3), PROTOCOL)


def test_a_wrong_runtime_is_told_recorded_and_not_used(one, tmp_path, monkeypatch):
    monkeypatch.setitem(RUNTIMES, ONNXRUNTIME, OneWeightChanged())
    data, notes = drawn(tmp_path, 300, CLASSES), []
    options = RunOptions(device="cpu", workers=0, store=tmp_path / FILE, on_note=notes.append)
    passes, errors = validate_candidates([one], data, options)
    assert not errors
    numerics = passes["one"].numerics
    assert numerics.runtime in (OPTIMIZED, OPENVINO)
    assert set(numerics.trial.refused) == {ONNXRUNTIME}
    (told,) = [note for note in notes if "is not used" in note]
    assert told.startswith("one: the runtime onnxruntime is not used: its logits differ from the")
    assert set(stored(options.store)) == {numerics.model}


def test_an_interrupted_run_goes_on_in_its_runtime(one, tmp_path, monkeypatch):
    data = drawn(tmp_path, 300, CLASSES)
    options = RunOptions(device="cpu", workers=0, store=tmp_path / FILE)
    validate_candidates([one], data, replace(options, runtime=ONNXRUNTIME, limit=200))
    passes, _ = validate_candidates([one], data, options)
    assert passes["one"].numerics.runtime == ONNXRUNTIME
    assert passes["one"].computed == 100
    passes, _ = validate_candidates([one], data, replace(options, fresh=True))
    assert passes["one"].numerics.trial.seconds.keys() == {OPTIMIZED, ONNXRUNTIME, OPENVINO}
    monkeypatch.setitem(RUNTIMES, ONNXRUNTIME, Absent())
    passes, _ = validate_candidates([one], data, options)
    assert passes["one"].numerics.runtime in (OPTIMIZED, OPENVINO)


def test_a_few_stored_predictions_do_not_decide(one, tmp_path):
    data = drawn(tmp_path, 300, CLASSES)
    options = RunOptions(device="cpu", workers=0, store=tmp_path / FILE)
    validate_candidates([one], data, replace(options, runtime=ONNXRUNTIME, limit=30))
    passes, _ = validate_candidates([one], data, options)
    assert passes["one"].numerics.trial.seconds.keys() == {OPTIMIZED, ONNXRUNTIME, OPENVINO}


def test_models_of_a_run_may_compute_in_different_runtimes(one, tmp_path):
    data = drawn(tmp_path, 40, CLASSES)
    other = candidate(tmp_path, "other", randomized(seed=4), PROTOCOL)
    options = RunOptions(device="cpu", workers=0, store=tmp_path / FILE)
    validate_candidates([other], data, replace(options, runtime=OPENVINO, limit=20))
    passes, _ = validate_candidates([one, other], data, options)
    assert passes["one"] is passes["other"]
    numerics = passes["one"].numerics_by_model
    assert {name: each.runtime for name, each in numerics.items()} == {
        "one": OPTIMIZED,
        "other": OPENVINO,
    }
    assert "fp32, optimized and openvino model: " in passes["one"].describe()
    assert set(numerics["other"].versions) == {"onnx", "openvino"}
    assert numerics["one"].versions == {}


@pytest.fixture
def verify(tmp_path):
    """``vanbench verify --json`` of a demo model in a runtime."""

    def verified(*arguments, code=0):
        common = ("--zoo", "demo", "--workers", 0, "--device", "cpu", "--results", tmp_path / "r")
        return run("verify", "van_nano", "--json", *common, *arguments, code=code)

    return verified


@pytest.mark.parametrize("runtime", [*QUICK, "auto"])
def test_verdicts_are_the_same(verify, runtime, tmp_path):
    (model,) = json.loads(verify("--runtime", runtime).stdout)["models"]
    assert (model["top1"]["verdict"], model["top5"]["verdict"]) == ("reproduced", "reproduced")
    assert (model["top1"]["correct"], model["top5"]["correct"]) == (345, 359)
    record = json.loads((tmp_path / "r" / "demo" / "van_nano.digits.json").read_text())
    numerics = record["accuracy"]["numerics"]
    assert (numerics["trial"] is not None) == (runtime == "auto")
    if runtime != "auto":
        assert numerics["model"] == runtime


def test_what_a_user_can_do_wrong(verify, monkeypatch):
    found = verify("--runtime", "openvino", "--reference", code=2)
    assert "--runtime and --reference name different runtimes. Give one of them." in found.stderr
    found = verify("--runtime", "openvino", "--choices", "{}", code=2)
    assert "--choices is for the rewrite; --runtime names another runtime." in found.stderr
    found = verify("--runtime", "tensorrt", code=2)
    assert "'tensorrt' is not one of 'auto', 'reference', 'optimized'" in found.stderr
    found = verify("--runtime", "onnxruntime", "--precision", "bf16", code=2)
    assert "the runtime onnxruntime does not compute in bf16" in found.stderr
    monkeypatch.setitem(RUNTIMES, ONNXRUNTIME, Absent())
    monkeypatch.setitem(RUNTIMES, OPENVINO, Absent())
    found = verify("--precision", "int8", code=3)
    assert "pip install 'vanbench[onnx]'" in found.stdout + found.stderr
    found = verify("--runtime", "openvino", code=3)
    assert "pip install 'vanbench[onnx]'" in found.stdout + found.stderr


def test_short_forms_are_the_same(verify, tmp_path):
    verify("--reference", "--runtime", "reference")
    assert set(stored(tmp_path / "r" / FILE)) == {REFERENCE}
