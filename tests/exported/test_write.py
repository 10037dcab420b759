"""Exported files: complete, checked, the same each time, and never half a pair."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.support.exporting import PROTOCOL, images, pixels, saved
from tests.support.models import TINY, randomized
from vanbench.data.preprocess import normalize
from vanbench.errors import CheckpointError, ScoringError, VanbenchError
from vanbench.exported import write
from vanbench.exported.load import open_exported, prepare
from vanbench.exported.write import export
from vanbench.files import sha256_of
from vanbench.model.architecture import Architecture
from vanbench.runtimes.open_vino import core

ENDINGS = pytest.mark.parametrize("ending", [".onnx", ".xml"])
NORMALIZATION = pytest.mark.parametrize("inside", [False, True], ids=["images", "pixels"])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def expected(checkpoint):
    """The reference's logits."""
    return checkpoint.model(images()).numpy()


def close(found, expected):
    return np.abs(found - expected).max() < 5e-5 * np.abs(expected).max()


def given(inside):
    """What the graph takes, as a program prepares it."""
    return pixels().permute(0, 2, 3, 1).numpy() if inside else images().numpy()


@NORMALIZATION
def test_onnx_runtime_computes_the_same_logits(checkpoint, expected, tmp_path, inside):
    """As a program does that knows nothing of vanbench."""
    written = export(checkpoint, tmp_path / "van.onnx", PROTOCOL, normalization=inside)
    session = onnxruntime.InferenceSession(written.path, providers=["CPUExecutionProvider"])
    for count in (5, 1, 3):
        (found,) = session.run(["logits"], {"images": given(inside)[:count]})
        assert close(found, expected[:count])


