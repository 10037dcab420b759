"""Exported files, ours and others', as models; what cannot be one is refused in one message."""

import hashlib
import os
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.support.exporting import PROTOCOL, images, pixels, saved
from tests.support.models import randomized
from vanbench.data.preprocess import normalize
from vanbench.errors import CheckpointError, DependencyError, DeviceError, ScoringError
from vanbench.exported.load import is_exported, open_exported, pixels_of, prepare
from vanbench.exported.write import export
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.names import ONNXRUNTIME, OPENVINO
from vanbench.runtimes.onnx_graph import onnx_model
from vanbench.runtimes.onnx_runtime import INT8
from vanbench.runtimes.open_vino import core, without_telemetry
from vanbench.runtimes.quantize import quantized
from vanbench.zoo.entries import EvaluationProtocol

RUNTIMES = pytest.mark.parametrize("runtime", [ONNXRUNTIME, OPENVINO])


@pytest.fixture(scope="module")
def model():
    return randomized()


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Files of this project: images and pixels, ONNX and OpenVINO."""
    folder = tmp_path_factory.mktemp("ours")
    checkpoint = saved(folder)
    for name in ("van.onnx", "van.xml", "pixels.onnx", "pixels.xml"):
        inside = name.startswith("pixels")
        export(checkpoint, folder / name, PROTOCOL, normalization=inside)
    return folder


def check(path, model, runtime, *, most=5e-5):
    """The file computes the model's logits, for batches of several sizes."""
    exported = prepare(open_exported(path), PROTOCOL, runtime)
    expected = model(images())
    assert exported.num_classes == expected.shape[1]
    for count in (5, 1, 2):
        found = exported.model(images(count))
        assert found.dtype == torch.float32
        assert (found - expected[:count]).abs().max() < most * expected.abs().max()


def refusal(path, error=CheckpointError, protocol=PROTOCOL, runtime=None):
    """The message with which a file is refused."""
    with pytest.raises(error) as failed:
        file = open_exported(path)
        prepare(file, protocol, runtime or file.runtimes[0])
    message = str(failed.value)
    assert len(message) < 1000
    assert "\n" not in message
    return message


def write(path: Path, graph: onnx.ModelProto) -> Path:
    path.write_bytes(graph.SerializeToString())
    return path


def foreign(model, batch: int | str = "n", images="x", logits="y") -> onnx.ModelProto:
    """A graph without metadata, with other names and any batch."""
    graph = onnx_model(model, 32)
    for node in graph.graph.node:
        node.input[:] = [images if name == "images" else name for name in node.input]
        node.output[:] = [logits if name == "logits" else name for name in node.output]
    for value, name in ((graph.graph.input[0], images), (graph.graph.output[0], logits)):
        value.name = name
        first = value.type.tensor_type.shape.dim[0]
        first.Clear()
        setattr(first, "dim_value" if isinstance(batch, int) else "dim_param", batch)
    return graph


# What is read


@pytest.mark.parametrize(
    ("name", "runtime"),
    [
        *[(name, ONNXRUNTIME) for name in ("van.onnx", "pixels.onnx")],
        *[(name, OPENVINO) for name in ("van.onnx", "pixels.onnx", "van.xml", "pixels.xml")],
    ],
)
def test_our_files(ours, model, name, runtime):
    check(ours / name, model, runtime)


@RUNTIMES
@pytest.mark.parametrize("batch", ["n", 1, 3])
def test_any_names_and_any_batch(model, tmp_path, runtime, batch):
    names = {"images": "in put/0:é", "logits": "Ergebnis"}
    check(write(tmp_path / "van.onnx", foreign(model, batch, **names)), model, runtime)


