"""Loading: the same logits from every kind of file; every tensor that does not fit is named."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

import vanbench
from tests.support.forge import save, tiny_state
from tests.support.models import TINY, randomized
from vanbench.checkpoints.key_names import FORMATS, OFFICIAL, OPENMMLAB, TRANSFORMERS, from_native
from vanbench.checkpoints.load import load_model, model_from_state, open_checkpoint
from vanbench.checkpoints.state_dict import read_state_dict
from vanbench.cli.group import main
from vanbench.download.transfer import local_path
from vanbench.errors import CheckpointError, SuspiciousWeightsWarning
from vanbench.files import hash_file
from vanbench.model.architecture import Architecture
from vanbench.model.build import architecture_of, build
from vanbench.zoo.reader import load_zoo

every_format = pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
IMAGES = torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(1))


def complaint(path: Path) -> str:
    with pytest.raises(vanbench.CheckpointError) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def listed(message: str, kind: str) -> list[str]:
    """The tensors that a message lists as ``kind``; the count it gives must be theirs."""
    found = re.search(rf"{kind} \((\d+)\): ([^;]*)", message)
    if found is None:
        return []
    names = found.group(2).split(", ")
    assert kind == "mis-shaped" or len(names) == int(found.group(1))
    return names


@every_format
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "nested in DataParallel"])
def test_the_same_logits_from_every_kind_of_file(tmp_path, fmt, legacy, wrapped):
    model = randomized(layer_norm_eps=fmt.layer_norm_eps)
    state = from_native(model.state_dict(), fmt)
    content = {"state_dict": {f"module.{k}": v for k, v in state.items()}} if wrapped else state
    loaded = load_model(save(content, tmp_path / "f.pth", legacy=legacy))
    assert not loaded.training
    assert torch.equal(loaded(IMAGES), model(IMAGES))


@every_format
def test_the_epsilon_is_that_of_the_code_unless_given(tmp_path, fmt):
    path = save(tiny_state(fmt), tmp_path / "f.pth")
    expected = {"openmmlab": 1e-5, "official": 1e-6, "transformers": 1e-6, "vanbench": 1e-5}
    assert load_model(path).stages[0].norm.eps == expected[fmt.name]
    assert load_model(path, layer_norm_eps=1e-3).stages[0].norm.eps == 1e-3


@pytest.mark.parametrize("num_classes", [0, 10, 21841])
def test_heads_of_any_width_or_none(tmp_path, num_classes):
    architecture = Architecture(TINY.embed_dims, TINY.depths, TINY.mlp_ratios, num_classes)
    loaded = load_model(save(tiny_state(OPENMMLAB, architecture), tmp_path / "f.pth"))
    assert architecture_of(loaded) == architecture
    assert loaded(IMAGES).shape == (2, num_classes or TINY.embed_dims[3])


def test_counters_may_be_absent(tmp_path):
    state = {k: v for k, v in tiny_state(OFFICIAL).items() if "num_batches_tracked" not in k}
    model = randomized(layer_norm_eps=1e-6)
    assert torch.equal(load_model(save(state, tmp_path / "f.pth"))(IMAGES), model(IMAGES))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path, dtype):
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in tiny_state().items()}
    loaded = load_model(save(state, tmp_path / "f.pth"))
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    key = "backbone.norm1.weight"
    assert torch.equal(loaded.stages[0].norm.weight, state[key].float())


def test_weights_are_not_copied():
    state = tiny_state()
    loaded = model_from_state(state)
    assert loaded.head.weight.data_ptr() == state["head.fc.weight"].data_ptr()


def test_a_loaded_model_does_not_need_the_file(tmp_path):
    path = save(tiny_state(), tmp_path / "f.pth")
    loaded = load_model(path)
    path.unlink()
    assert torch.equal(loaded(IMAGES), randomized()(IMAGES))


@every_format
def test_every_tensor_that_does_not_fit_is_named_as_in_the_file(tmp_path, fmt):
    state = tiny_state(fmt)
    names = [key for key in state if "num_batches" not in key and state[key].ndim == 4]
    gone, bent = names[:3], names[3:6]
    for key in gone:
        del state[key]
    for key in bent:
        state[key] = torch.ones(1, 2, 3, 4)
    state |= {"surplus.weight": torch.ones(2), "more": torch.ones(3)}

    message = complaint(save(state, tmp_path / "f.pth"))

    assert f"({fmt.name} naming)" in message
    assert listed(message, "missing") == sorted(gone)
    assert listed(message, "unexpected") == ["more", "surplus.weight"]
    for key in bent:
        assert f"{key} has (1, 2, 3, 4) for {tuple(tiny_state(fmt)[key].shape)}" in message


def test_a_block_too_few_is_another_depth_and_a_gap_is_named(tmp_path):
    state = {k: v for k, v in tiny_state().items() if not k.startswith("backbone.blocks2.1.")}
    assert architecture_of(load_model(save(state, tmp_path / "f.pth"))).depths == (1, 1, 1, 1)
    state = {k: v for k, v in tiny_state().items() if not k.startswith("backbone.blocks2.0.")}
    message = complaint(save(state, tmp_path / "gap.pth"))
    assert all(n.startswith("backbone.blocks2.0.") for n in listed(message, "missing"))
    assert all(n.startswith("backbone.blocks2.1.") for n in listed(message, "unexpected"))


def test_a_published_network_with_one_wrong_width_is_named(tmp_path):
    """The case of VAN-B6: a single layer of 480 in a file of 384 is what does not fit."""
    state = tiny_state()
    state["backbone.blocks3.0.attn.proj_1.bias"] = torch.ones(480)
    message = complaint(save(state, tmp_path / "f.pth"))
    assert "mis-shaped (1): backbone.blocks3.0.attn.proj_1.bias has (480,) for (16,)" in message
    assert not listed(message, "missing")
    assert not listed(message, "unexpected")


@pytest.mark.parametrize("width", [384, 480])
def test_both_b6_load_as_what_they_are(width):
    architecture = Architecture((96, 192, width, 768), (1, 1, 1, 1))
    state = from_native(build(architecture).state_dict(), OPENMMLAB)
    assert architecture_of(model_from_state(state)) == architecture


def test_the_tensor_that_transformers_never_uses(tmp_path):
    state = tiny_state(TRANSFORMERS)
    state |= {"van.layernorm.weight": torch.rand(20), "van.layernorm.bias": torch.rand(20)}
    model = randomized(layer_norm_eps=1e-6)
    assert torch.equal(load_model(save(state, tmp_path / "f.pth"))(IMAGES), model(IMAGES))


def test_a_file_of_another_network(tmp_path):
    state = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8)).state_dict()
    message = complaint(save(state, tmp_path / "f.pth"))
    assert "expected the tensor names of a VAN" in message
    assert "0.weight" in message


def test_suspicious_weights_are_warned_of(tmp_path):
    state = tiny_state()
    state["head.fc.weight"][:2, 3] = float("nan")
    state["backbone.norm1.weight"][:] = 0
    path = save(state, tmp_path / "f.pth")
    with pytest.warns(SuspiciousWeightsWarning) as caught:
        load_model(path)
    assert [str(warning.message) for warning in caught] == [
        f"{path}: backbone.norm1.weight is zero throughout.",
        f"{path}: head.fc.weight has 2 of 200 values that are NaN or infinite.",
    ]


def test_the_command_line_warns_of_suspicious_weights_in_one_line(tmp_path):
    file = local_path(load_zoo("demo").entries[0].urls[0])
    state = read_state_dict(file)
    key = next(key for key in state if key.endswith("norm1.weight"))
    state[key] = torch.zeros_like(state[key])
    path = save(state, tmp_path / "f.pth")
    options = ["--zoo", "demo", "--limit", "2", "--workers", "0", "--results", str(tmp_path)]
    done = CliRunner().invoke(main, ["validate", "--checkpoint", str(path), *options])
    assert done.exit_code == 0, done.stderr
    assert done.stderr.splitlines().count(f"Warning: {path}: {key} is zero throughout.") == 1


def test_reading_and_loading_name_the_file_once(tmp_path):
    (tmp_path / "f.pth").write_bytes(b"<html>")
    for reader in (read_state_dict, load_model):
        with pytest.raises(CheckpointError) as caught:
            reader(tmp_path / "f.pth")
        assert str(caught.value).count(str(tmp_path / "f.pth")) == 1


def written(folder, kind, seed):
    """A checkpoint of one of three serialisations."""
    state = from_native(randomized(seed=seed).state_dict(), OPENMMLAB)
    path = folder / f"{kind}-{seed}"
    if kind == "safetensors":
        save_file(state, path)
        return path
    return save(state, path, legacy=kind == "legacy")


each_kind = pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])


@each_kind
def test_an_opened_checkpoint_keeps_the_weights_that_were_hashed(tmp_path, kind):
    """Also when another program writes to the file, in place."""
    path = written(tmp_path, kind, 0)
    opened = open_checkpoint(hash_file(path))
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert torch.equal(opened.model(IMAGES), randomized(seed=0)(IMAGES))


@each_kind
@pytest.mark.parametrize("how", ["replaced", "written", "deleted"])
def test_a_file_that_changed_after_it_was_hashed_is_refused(tmp_path, kind, how):
    path, other = (written(tmp_path, kind, seed) for seed in (0, 1))
    hashed = hash_file(path)
    if how == "replaced":
        other.replace(path)
    elif how == "written":
        path.write_bytes(other.read_bytes())
    else:
        path.unlink()
    with pytest.raises(CheckpointError, match=r"the file that was hashed|there is no such file"):
        open_checkpoint(hashed)


MEASURE = """
import re, resource, sys
from pathlib import Path
from vanbench.checkpoints.load import load_model

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def own():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\\s*(\\d+) kB", status).group(1)) * 1024

before = peak(), own()
model = load_model(sys.argv[1])
print(peak() - before[0], own() - before[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_loading_takes_little_more_memory_than_the_file(tmp_path, legacy):
    """Loading reads every value once; what is mapped, the kernel can drop again."""
    state = from_native(vanbench.create_model("van_b4").state_dict(), OPENMMLAB)
    path = save(state, tmp_path / "f.pth", legacy=legacy)
    size = path.stat().st_size
    command = [sys.executable, "-c", MEASURE, str(path)]
    whole, own = map(int, subprocess.check_output(command, text=True).split())
    assert whole < size + (100 << 20)
    assert own < (100 << 20) + (size if legacy else 0)
