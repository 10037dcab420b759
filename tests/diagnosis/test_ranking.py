"""Each mistake, planted by hand with Pillow and numpy, is the one that is named first."""

import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image, ImageOps

from tests.support import drawing
from tests.support.arranged import CROP, SHORT, checkpoint, picture
from tests.support.models import TINY, randomized
from vanbench.checkpoints.key_names import OPENMMLAB, from_native
from vanbench.checkpoints.load import load_model, open_checkpoint
from vanbench.cli.group import main
from vanbench.diagnosis.mistakes import class_orders, imagenet_class_names
from vanbench.diagnosis.ranking import diagnose
from vanbench.diagnosis.trial import AS_IS, TrialResult, run_trial
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.intervals import Z, paired_difference
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.entries import EvaluationProtocol
from vanbench.zoo.reader import load_zoo
from vanbench.zoo.reported import Reported


def candidate_of(name, path, protocol, layer_norm_eps=None):
    opened = partial(open_checkpoint, path, layer_norm_eps=layer_norm_eps)
    return Candidate(name, protocol, opened)


RUN = RunOptions(device="cpu", batch_size=64, workers=0)
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
EMA = "averaged (EMA) weights in place of the plain ones"


def network_input(
    encoded, *, exif=True, edge=SHORT, how=Image.Resampling.BICUBIC, squash=False, bgr=False,
    antialias=True, mean=127.5, std=127.5,
):  # fmt: skip
    """The demo's protocol by hand, or one mistake in it: float32 (3, 32, 32)."""
    image = Image.open(io.BytesIO(encoded))
    image = (ImageOps.exif_transpose(image) if exif else image).convert("RGB")
    short = min(image.size)
    size = (CROP, CROP) if squash else tuple(int(edge * side / short) for side in image.size)
    if antialias:
        pixels = np.asarray(image.resize(size, how), dtype=np.float32)
    else:
        planes = torch.from_numpy(np.asarray(image).transpose(2, 0, 1)[None].astype(np.float32))
        if size != image.size:
            planes = torch.nn.functional.interpolate(planes, size[::-1], mode="bicubic")
        pixels = planes[0].round().clamp(0, 255).numpy().transpose(1, 2, 0)
    top, left = (round((side - CROP) / 2) for side in pixels.shape[:2])
    crop = pixels[top : top + CROP, left : left + CROP, :: -1 if bgr else 1]
    return ((crop - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)


PLANTED = {
    "mean and std of ImageNet": {"mean": MEAN, "std": STD},
    "no mean and std, only a division by 255": {"mean": 0, "std": 255},
    "EXIF orientation ignored": {"exif": False},
    "squashed to 32 × 32, without a crop": {"squash": True},
    "short edge 32": {"edge": 32},
    "short edge 33": {"edge": 33},
    "short edge 35": {"edge": 35},
    "bilinear resizing": {"how": Image.Resampling.BILINEAR},
    "blue and red swapped (BGR)": {"bgr": True},
    "resized without antialiasing, as OpenCV and tensors do": {"antialias": False},
}


def choices(model, encoded, **mistake):
    """The first choice for each image."""
    batch = torch.from_numpy(np.stack([network_input(image, **mistake) for image in encoded]))
    with torch.inference_mode():
        return model(batch).argmax(1).tolist()


def top1(chosen, labels):
    """The figure that somebody would report."""
    hits = sum(a == b for a, b in zip(chosen, labels, strict=True))
    return Reported(f"{100 * hits / len(labels):.2f}")


def assert_named_first(found, target, name):
    """The mistake is first, and nothing else fits unless it gives the very same figure."""
    diagnosis = diagnose(found, target)
    first = diagnosis.explanations[0]
    tied = [e.name for e in diagnosis.explanations if e.correct == sum(found.right[name])]
    assert first.name == name, (tied, target)
    assert first.fits
    assert diagnosis.conclusion.startswith(f"{target} is explained by")
    assert [e.name for e in diagnosis.explanations if e.fits] == tied


@pytest.fixture(scope="module")
def demo():
    """The smaller demo model under every mistake, and the same by hand."""
    zoo = load_zoo("demo")
    entry = zoo.entries[0]
    path = Path(unquote(urlsplit(entry.urls[0]).path))
    candidate = candidate_of(entry.name, path, entry.protocol, entry.layer_norm_eps)
    paths = sorted(zoo.data.rglob("*.jpg"))
    labels = [entry.protocol.class_ids.index(path.parent.name) for path in paths]
    encoded = [path.read_bytes() for path in paths]
    return run_trial(candidate, zoo.data, RUN), load_model(path), encoded, labels


@pytest.mark.parametrize("name", PLANTED)
def test_a_mistake_on_the_demo_is_named_first_or_said_to_have_no_effect(name, demo):
    found, model, encoded, labels = demo
    target = top1(choices(model, encoded, **PLANTED[name]), labels)
    if found.right[name] != found.right[AS_IS]:
        assert_named_first(found, target, name)
    else:
        diagnosis = diagnose(found, target)
        assert diagnosis.explanations[0].name == AS_IS
        assert "These images cannot rule out: " in diagnosis.conclusion
        assert name in diagnosis.conclusion
        assert next(e for e in diagnosis.explanations if e.name == name).without_effect


def test_most_mistakes_have_an_effect_on_the_demo(demo):
    found = demo[0]
    assert sum(found.right[name] != found.right[AS_IS] for name in PLANTED) >= 7


def test_what_is_right_needs_no_mistake(demo):
    diagnosis = diagnose(demo[0], Reported("95.83"))
    assert diagnosis.conclusion.startswith(f"No mistake is needed: {AS_IS} gives 95.83.")


def test_what_no_mistake_gives_is_said_so(demo):
    conclusion = diagnose(demo[0], Reported("60.00")).conclusion
    assert conclusion.startswith("None of these alone explains 60.00; nearest is squashed")
    assert "26.11 points away" in conclusion


def test_a_sample_gives_intervals_that_hold_the_whole_sets_figures(demo):
    found = demo[0]
    part = TrialResult({name: right[::2] for name, right in found.right.items()}, 360, {})
    for reported, anchored in (
        (None, False),
        (Reported("95.83"), True),
        (Reported("50.00"), False),
    ):
        diagnosis = diagnose(part, Reported("92.22"), reported)
        assert diagnosis.anchored is anchored
        for e in diagnosis.explanations:
            assert e.estimate.low <= 100 * sum(found.right[e.name]) / 360 <= e.estimate.high
        assert next(e for e in diagnosis.explanations if e.name == "mean and std of ImageNet").fits


def test_differences_are_more_precise_than_rates(demo):
    part = TrialResult({name: right[::2] for name, right in demo[0].right.items()}, 360, {})
    widths = [
        {e.name: e.estimate.high - e.estimate.low for e in diagnose(part, *figures).explanations}
        for figures in ((Reported("92.22"),), (Reported("92.22"), Reported("95.83")))
    ]
    for name in ("short edge 35", "short edge 33", "mean and std of ImageNet"):
        assert widths[1][name] < widths[0][name]


def test_the_interval_of_a_paired_difference_covers_the_truth():
    rng = np.random.default_rng(0)
    gained, lost = rng.multinomial(500, [0.02, 0.06, 0.92], size=4000).T[:2]
    covered = 0
    for b, c in zip(gained.tolist(), lost.tolist(), strict=True):
        centre, half = paired_difference(b, c, 500)
        covered += abs(centre + 4.0) <= half
    assert 0.935 < covered / 4000 < 0.975
    assert pytest.approx(1.96, abs=1e-3) == Z


CLASSES = tuple(f"class-{i}" for i in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7))


