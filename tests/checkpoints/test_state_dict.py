"""The tensors of a file: in every container and under every wrapper, and what is refused."""

import argparse
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support.checkpoints import BOTH, refusal, same
from tests.support.forge import save, tiny_state
from vanbench.checkpoints.state_dict import read_state_dict, read_state_dicts, suspicious_tensors


@BOTH
@pytest.mark.parametrize("nest", [None, "state_dict", "model", "state_dict_ema"])
def test_bare_and_nested(tmp_path, legacy, nest):
    state = tiny_state()
    content = {nest: state, "epoch": 3, "meta": {"time": "now"}} if nest else OrderedDict(state)
    assert same(read_state_dict(save(content, tmp_path / "f.pth", legacy=legacy)), state)


@BOTH
def test_prefixes_of_data_parallel(tmp_path, legacy):
    state = tiny_state()
    wrapped = {f"module.{key}": tensor for key, tensor in state.items()}
    assert same(read_state_dict(save(wrapped, tmp_path / "f.pth", legacy=legacy)), state)


def test_a_prefix_that_only_some_names_have_stays(tmp_path):
    state = {"module.a": torch.ones(1), "a": torch.zeros(1)}
    assert read_state_dict(save(state, tmp_path / "f.pth")).keys() == state.keys()


@BOTH
def test_leftovers_of_training_frameworks_are_skipped(tmp_path, legacy):
    meta = {
        "score": np.float64(75.41),
        "classes": np.arange(3),
        "dtype": np.dtype("f4"),
        "args": argparse.Namespace(lr=0.1, betas=(0.9, 0.999)),
        "bytes": b"abc",
        "shape": torch.Size([1, 3]),
        "device": torch.device("cpu"),
        "metrics": OrderedDict(top1=75.4),
    }
    state = tiny_state()
    path = save({"meta": meta, "state_dict": state}, tmp_path / "f.pth", legacy=legacy)
    assert same(read_state_dict(path), state)


@BOTH
def test_parameters_and_views_that_do_not_overlap(tmp_path, legacy):
    flat = torch.rand(20)
    state = {
        "parameter": torch.nn.Parameter(torch.rand(3)),
        "first": flat[:8].view(2, 4),
        "second": flat[8:20].view(4, 3).t(),
        "scalar": torch.tensor(1.5),
        "none": torch.zeros(0, 3),
        "half": torch.rand(4).half(),
        "channels_last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
    }
    assert same(read_state_dict(save(state, tmp_path / "f.pth", legacy=legacy)), state)


@BOTH
@pytest.mark.parametrize(
    ("content", "weights"),
    [
        ({"model": {"arch": "van_b0"}, "net": 1}, ["plain"]),
        ({"model": 1, "ema": {"decay": 0.99, "updates": 5}}, ["plain"]),
        ({"model": 1, "model_ema": {"x": torch.ones(2, dtype=torch.int64)}}, ["plain"]),
        ({"ema": 1, "model": {}}, ["ema"]),
    ],
)
def test_what_has_a_key_of_weights_and_is_something_else(tmp_path, legacy, content, weights):
    """The number 1 stands for a state dict."""
    state = tiny_state()
    content = {key: state if value == 1 else value for key, value in content.items()}
    found = read_state_dicts(save(content, tmp_path / "f.pth", legacy=legacy))
    assert same(found.state, state)
    assert [found.weights] == weights
    assert found.other is None


@BOTH
def test_plain_weights_are_read_beside_averaged_ones(tmp_path, legacy):
    """As in the training scripts of DeiT and ConvNeXt."""
    state = tiny_state()
    averaged = {f"module.{name}": tensor + 1 for name, tensor in state.items()}
    averaged["n_averaged"] = torch.tensor(3)
    content = {"model": state, "model_ema": averaged, "args": argparse.Namespace(lr=1)}
    path = save(content, tmp_path / "f.pth", legacy=legacy)
    assert same(read_state_dicts(path).state, state)
    found = read_state_dicts(path, "ema").state
    assert same(found, {name: tensor + 1 for name, tensor in state.items()})


def test_a_state_dict_with_metadata(tmp_path):
    state = torch.nn.Sequential(torch.nn.Linear(2, 3)).state_dict()
    assert same(read_state_dict(save(state, tmp_path / "f.pth")), state)


def test_safetensors(tmp_path):
    state = tiny_state()
    save_file(state, tmp_path / "f.safetensors", metadata={"source": "here"})
    assert same(read_state_dict(tmp_path / "f.safetensors"), state)
    assert read_state_dicts(tmp_path / "f.safetensors").metadata == {"source": "here"}


def test_metadata_of_other_files_is_empty(tmp_path):
    assert read_state_dicts(save(tiny_state(), tmp_path / "f.pth")).metadata == {}


# Files that are no checkpoints


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "nothing (it is empty)"),
        (b"<!DOCTYPE html><html><title>Moved</title>", 'an HTML or XML page ("Moved")'),
        (b"just some text", "the bytes b'just some text'"),
        (b"\x1f\x8b\x08\x00" + bytes(50), "gzip-compressed data"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        (bytes(1000), "zero bytes"),
        (pickle.dumps({"a": 1}, protocol=4), "a pickle"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path, content, words):
    (tmp_path / "f.pth").write_bytes(content)
    assert words in refusal(tmp_path / "f.pth")


def test_a_file_that_is_not_there(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "f.pth")


def test_a_folder(tmp_path):
    assert "expected a file, found a folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(1)], "found list"),
        ({}, "an empty dict"),
        (torch.ones(1), "found Tensor"),
        ({"state_dict": {}}, "an empty dict"),
        ({"a": torch.ones(1), "lr": 0.1}, "'lr' (float)"),
        ({1: torch.ones(1)}, "1 (Tensor)"),
        ({"a": argparse.Namespace()}, "'a' (a leftover object)"),
        ({"a": torch.ones(2, dtype=torch.int64)}, "a (torch.int64)"),
        ({"num_batches_tracked": torch.ones(2, dtype=torch.int64)}, "(torch.int64)"),
        ({"a": torch.ones(2, dtype=torch.bool)}, "a (torch.bool)"),
    ],
)
@BOTH
def test_contents_that_are_no_state_dict(tmp_path, content, words, legacy):
    assert words in refusal(save(content, tmp_path / "f.pth", legacy=legacy))


@BOTH
def test_tensors_that_share_memory(tmp_path, legacy):
    flat = torch.rand(10)
    message = refusal(save({"a": flat[:6], "b": flat[5:]}, tmp_path / "f.pth", legacy=legacy))
    assert "the tensors a and b share memory" in message


# Suspicious weights


def test_sound_weights_have_no_suspicious_tensors():
    assert suspicious_tensors(tiny_state()) == []


def test_suspicious_tensors_are_named():
    state = {
        "a.weight": torch.tensor([1.0, float("nan"), float("inf")]),
        "b.weight": torch.zeros(2, 2),
        "b.bias": torch.zeros(2),
        "n.running_var": torch.zeros(2),
        "n.num_batches_tracked": torch.tensor(0),
    }
    assert suspicious_tensors(state) == [
        "a.weight has 2 of 3 values that are NaN or infinite",
        "b.weight is zero throughout",
        "n.running_var is zero throughout",
    ]
