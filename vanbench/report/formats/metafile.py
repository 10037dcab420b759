"""OpenMMLab's ``metafile.yml``, with measured counts and accuracies alone."""

from collections.abc import Sequence
from typing import Any

from vanbench.model.torchvision_architecture import TorchvisionArchitecture
from vanbench.outside.safe_text import for_terminal
from vanbench.report.as_counted import flops_as, params_as
from vanbench.report.formats.values import IMAGE_CLASSIFICATION, MADE_BY, data_set, percent
from vanbench.report.formats.yaml_writer import comment, yaml_text
from vanbench.report.rows import ModelRow

VAN = {
    "Name": "Visual-Attention-Network",
    "Metadata": {"Architecture": ["Visual Attention Network"]},
    "Paper": {"URL": "https://arxiv.org/abs/2202.09741", "Title": "Visual Attention Network"},
}
TORCHVISION = {"Name": "torchvision"}
"""The collections that a model may be in."""


def render(rows: Sequence[ModelRow]) -> str:
    """A collection, and the models of which something was measured.

    Parameters and FLOPs (under the conventions of the zoo entry) are whole numbers, accuracies
    percentages.
    """
    measured = [row for row in rows if _is_measured(row)]
    declared = [row.entry.name for row in measured if _is_declared(row)]
    head = comment(f"Measured with {MADE_BY}; published figures are not in it.")
    if declared:
        names = for_terminal(", ".join(declared))
        head += comment(f"Counts of the declared architecture, without the file: {names}.")
    used = [_collection(row) for row in measured] or [VAN]
    collections = [collection for collection in (VAN, TORCHVISION) if collection in used]
    models = [_model(row) for row in measured]
    return head + yaml_text({"Collections": collections, "Models": models})


def _collection(row: ModelRow) -> dict[str, Any]:
    of_torchvision = isinstance(row.entry.architecture, TorchvisionArchitecture)
    return TORCHVISION if of_torchvision else VAN


def left_out(rows: Sequence[ModelRow]) -> list[str]:
    """The models of which nothing was measured."""
    return [row.entry.name for row in rows if not _is_measured(row)]


def _is_measured(row: ModelRow) -> bool:
    return row.params.measured is not None or bool(_results(row))


def _is_declared(row: ModelRow) -> bool:
    """Whether the counts are of what the zoo declares, not of the file's tensors."""
    return row.record.counts is not None and row.record.counts.source == "architecture"


def _model(row: ModelRow) -> dict[str, Any]:
    counts, counting = row.record.counts, row.entry.counting
    model: dict[str, Any] = {"Name": for_terminal(row.entry.name)}
    if counts and row.params.measured is not None:
        model["Metadata"] = {
            "Parameters": params_as(counting, counts),
            "FLOPs": flops_as(counting, counts),
        }
    model["In Collection"] = _collection(row)["Name"]
    if results := _results(row):
        model["Results"] = [results]
    if row.entry.urls:
        model["Weights"] = row.entry.public_url
    if row.entry.config:
        model["Config"] = for_terminal(row.entry.config)
    return model


def _results(row: ModelRow) -> dict[str, Any]:
    values = {"Top 1 Accuracy": percent(row.top1), "Top 5 Accuracy": percent(row.top5)}
    metrics = {title: value for title, value in values.items() if value is not None}
    if not metrics:
        return {}
    return {"Dataset": data_set(row), "Metrics": metrics, "Task": IMAGE_CLASSIFICATION}
