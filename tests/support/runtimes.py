"""A record of several runtimes: figures that follow from their samples."""

from tests.support.models import TINY
from tests.support.recorded import ENVIRONMENT
from vanbench.report.bench_records import Latency, LoadSummary
from vanbench.report.runtime_records import (
    FAILED,
    LEFT_OUT,
    MEASURED,
    NOT_INSTALLED,
    RuntimeFigures,
    RuntimeRow,
    RuntimesRecord,
    StartUp,
)


def figures(batch_1: float, batch_2: float, **others: object) -> RuntimeFigures:
    """From the seconds of a pass of one image and of two; the reference takes 0.1 s for two."""
    return RuntimeFigures(
        images_per_s=2 / batch_2,
        speedup=0.1 / batch_2,
        latency_ms=Latency(1000 * batch_1, 1000 * batch_1, 1000 * batch_1),
        samples_s_cpu_s={"1": ((batch_1, batch_1),) * 3, "2": ((batch_2, batch_2),) * 3},
        **{
            "peak_memory": 3 * 2**20,
            "start_up": StartUp(1.0, 0.25, 0.5, 0.25),
            "max_relative_error": 0.0,
            "same_top5": True,
            **others,
        },
    )


FIGURES = figures(0.03, 0.05, max_relative_error=0.004, same_top5=False)
ROWS = (
    RuntimeRow("reference", "fp32", MEASURED, None, {"torch": "2"}, None, figures(0.06, 0.1)),
    RuntimeRow("openvino", "bf16", MEASURED, None, {"openvino": "1"}, None, FIGURES),
    RuntimeRow("openvino", "fp32", FAILED, "the runtime failed: no kernel.", {}, None, None),
    RuntimeRow("onnxruntime", None, NOT_INSTALLED, "pip install 'vanbench[onnx]'", {}, None, None),
    RuntimeRow("compiled", None, LEFT_OUT, "It compiles for minutes.", {}, None, None),
)


def runtimes_record(name: str = "tiny.test") -> RuntimesRecord:
    """A record with every kind of row."""
    return RuntimesRecord(
        name=name,
        runtime="all",
        precision=None,
        architecture=TINY,
        weights="random",
        resolution=224,
        device="cpu",
        batch_size=2,
        rows=ROWS,
        load=LoadSummary(0.0, 0.0, 2),
        date="2026-11-25",
        environment=ENVIRONMENT,
    )