def spread_out(model, encoded):
    """Scale and shift the head so that every class is somebody's first choice."""
    batch = torch.from_numpy(np.stack([network_input(image) for image in encoded]))
    logits = model(batch)
    model.head.weight.div_(logits.std(0)[:, None])
    model.head.bias.sub_(logits.mean(0)).div_(logits.std(0))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A network that sees colours and fine detail, whose file has other averaged weights."""
    root = tmp_path_factory.mktemp("drawn")
    encoded = [picture(seed) for seed in range(132)]
    model = randomized(seed=3)
    last = model.stages[3]  # with small features, so that LayerNorm's eps matters
    for tensor in (last.patch_embed.norm.weight, last.patch_embed.norm.bias):
        tensor.mul_(2e-3)
    for block in last.blocks:
        block.layer_scale1.mul_(2e-3)
        block.layer_scale2.mul_(2e-3)
    spread_out(model, encoded)
    averaged = randomized(seed=4)
    states = {
        key: from_native(m.state_dict(), OPENMMLAB)
        for key, m in (("state_dict", model), ("state_dict_ema", averaged))
    }
    torch.save(states, root / "van.pth")
    right = choices(model, encoded)
    labels = [(c + 1 + i % 9) % 10 if i % 6 == 0 else c for i, c in enumerate(right)]
    for number, (image, label) in enumerate(zip(encoded, labels, strict=True)):
        folder = root / "images" / CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:04d}.jpg").write_bytes(image)
    protocol = EvaluationProtocol(resize_short_edge=SHORT, center_crop=CROP, classes=CLASSES)
    candidate = candidate_of("van", root / "van.pth", protocol)
    return run_trial(candidate, root / "images", RUN), model, averaged, encoded, labels


FINE = ("bilinear resizing", "blue and red swapped (BGR)",
        "resized without antialiasing, as OpenCV and tensors do")  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_mistakes_of_colour_and_detail_are_named_first(name, drawn):
    found, model, _, encoded, labels = drawn
    assert_named_first(found, top1(choices(model, encoded, **PLANTED[name]), labels), name)


def test_averaged_weights_are_named_first(drawn):
    found, _, averaged, encoded, labels = drawn
    assert_named_first(found, top1(choices(averaged, encoded), labels), EMA)


def test_another_epsilon_is_named_first(drawn):
    found, model, _, encoded, labels = drawn
    other = randomized(layer_norm_eps=1e-6)
    other.load_state_dict(model.state_dict())
    name = "LayerNorm's eps 1e-06 in place of 1e-05"
    assert_named_first(found, top1(choices(other, encoded), labels), name)


def test_other_class_orders_are_named_first(drawn):
    found, model, _, encoded, labels = drawn
    chosen = choices(model, encoded)
    by_name = [sorted(CLASSES).index(CLASSES[label]) for label in labels]
    assert_named_first(found, top1(chosen, by_name), "classes sorted by name")
    shifted = [label + 1 for label in labels]
    name = "class indices one too high (a stray folder before them)"
    assert_named_first(found, top1(chosen, shifted), name)


ORDERS = {
    "classes in the devkit's order": drawing.devkit_order(),
    "classes sorted by name": [
        wnid for _, wnid in sorted(zip(imagenet_class_names(), imagenet_1k(), strict=True))
    ],
}


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_of_imagenets_classes_is_named_first(name, tmp_path):
    """Images under the classes that make a network right in that order, for three of four."""
    model = randomized(replace(TINY, num_classes=1000))
    (tmp_path / "van.pth").write_bytes(checkpoint(model))
    encoded = [picture(seed) for seed in range(40)]
    pictures = [
        drawing.Picture(f"{i:04d}.jpg", ORDERS[name][(best + (i % 4 == 0)) % 1000], image)
        for i, (best, image) in enumerate(zip(choices(model, encoded), encoded, strict=True))
    ]
    drawing.class_folders(tmp_path / "data" / "val", pictures)
    kit = tmp_path / "data" / "ILSVRC2012_devkit_t12" / "data"
    kit.mkdir(parents=True)
    for file, content in drawing.devkit_files().items():
        (kit / file).write_bytes(content)
    candidate = candidate_of(
        "van", tmp_path / "van.pth", EvaluationProtocol(resize_short_edge=SHORT, center_crop=CROP)
    )
    found = run_trial(candidate, tmp_path / "data", RUN)
    assert_named_first(found, Reported("75.00"), name)


def test_what_cannot_be_tried_is_named_with_its_reason(demo, tmp_path):
    assert "no averaged weights" in demo[0].untried[EMA]
    assert "already in that order" in demo[0].untried["classes sorted by name"]
    reason = class_orders(EvaluationProtocol(), tmp_path)["classes in the devkit's order"]
    assert reason == "no devkit beside the data says what that order is"


def command(*args, code=0):
    outcome = CliRunner().invoke(main, ["diagnose", *args, "--workers", "0", "--device", "cpu"])
    assert outcome.exit_code == code, outcome.output
    assert "Traceback" not in outcome.output
    return outcome


def test_the_command_prints_one_document():
    args = ("van_nano", "--zoo", "demo", "--sample", "40", "--observed", "87.22", "--json")
    diagnosis = json.loads(command(*args).stdout)["diagnosis"]
    assert (diagnosis["name"], diagnosis["target"]) == ("van_nano.digits", 87.22)
    assert (diagnosis["images"], diagnosis["total"], diagnosis["anchored"]) == (40, 360, True)
    assert AS_IS in [e["name"] for e in diagnosis["explanations"]]


def test_the_command_shows_a_table_and_the_conclusion():
    output = command("van_nano", "--zoo", "demo", "--sample", "20").stdout
    assert "What gives 95.83? 20 of 360 images" in output
    assert "no effect on these images" in output
    assert "Not tried: averaged (EMA) weights" in output
    assert "No mistake is needed" in output


def test_the_command_refuses_what_it_cannot_use():
    assert "such as 72.03" in command("van_nano", "--zoo", "demo", "--observed", "x", code=2).output
    assert (
        "from 0 to 100" in command("van_nano", "--zoo", "demo", "--observed", "720", code=2).output
    )
    assert "Give --data" in command("van_b0", code=2).output


def test_a_broken_image_stops_it_or_counts_as_wrong(tmp_path):
    source = load_zoo("demo").data
    for path in sorted(source.rglob("*.jpg"))[::60]:
        copy = tmp_path / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    copy.write_bytes(path.read_bytes()[:200])
    args = ("van_nano", "--zoo", "demo", "--data", str(tmp_path), "--json")
    assert f"{copy.name} cannot be used" in command(*args, code=3).output
    found = json.loads(command(*args, "--on-error", "count-wrong").stdout)["diagnosis"]
    assert found["images"] == 6
    assert all(e["correct"] <= 5 for e in found["explanations"])