@RUNTIMES
def test_weights_in_float16(model, tmp_path, runtime):
    """Weights as float16, each made float32 in the graph; and everything in float16."""
    graph = foreign(model)
    for tensor in list(graph.graph.initializer):
        half = numpy_helper.to_array(tensor).astype("float16")
        tensor.CopyFrom(numpy_helper.from_array(half, f"{tensor.name}.half"))
        name = tensor.name.removesuffix(".half")
        graph.graph.node.insert(0, helper.make_node("Cast", [tensor.name], [name], to=1))
    path = write(tmp_path / "van.onnx", graph)
    check(path, model, runtime, most=2e-3)
    assert prepare(open_exported(path), PROTOCOL, runtime).precision == "fp16"


@RUNTIMES
def test_float16_in_and_out(model, tmp_path, runtime):
    graph = foreign(model)
    for value in (graph.graph.input[0], graph.graph.output[0]):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    for node in graph.graph.node:
        node.input[:] = ["x32" if name == "x" else name for name in node.input]
        node.output[:] = ["y32" if name == "y" else name for name in node.output]
    graph.graph.node.insert(0, helper.make_node("Cast", ["x"], ["x32"], to=TensorProto.FLOAT))
    graph.graph.node.append(helper.make_node("Cast", ["y32"], ["y"], to=TensorProto.FLOAT16))
    check(write(tmp_path / "van.onnx", graph), model, runtime, most=2e-3)


@RUNTIMES
def test_a_file_of_torch_onnx_export(model, tmp_path, runtime):
    """As anyone exports the reference: TorchScript, a dynamic batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (images(2),), tmp_path / "van.onnx", dynamo=False,
            input_names=["input"], output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
        )  # fmt: skip
    check(tmp_path / "van.onnx", model, runtime)


def test_a_file_of_torch_onnx_export_with_the_defaults_of_today(model, tmp_path):
    """One image at a time, and the weights in a second file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (images(1),), tmp_path / "van.onnx", dynamo=True, verbose=False)
    assert (tmp_path / "van.onnx.data").exists()
    for runtime in (ONNXRUNTIME, OPENVINO):
        check(tmp_path / "van.onnx", model, runtime)


def test_an_ir_that_openvino_made_of_another_onnx_file(model, tmp_path):
    """With weights in float16, as ``save_model`` writes them by default."""
    graph = core().read_model(foreign(model).SerializeToString())
    without_telemetry().save_model(graph, tmp_path / "van.xml")
    check(tmp_path / "van.xml", model, OPENVINO, most=2e-3)
    assert open_exported(tmp_path / "van.xml").precision == "fp16"


@RUNTIMES
def test_a_quantised_file_is_not_called_fp32(model, tmp_path, runtime):
    setting = Setting(torch.device("cpu"), "int8", 32, calibration=images())
    (tmp_path / "van.onnx").write_bytes(quantized(model, setting, INT8))
    check(tmp_path / "van.onnx", model, runtime, most=0.5)
    assert prepare(open_exported(tmp_path / "van.onnx"), PROTOCOL, runtime).precision == "int8"
    without_telemetry().save_model(core().read_model(tmp_path / "van.onnx"), tmp_path / "van.xml")
    assert open_exported(tmp_path / "van.xml").precision == "int8"


def test_our_own_files_are_in_fp32(ours):
    assert {open_exported(path).precision for path in ours.glob("*.onnx")} == {"fp32"}
    assert {open_exported(path).precision for path in ours.glob("*.xml")} == {"fp32"}


@pytest.mark.parametrize("ending", [".onnx", ".xml"])
def test_the_hash_is_over_all_files(ours, model, tmp_path, ending):
    """As ``cat van.xml van.bin | sha256sum`` says it."""
    if ending == ".xml":
        paths = [ours / "van.xml", ours / "van.bin"]
    else:
        graph = foreign(model)
        onnx.save_model(graph, tmp_path / "van.onnx", save_as_external_data=True,
                        location="weights", size_threshold=0)  # fmt: skip
        paths = [tmp_path / "van.onnx", tmp_path / "weights"]
        check(paths[0], model, ONNXRUNTIME)
    content = b"".join(path.read_bytes() for path in paths)
    assert open_exported(paths[0]).sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("ending", [".onnx", ".xml"])
