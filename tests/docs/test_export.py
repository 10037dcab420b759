"""The Python code of docs/export.md does what the page says."""

import torch

from tests.docs.blocks import blocks
from tests.support.command_line import run
from vanbench.files import sha256_of
from vanbench.model.architecture import ARCHITECTURES
from vanbench.model.build import random_weights


def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(random_weights(ARCHITECTURES["van_b0"]).state_dict(), "my_van.pth")
    run("export", "--checkpoint", "my_van.pth", "van_b0.onnx", "-q")
    names = {}
    for code in blocks("docs/export.md", "python"):
        exec(code, names)
    assert names["logits"].shape == (1, 1000)
    assert names["metadata"]["vanbench.source_sha256"] == sha256_of("my_van.pth")