@NORMALIZATION
def test_openvino_computes_the_same_logits(checkpoint, expected, tmp_path, inside):
    written = export(checkpoint, tmp_path / "van.xml", PROTOCOL, normalization=inside)
    assert written.files == (tmp_path / "van.bin", tmp_path / "van.xml")
    compiled = core().compile_model(
        tmp_path / "van.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    for count in (5, 1):
        assert close(compiled(given(inside)[:count])["logits"], expected[:count])


def test_the_onnx_file_passes_the_checker_and_has_every_weight(checkpoint, tmp_path):
    model = onnx.load(export(checkpoint, tmp_path / "van.onnx", PROTOCOL).path)
    onnx.checker.check_model(model, full_check=True)
    (opset,) = model.opset_import
    assert (opset.domain, opset.version) == ("", 17)
    state = checkpoint.model.state_dict()
    inside = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            assert np.array_equal(inside[name].reshape(tensor.shape), tensor.numpy()), name


@ENDINGS
def test_the_metadata_name_the_source_and_the_protocol(checkpoint, tmp_path, ending):
    written = export(checkpoint, tmp_path / f"van{ending}", PROTOCOL, model="mine/van.test")
    metadata = open_exported(written.path).metadata
    assert metadata == written.metadata
    assert metadata.source_sha256 == sha256_of(checkpoint.path)
    assert metadata.source_file == "van.pth"
    assert metadata.model == "mine/van.test"
    assert metadata.protocol == PROTOCOL
    assert metadata.class_ids == PROTOCOL.class_ids
    assert metadata.architecture == TINY.as_dict()
    assert metadata.layer_norm_eps == checkpoint.layer_norm_eps


def test_other_programs_find_the_metadata(checkpoint, tmp_path):
    onnx_file = export(checkpoint, tmp_path / "van.onnx", PROTOCOL).path
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    texts = session.get_modelmeta().custom_metadata_map
    assert texts["vanbench.source_sha256"] == checkpoint.sha256
    xml = export(checkpoint, tmp_path / "van.xml", PROTOCOL).path
    model = core().read_model(xml)
    assert model.get_rt_info(["vanbench", "source_sha256"]).astype(str) == checkpoint.sha256


@ENDINGS
def test_exporting_twice_gives_the_same_bytes(checkpoint, tmp_path, ending):
    (tmp_path / "other").mkdir()
    first = export(checkpoint, tmp_path / f"van{ending}", PROTOCOL)
    other = export(checkpoint, tmp_path / f"other/van{ending}", PROTOCOL)
    for path in first.files:
        content = path.read_bytes()
        assert (tmp_path / "other" / path.name).read_bytes() == content
    assert first.sha256 == other.sha256


def test_another_process_writes_the_same_bytes(checkpoint, tmp_path):
    """OpenVINO numbers what it makes within a process."""
    first = export(checkpoint, tmp_path / "van.xml", PROTOCOL)
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.support.exporting import PROTOCOL\n"
        "from vanbench.checkpoints.load import open_checkpoint\n"
        "from vanbench.exported.write import export\n"
        "export(open_checkpoint(Path(sys.argv[1])), Path(sys.argv[2]), PROTOCOL)"
    )
    (tmp_path / "third").mkdir()
    third = tmp_path / "third/van.xml"
    command = [sys.executable, "-c", code, str(checkpoint.path), str(third)]
    root = Path(__file__).parents[2]
    subprocess.run(command, check=True, cwd=root, env=os.environ | {"PYTHONPATH": str(root)})
    for path in first.files:
        assert (tmp_path / "third" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_weights_of_other_types_become_float32(tmp_path, kind):
    """As they do when the checkpoint is validated."""
    checkpoint = saved(tmp_path, randomized(seed=3).to(kind))
    written = export(checkpoint, tmp_path / "van.onnx", PROTOCOL)
    kinds = {tensor.data_type for tensor in onnx.load(written.path).graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT}
    assert written.relative_error < 5e-5


@ENDINGS
def test_a_network_without_a_head_gives_its_features(tmp_path, ending):
    headless = Architecture(TINY.embed_dims, TINY.depths, TINY.mlp_ratios, num_classes=0)
    checkpoint = saved(tmp_path, randomized(headless))
    written = export(checkpoint, tmp_path / f"backbone{ending}", PROTOCOL)
    assert written.output == "features"
    assert written.metadata.class_ids == ()
    exported = prepare(written.file, PROTOCOL, written.runtime)
    assert exported.num_classes == 0
    assert close(exported.model(images()).numpy(), checkpoint.model(images()).numpy())


# What is refused, and what is left behind: nothing.


@pytest.fixture
def nothing_new(tmp_path):
    """The folder has the same files afterwards."""
    before = sorted(tmp_path.rglob("*"))
    yield
    assert sorted(tmp_path.rglob("*")) == before


@ENDINGS
def test_a_file_that_differs_from_the_reference_is_not_written(
    checkpoint, tmp_path, ending, monkeypatch, nothing_new
):
    """Another network is written than the one that is compared: one weight is changed."""
    wrong = randomized()
    wrong.head.weight[3, 5] += 0.01
    honest = write._write
    monkeypatch.setattr(write, "_write", lambda _, *rest: honest(wrong, *rest))
    with pytest.raises(ScoringError, match="nothing was written") as failed:
        export(checkpoint, tmp_path / f"van{ending}", PROTOCOL)
    assert failed.value.where == f"van{ending}"


def test_a_network_in_which_rounding_is_everything_is_not_written(tmp_path):
    """Its head gives 1 − 1 for the images that are compared: what is left is rounding."""
    model = randomized()
    compared = normalize(write._pixels(max(write.BATCHES), PROTOCOL.center_crop), PROTOCOL)
    features = model.forward_features(compared)
    ones = torch.ones(len(compared), TINY.num_classes)
    model.head.weight.copy_(torch.linalg.lstsq(features, ones, driver="gelsd").solution.T)
    model.head.bias.fill_(-1)
    checkpoint = saved(tmp_path, model)
    with pytest.raises(ScoringError, match="expected the logits of the reference within 5e-05"):
        export(checkpoint, tmp_path / "van.onnx", PROTOCOL)
    assert os.listdir(tmp_path) == ["van.pth"]


def test_damaged_weights_are_not_exported(tmp_path):
    model = randomized()
    model.head.weight[0, 0] = torch.nan
    checkpoint = saved(tmp_path, model)
    with pytest.raises(ScoringError, match="NaN or infinity"):
        export(checkpoint, tmp_path / "van.onnx", PROTOCOL)
    assert os.listdir(tmp_path) == ["van.pth"]


@pytest.mark.parametrize(
    ("existing", "target"),
    [("van.onnx", "van.onnx"), ("van.xml", "van.xml"), ("van.bin", "van.xml")],
)
def test_an_existing_file_is_never_overwritten(checkpoint, tmp_path, existing, target):
    (tmp_path / existing).write_bytes(b"precious")
    with pytest.raises(VanbenchError, match="exists already") as failed:
        export(checkpoint, tmp_path / target, PROTOCOL)
    assert failed.value.where == tmp_path / existing
    assert os.listdir(tmp_path) == [existing]
    assert (tmp_path / existing).read_bytes() == b"precious"


def test_a_folder_that_is_not_there(checkpoint, tmp_path):
    with pytest.raises(VanbenchError, match="cannot be written: there is no such folder") as failed:
        export(checkpoint, tmp_path / "none/van.onnx", PROTOCOL)
    assert failed.value.where == tmp_path / "none/van.onnx"


def test_no_graph_is_left_without_its_weights(checkpoint, tmp_path, monkeypatch):
    """The second of two renamings fails."""

    def fail(source, target):
        if target.suffix == ".xml":
            raise OSError(28, "No space left on device")
        os.replace(source, target)

    monkeypatch.setattr(write, "replace", fail)
    with pytest.raises(VanbenchError, match="No space left"):
        export(checkpoint, tmp_path / "van.xml", PROTOCOL)
    assert os.listdir(tmp_path) == []


def test_another_number_of_classes_needs_another_zoo(tmp_path, nothing_new):
    folder = tmp_path.parent / f"{tmp_path.name}-source"
    folder.mkdir()
    checkpoint = saved(
        folder, randomized(Architecture(TINY.embed_dims, TINY.depths, num_classes=7))
    )
    with pytest.raises(ScoringError, match=r"a head of 10 classes, .* found 7"):
        export(checkpoint, tmp_path / "van.onnx", PROTOCOL)


def test_more_weights_than_an_onnx_file_can_have(tmp_path):
    huge = Architecture((4096, 4096, 4096, 4096), (1, 1, 1, 1), num_classes=10)
    with pytest.raises(VanbenchError, match=r"less than 2 GiB, .* found 5\.4 GiB"):
        write._refuse_size(huge, tmp_path / "van.onnx")


def test_a_model_of_torchvision_is_refused(tmp_path, checkpoint):
    other = replace(checkpoint, model=torch.nn.Identity())
    with pytest.raises(CheckpointError, match="expected a VAN"):
        export(other, tmp_path / "van.onnx", PROTOCOL)


def test_the_permissions_are_those_of_a_new_file(checkpoint, tmp_path):
    usual = tmp_path / "usual"
    usual.touch()
    for path in export(checkpoint, tmp_path / "van.xml", PROTOCOL).files:
        assert path.stat().st_mode == usual.stat().st_mode