def test_a_changed_weight_changes_the_hash(ours, tmp_path, ending):
    for path in ours.glob("van.*"):
        shutil.copy(path, tmp_path)
    before = open_exported(tmp_path / f"van{ending}").sha256
    with (tmp_path / f"van{'.bin' if ending == '.xml' else ending}").open("r+b") as file:
        file.seek(-2, os.SEEK_END) if ending == ".xml" else file.seek(20_000)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    assert open_exported(tmp_path / f"van{ending}").sha256 != before


@pytest.mark.parametrize(
    "protocol",
    [
        PROTOCOL,
        EvaluationProtocol(),
        replace(PROTOCOL, mean=(0.0, 1000.0, 0.5), std=(1e-6, 1000.0, 1.0)),
    ],
    ids=["ImageNet", "OpenMMLab", "extremes"],
)
def test_the_pixels_of_normalised_images_are_exact(protocol):
    every = torch.arange(256, dtype=torch.uint8).repeat(3, 1).reshape(1, 3, 16, 16)
    for batch in (every, pixels()):
        found = pixels_of(normalize(batch, protocol), protocol)
        assert torch.equal(found, batch.permute(0, 2, 3, 1))


@pytest.mark.parametrize("name", ["a.onnx", "a.XML", "b.c.ONNX"])
def test_exported_files_are_known_by_their_name(name):
    assert is_exported(Path(name))


def test_others_are_not_exported_files():
    assert not any(is_exported(Path(name)) for name in ("a.pth", "a.bin", "onnx", "a.onnx.pth"))


# What is refused


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "nothing (it is empty)"),
        (b"<!DOCTYPE html><title>Sign in</title>", 'an HTML or XML page ("Sign in")'),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"\x0a\x03abc", "the bytes"),
    ],
    ids=["empty", "page", "zip", "LFS", "another message"],
)
@pytest.mark.parametrize("ending", [".onnx", ".xml"])
def test_other_files(tmp_path, content, found, ending):
    path = tmp_path / f"van{ending}"
    path.write_bytes(content)
    message = refusal(path)
    assert message.startswith(f"{path}: expected ")
    assert f"found {found}" in message


@pytest.mark.parametrize("part", [0.01, 0.5, 0.999])
@pytest.mark.parametrize("name", ["van.onnx", "van.xml", "van.bin"])
def test_truncated_files(ours, tmp_path, name, part):
    for path in ours.glob("van.*"):
        shutil.copy(path, tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(part * len(content))])
    message = refusal(tmp_path / ("van.onnx" if name == "van.onnx" else "van.xml"))
    assert "copy it again, or export it again" in message


def test_a_missing_file(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "van.onnx")


def test_an_ir_without_its_weights(ours, tmp_path):
    shutil.copy(ours / "van.xml", tmp_path)
    message = refusal(tmp_path / "van.xml")
    assert f"{tmp_path / 'van.bin'}: there is no such file" in message
    assert "Copy both files" in message


@pytest.fixture
def external(model, tmp_path):
    """A graph whose data are in other files; ``save`` writes it with their name and limits."""

    def save(**entries):
        folder = tmp_path / "folder"
        folder.mkdir(exist_ok=True)
        graph = foreign(model)
        onnx.save_model(graph, folder / "van.onnx", save_as_external_data=True,
                        location="weights", size_threshold=0)  # fmt: skip
        graph = onnx.load(folder / "van.onnx", load_external_data=False)
        for entry in graph.graph.initializer[0].external_data:
            entry.value = entries.pop(entry.key, entry.value)
        return write(folder / "van.onnx", graph)

    return save


