"""The shipped demo zoo: its files are complete and its claims are reproduced."""

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageOps

from vanbench.checkpoints.load import load_model
from vanbench.flops import count
from vanbench.model.build import architecture_of
from vanbench.zoo.entries import Entry
from vanbench.zoo.reader import SHIPPED, load_zoo

ZOO = load_zoo("demo")
CLASSES = [f"digit-{digit}" for digit in range(10)]
README = (SHIPPED / "demo" / "README.md").read_text(encoding="utf-8")
SCRIPT = SHIPPED.parents[1] / "tools" / "train_demo_zoo.py"
IMAGES = sorted((SHIPPED / "demo" / "images").rglob("*.jpg"))

each_model = pytest.mark.parametrize("entry", ZOO.entries, ids=lambda entry: entry.name)


def file_of(entry: Entry) -> Path:
    return Path(unquote(urlsplit(entry.urls[0]).path))


def network_input(path: Path) -> np.ndarray:
    """float32 (3, 32, 32): the zoo's protocol once more, with Pillow and NumPy alone."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    short = min(image.size)
    size = [int(36 * side / short) for side in image.size]
    pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    top, left = (round((side - 32) / 2) for side in pixels.shape[:2])
    crop = pixels[top : top + 32, left : left + 32]
    return ((crop - np.float32(127.5)) / np.float32(127.5)).transpose(2, 0, 1)


@pytest.fixture(scope="module")
def validation_set() -> tuple[torch.Tensor, list[int]]:
    images = torch.from_numpy(np.stack([network_input(path) for path in IMAGES]))
    return images, [CLASSES.index(path.parent.name) for path in IMAGES]


@each_model
def test_file_is_the_one_its_name_promises(entry):
    content = file_of(entry).read_bytes()
    assert file_of(entry).stem.endswith("-" + hashlib.sha256(content).hexdigest()[:8])


def test_one_file_is_bare_and_legacy_the_other_wrapped_and_zipped():
    kinds = []
    for entry in ZOO.entries:
        head = file_of(entry).read_bytes()[:2]
        content = torch.load(file_of(entry), weights_only=True)
        kinds.append((head == b"PK", "state_dict" in content and "meta" in content))
    assert kinds == [(False, False), (True, True)]


@each_model
def test_file_holds_the_declared_architecture(entry):
    assert architecture_of(load_model(file_of(entry))) == entry.architecture


def test_the_models_differ_in_depth():
    nano, micro = (sum(entry.architecture.depths) for entry in ZOO.entries)
    assert nano < micro


@each_model
def test_reported_params_and_flops_are_those_of_the_file(entry):
    params = sum(p.numel() for p in load_model(file_of(entry)).parameters())
    flops = count(entry.architecture, entry.counting.resolution).flops["openmmlab"]
    assert f"{params / 1e6:.4f}" == entry.claims.params_m.text
    assert f"{flops / 1e9:.6f}" == entry.claims.flops_g.text


@each_model
def test_reported_accuracies_are_reproduced(entry, validation_set):
    images, labels = validation_set
    with torch.inference_mode():
        logits = load_model(file_of(entry))(images).numpy()
    correct = {1: 0, 5: 0}
    for row, label in zip(logits, labels, strict=True):
        best = list(np.argsort(-row))
        for k in correct:
            correct[k] += label in best[:k]
    assert f"{100 * correct[1] / len(labels):.2f}" == entry.claims.top1.text
    assert f"{100 * correct[5] / len(labels):.2f}" == entry.claims.top5.text


@each_model
def test_no_image_is_near_a_tie(entry, validation_set):
    images, labels = validation_set
    with torch.inference_mode():
        logits = load_model(file_of(entry))(images).numpy()
    for row, label in zip(logits, labels, strict=True):
        others = np.sort(np.delete(row, label))
        assert abs(row[label] - others[-1]) > 1e-4
        assert abs(row[label] - others[-5]) > 1e-4


def test_every_step_of_the_protocol_matters():
    protocol = ZOO.entries[0].protocol
    assert (protocol.resize_short_edge, protocol.center_crop) == (36, 32)
    assert protocol.class_ids == tuple(CLASSES)
    images = [Image.open(path) for path in IMAGES]
    assert {image.mode for image in images} == {"RGB", "L"}
    rotated = sum(image.getexif().get(ExifTags.Base.Orientation) == 6 for image in images)
    assert f"({rotated} files) is stored rotated" in README
    assert any(min(image.size) < 36 for image in images)
    assert any(image.size[0] != image.size[1] and min(image.size) > 36 for image in images)


def test_images_are_jpegs_of_ten_classes_as_the_readme_counts_them():
    per_class = dict.fromkeys(CLASSES, 0)
    for path in IMAGES:
        with Image.open(path) as image:
            assert image.format == "JPEG"
            image.load()
        per_class[path.parent.name] += 1
    total, each = map(int, re.search(r"(\d+) JPEG files, (\d+) of each class", README).groups())
    assert set(per_class.values()) == {each}
    assert len(IMAGES) == total


@each_model
def test_the_readme_has_the_reported_figures(entry):
    claims = entry.claims
    figures = (claims.params_m, claims.flops_g, claims.top1, claims.top5)
    assert " | ".join([f"`{entry.name}`", *(f.text for f in figures)]) in README


@pytest.mark.parametrize("path", [ZOO.path, SHIPPED / "demo" / "README.md"], ids=["zoo", "readme"])
def test_the_source_of_the_scans_is_cited(path):
    text = path.read_text(encoding="utf-8")
    assert "https://doi.org/10.24432/C50P49" in text
    assert "CC BY 4.0" in text


def test_it_is_small_enough_for_a_repository():
    assert sum(file_of(entry).stat().st_size for entry in ZOO.entries) < 2_000_000
    assert sum(path.stat().st_size for path in IMAGES) < 1_000_000


@pytest.fixture
def script():
    """The training script as a module."""
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("train_demo_zoo", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_zoo_file_is_what_the_script_writes(script, validation_set):
    found = {
        entry.name: (
            file_of(entry),
            script.evaluate(file_of(entry), (validation_set[0], torch.tensor(validation_set[1]))),
        )
        for entry in ZOO.entries
    }
    assert script.zoo_text(found) == ZOO.path.read_text(encoding="utf-8")


def test_the_images_are_what_the_script_makes(script):
    _, held_out = script.read_scans()
    names = [f"{CLASSES[scan.digit]}/scan-{scan.index:04d}.jpg" for scan in held_out]
    assert sorted(names) == [path.relative_to(ZOO.data).as_posix() for path in IMAGES]


@pytest.mark.slow
def test_training_script_makes_a_loadable_zoo(tmp_path):
    command = [sys.executable, str(SCRIPT), "--epochs", "1", "--out", str(tmp_path)]
    subprocess.run(command, check=True)
    zoo = load_zoo(str(tmp_path / "demo.toml"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["demo", "demo.toml"]
    assert {e.name: e.architecture for e in zoo.entries} == {
        e.name: e.architecture for e in ZOO.entries
    }
    for entry in zoo.entries:
        assert architecture_of(load_model(file_of(entry))) == entry.architecture
    made = {path.relative_to(zoo.data) for path in zoo.data.rglob("*.jpg")}
    assert made == {path.relative_to(ZOO.data) for path in IMAGES}
