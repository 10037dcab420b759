"""Exported files: ONNX, and both files of OpenVINO's IR."""

from pathlib import Path
from typing import Any

import torch

from tests.fuzz.kind import Kind
from tests.support.exporting import PROTOCOL, saved
from vanbench.exported.load import open_exported, prepare
from vanbench.exported.write import export


def _make(ending: str) -> Any:
    def make(folder: Path) -> list[Path]:
        checkpoint = saved(folder)
        files = export(checkpoint, folder / f"van{ending}", PROTOCOL).files
        checkpoint.path.unlink()
        return list(files)

    return make


def _read(ending: str) -> Any:
    def read(folder: Path, path: Path) -> Any:
        file = open_exported(path.with_suffix(ending))
        logits = prepare(file, PROTOCOL, file.runtimes[0]).model(torch.zeros(2, 3, 32, 32))
        return repr(file), logits.tolist()

    return read


KINDS = {
    "onnx": Kind(_make(".onnx"), _read(".onnx")),
    "openvino": Kind(_make(".xml"), _read(".xml")),
}
