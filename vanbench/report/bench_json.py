"""The document of ``vanbench bench --json``: a model that was measured, or why it was not."""

from typing import cast

from typing_extensions import TypedDict

from vanbench.environment import Environment
from vanbench.errors import ErrorJson, VanbenchError, error_json
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.torchvision_architecture import AnyArchitectureDict
from vanbench.report.bench_records import (
    BatchFigures,
    BenchRecord,
    CeilingFigures,
    LoadSummary,
    ModelFigures,
    Sample,
)
from vanbench.report.records import FP32
from vanbench.report.runtime_records import RuntimeFigures, RuntimeRow, RuntimesRecord
from vanbench.typed_json import Json, to_json


class BenchModel(TypedDict):
    """The speed of one model."""

    name: str
    """The model, ARCH.TAG."""
    reason: str | None
    """Why it was not measured; null if it was."""
    error: ErrorJson | None
    """The failure of this model; null if it was measured."""
    architecture: AnyArchitectureDict | None
    """The architecture that was measured; null where nothing was measured."""
    weights: str | None
    """What the weights are: ``random``; null where nothing was measured."""
    resolution: int | None
    """Side of the square input, in pixels; null where nothing was measured."""
    device: str | None
    """The kind of device; null where nothing was measured."""
    precision: str | None
    """The arithmetic, such as ``fp32``; null where nothing was measured."""
    batch_size: int | None
    """The largest batch, in images; null where nothing was measured."""
    compile: bool | None
    """Whether the optimised model was compiled; null where nothing was measured, and for a model of
    torchvision, to which it does not apply."""
    choices: RewriteConfig | None
    """How the optimised model ran; null where nothing was measured, and for a model of
    torchvision, to which it does not apply."""
    reference: ModelFigures | None
    """The reference model; null where nothing was measured."""
    optimized: ModelFigures | None
    """The optimised model; null where nothing was measured, and for a model of
    torchvision, to which it does not apply."""
    speedup: float | None
    """How many times faster the optimised model is at ``batch_size``; null where there is none."""
    max_relative_error: float | None
    """The largest difference of two logits of both models, relative to the largest logit; null
    where there is no optimised model."""
    same_top5: bool | None
    """Whether both models gave the same five classes for every image; null where there is no
    optimised model."""
    batch_sizes: list[BatchFigures] | None
    """Both models at each batch size; null where there is no optimised model."""
    ceiling: CeilingFigures | None
    """What the machine would allow; null where nothing was measured, and for a model of
    torchvision, to which it does not apply."""
    load: LoadSummary | None
    """What else the machine did; null where nothing was measured."""
    samples_s_cpu_s: dict[str, dict[str, list[Sample]]] | None
    """Batch size → model → every pass: seconds that went by, and seconds that this process's
    threads computed; null where nothing was measured."""
    date: str | None
    """When it was measured, as YYYY-MM-DD; null where nothing was measured."""
    environment: Environment | None
    """What it was measured on; null where nothing was measured."""
    runtimes: list[RuntimeRow] | None
    """The runtimes in each precision, measured in turns; null without ``--runtime``."""


def measured_json(record: BenchRecord) -> BenchModel:
    """The form of ``bench --json`` for a model that was measured."""
    return cast(BenchModel, {**_empty(), **record.as_json()})


def not_measured_json(name: str, error: VanbenchError) -> BenchModel:
    """The form of ``bench --json`` for a model that failed: why, and None for each figure."""
    failed = {"name": name, "reason": str(error), "error": error_json(error)}
    return cast(BenchModel, _empty() | failed)


def runtimes_json(record: RuntimesRecord) -> BenchModel:
    """The form of ``bench --json`` for a model in several runtimes.

    What is said of two models is of the reference and of the optimised one in fp32, if this was
    measured.
    """
    found = to_json(record)
    reference, optimized = (record.figures(name) for name in ("reference", "optimized"))
    about = {
        "runtimes": found.pop("rows"),
        "precision": record.precision or FP32,
        "reference": reference and _model_figures(reference),
        "optimized": optimized and _model_figures(optimized),
        "speedup": optimized and optimized.speedup,
        "max_relative_error": optimized and optimized.max_relative_error,
        "same_top5": optimized and optimized.same_top5,
    }
    known = {key: value for key, value in found.items() if key in BenchModel.__annotations__}
    return cast(BenchModel, _empty() | known | about)


def _model_figures(figures: RuntimeFigures) -> Json:
    return to_json(ModelFigures(figures.images_per_s, figures.latency_ms, figures.peak_memory))


def _empty() -> Json:
    return dict.fromkeys(BenchModel.__annotations__)
