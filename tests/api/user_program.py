"""A program of a user that calls everything; test_types has mypy check it, nothing runs it.

Under ``strict``, an ignored error that is none is an error: so the wrong calls at the end prove that
the signatures are seen.
"""

from pathlib import Path
from typing import assert_type

import torch
from PIL import Image

import vanbench
from vanbench import Architecture, EvaluationProtocol

OWN = {"embed_dims": [8] * 4, "depths": [1] * 4}

model = vanbench.create_model("van_b0", num_classes=1000)
own = vanbench.create_model(architecture=Architecture((8, 8, 16, 16), (1, 1, 1, 1)))
also = vanbench.create_model(architecture=OWN)
loaded = vanbench.load_model(Path("van.pth"), layer_norm_eps=1e-6)
fast = vanbench.optimize(loaded)
image = vanbench.preprocess(Image.new("RGB", (9, 9)), EvaluationProtocol(center_crop=64))
assert_type(image, torch.Tensor)
assert_type(vanbench.preprocess("image.jpg"), torch.Tensor)
assert_type(vanbench.preprocess(b""), torch.Tensor)

found = vanbench.verify(["van_b0", "van_b1"], data=Path("val"), limit=100, mirrors="https://x")
headline: str = found.answer.headline
verdicts: list[str] = [row.top1.verdict for row in found.rows]
causes: dict[str, str] = {name: error.cause for name, error in found.errors.items()}
params: int = vanbench.count("all", resolution=384).counts["van_b0.in1k"].params
top1: float = vanbench.validate("van_b*", data="val").tallies["van_b0.in1k"].top1
speedup: float = vanbench.bench("van_b0", seconds=1).records["van_b0.in1k"].speedup
numbers: int = vanbench.results(results=Path("results")).answer.tally.numbers
runs = vanbench.predictions()
first: str = runs.runs[0][0].model
p: float | None = vanbench.predictions(3).compare(vanbench.predictions("van_b0")).agreement.p

vanbench.create_model(7)  # type: ignore[arg-type]
vanbench.create_model("van_b0", architecture=8)  # type: ignore[arg-type]
vanbench.preprocess(image)  # type: ignore[arg-type]
vanbench.verify(8)  # type: ignore[arg-type]
vanbench.verify("van_b0", "val")  # type: ignore[call-arg]
vanbench.validate("van_b0", batch_size="large")  # type: ignore[arg-type]
vanbench.count("van_b0", resolution=2.5)  # type: ignore[arg-type]
vanbench.results(zoo=None)  # type: ignore[arg-type]
vanbench.predictions().compare(runs)  # type: ignore[attr-defined]
vanbench.verfy("van_b0")  # type: ignore[attr-defined]