@pytest.mark.parametrize(
    "location", ["../weights", "/etc/passwd", "sub/weights", "", "a\0b", "..", ".", "link"]
)
def test_external_data_elsewhere(external, tmp_path, location):
    path = external(location=location)
    for secret in (tmp_path / "weights", path.parent / "sub/weights"):
        secret.parent.mkdir(exist_ok=True)
        secret.write_bytes(bytes(10_000_000))
    (path.parent / "link").symlink_to(tmp_path / "weights")
    message = refusal(path)
    assert "in the folder of the file" in message or "found a folder" in message


def test_external_data_that_are_missing(external):
    path = external()
    (path.parent / "weights").unlink()
    message = refusal(path)
    assert message.startswith(f"{path.parent / 'weights'}: there is no such file")
    assert "together with the files of its external data" in message


@pytest.mark.parametrize(
    "entries",
    [{"offset": "-4"}, {"offset": "99999999999"}, {"length": "99999999"}, {"length": "x"}],
    ids=str,
)
def test_external_data_beyond_the_end(external, entries):
    assert "expected the data of" in refusal(external(**entries))


def test_external_data_behind_links_of_one_folder(external, model, tmp_path):
    """As the cache of Hugging Face keeps them: every file is a link into a folder of blobs."""
    path = external()
    links = tmp_path / "snapshot"
    links.mkdir()
    for name in ("van.onnx", "weights"):
        (links / name).symlink_to(path.parent / name)
    check(links / "van.onnx", model, ONNXRUNTIME)


def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "van.onnx")
    assert "found a named pipe" in refusal(tmp_path / "van.onnx")


def with_input(graph, kind=TensorProto.FLOAT, shape=("n", 3, 32, 32)):
    graph.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", kind, list(shape)))
    return graph


@pytest.mark.parametrize(
    ("shape", "kind", "reason"),
    [
        (("n", 3, 32), TensorProto.FLOAT, "expected an input of float32 or float16 (N, 3, H, W)"),
        (("n", 1, 32, 32), TensorProto.FLOAT, "found float32 (any, 1, 32, 32)"),
        (("n", 32, 32, 3), TensorProto.FLOAT, "found float32 (any, 32, 32, 3)"),
        ((0, 3, 32, 32), TensorProto.FLOAT, "found float32 (0, 3, 32, 32)"),
        (("n", 3, 32, 32), TensorProto.UINT8, "found uint8 (any, 3, 32, 32)"),
        (("n", 3, 32, 32), TensorProto.STRING, "found string (any, 3, 32, 32)"),
    ],
    ids=str,
)
def test_another_input(model, tmp_path, shape, kind, reason):
    path = write(tmp_path / "van.onnx", with_input(foreign(model), kind, shape))
    assert reason in refusal(path)


def test_another_size_than_the_crop(model, tmp_path):
    path = write(tmp_path / "van.onnx", foreign(model))
    larger = replace(PROTOCOL, center_crop=64, resize_short_edge=72)
    message = refusal(path, ScoringError, larger)
    assert "expected images of 64×64, the crop of the protocol, found an input of 32×32" in message


@pytest.mark.parametrize("what", ["input", "output"])
def test_several_inputs_or_outputs(model, tmp_path, what):
    graph = foreign(model)
    if what == "input":
        graph.graph.input.add().CopyFrom(helper.make_tensor_value_info("z", 1, [1]))
    else:
        graph.graph.output.add().CopyFrom(graph.graph.output[0])
        graph.graph.output[1].name = graph.graph.node[0].output[0]
    message = refusal(write(tmp_path / "van.onnx", graph))
    assert "expected one input and one output, found" in message


def test_an_output_that_is_no_logits(model, tmp_path):
    graph = foreign(model)
    del graph.graph.node[-2:]  # pooling, without Flatten and the head
    graph.graph.output[0].CopyFrom(
        helper.make_tensor_value_info(graph.graph.node[-1].output[0], 1, None)
    )
    message = refusal(write(tmp_path / "van.onnx", graph), ScoringError)
    assert "expected logits (1, classes), found (1, 20, 1, 1)" in message


