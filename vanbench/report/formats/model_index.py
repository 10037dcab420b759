"""Hugging Face's ``model-index``, the metadata of a model card, with measured accuracies alone."""

from collections.abc import Iterator, Sequence
from typing import Any

from vanbench.outside.safe_text import for_terminal
from vanbench.report.formats.values import IMAGENET_1K, MADE_BY, data_set, percent
from vanbench.report.formats.yaml_writer import comment, yaml_text
from vanbench.report.rows import ModelRow

METRICS = {"top1": "Top-1 accuracy", "top5": "Top-5 accuracy"}


def render(rows: Sequence[ModelRow]) -> str:
    """The key ``model-index`` with a model for each that has an accuracy; percentages."""
    models = [_model(row) for row in rows if percent(row.top1) is not None]
    return comment(f"Measured with {MADE_BY}.") + yaml_text({"model-index": models})


def left_out(rows: Sequence[ModelRow]) -> list[str]:
    """The models without a measured Top-1."""
    return [row.entry.name for row in rows if percent(row.top1) is None]


def _model(row: ModelRow) -> dict[str, Any]:
    name = data_set(row)
    return {
        "name": for_terminal(row.entry.name),
        "results": [
            {
                "task": {"type": "image-classification", "name": "Image Classification"},
                "dataset": {
                    "type": "imagenet-1k" if name == IMAGENET_1K else "custom",
                    "name": name,
                    "split": "validation",
                },
                "metrics": list(_metrics(row)),
            }
        ],
    }


def _metrics(row: ModelRow) -> Iterator[dict[str, Any]]:
    for key, figure in (("top1", row.top1), ("top5", row.top5)):
        value = percent(figure)
        if value is not None:
            yield {"type": "accuracy", "value": value, "name": METRICS[key]}