def test_a_batch_that_is_dynamic_in_name_only(model, tmp_path):
    """A fixed Reshape inside, which tools leave behind: the first larger batch is refused."""
    graph = foreign(model)
    flatten = next(node for node in graph.graph.node if node.op_type == "Flatten")
    shape = numpy_helper.from_array(torch.tensor([1, 20]).numpy(), "shape")
    graph.graph.initializer.append(shape)
    flatten.CopyFrom(helper.make_node("Reshape", [flatten.input[0], "shape"], flatten.output))
    exported = prepare(open_exported(write(tmp_path / "van.onnx", graph)), PROTOCOL, ONNXRUNTIME)
    with pytest.raises(ScoringError, match="cannot be computed for 5 images"):
        exported.model(images())


def test_control_flow(model, tmp_path):
    """A loop could run for ever."""
    graph = foreign(model)
    body = helper.make_graph([], "body", [], [])
    graph.graph.node.append(helper.make_node("Loop", ["", ""], ["z"], body=body))
    message = refusal(write(tmp_path / "van.onnx", graph))
    assert "expected a network without control flow, found the operation Loop" in message


@pytest.mark.parametrize(
    ("name", "runtime", "remedy"),
    [
        ("van.onnx", "optimized", "Use --runtime onnxruntime or openvino."),
        ("van.xml", ONNXRUNTIME, "Use --runtime openvino."),
        ("van.xml", "reference", "Use --runtime openvino."),
    ],
)
def test_a_runtime_that_cannot_run_it(ours, name, runtime, remedy):
    message = refusal(ours / name, DeviceError, runtime=runtime)
    assert f"expected a file that the runtime {runtime} can run" in message
    assert remedy in message


def test_a_precision_that_its_runtime_has_not(ours):
    with pytest.raises(DeviceError, match="does not compute in bf16"):
        prepare(open_exported(ours / "van.onnx"), PROTOCOL, ONNXRUNTIME, "bf16")


@pytest.mark.parametrize("name", ["van.onnx", "van.xml"])
def test_a_graph_is_not_quantised(ours, name):
    file = open_exported(ours / name)
    with pytest.raises(DeviceError, match="as it is, found int8"):
        prepare(file, PROTOCOL, file.runtimes[0], "int8")


def test_other_weights_than_those_asked_for(ours, model, tmp_path):
    assert open_exported(ours / "van.onnx", weights="plain")
    with pytest.raises(CheckpointError, match="expected ema weights, found plain"):
        open_exported(ours / "van.onnx", weights="ema")
    path = write(tmp_path / "van.onnx", foreign(model))
    with pytest.raises(CheckpointError, match="does not say which"):
        open_exported(path, weights="plain")


@pytest.mark.parametrize(("ending", "extra"), [(".onnx", "onnx"), (".xml", "openvino")])
def test_packages_that_are_not_installed(ours, monkeypatch, ending, extra):
    monkeypatch.setattr("vanbench.exported.load.find_spec", lambda _: None)
    with pytest.raises(DependencyError, match="not installed") as failed:
        open_exported(ours / f"van{ending}")
    assert failed.value.remedy == f"Install it with: pip install 'vanbench[{extra}]'"


def test_damaged_metadata(ours, tmp_path):
    graph = onnx.load(ours / "van.onnx")
    entry = next(e for e in graph.metadata_props if e.key == "vanbench.protocol")
    entry.value = entry.value.replace("36", "9" * 50)
    assert "not readable metadata" in refusal(write(tmp_path / "van.onnx", graph))


def test_nothing_is_printed_about_damaged_files(ours, tmp_path, capfd):
    """ONNX Runtime tries again with another provider, and prints so."""
    content = (ours / "van.onnx").read_bytes()
    (tmp_path / "van.onnx").write_bytes(content.replace(b"proj_in", b"proj_\xffn", 1))
    refusal(tmp_path / "van.onnx")
    assert capfd.readouterr() == ("", "")
