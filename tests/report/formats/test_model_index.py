"""``model-index``, read back with huggingface_hub."""

import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from vanbench.report.formats import model_index


def test_the_hub_reads_what_was_measured(rows):
    document = yaml.safe_load(model_index.render(rows))
    found = {}
    for model in document["model-index"]:
        name, results = model_index_to_eval_results([model])
        found[name] = [(r.metric_name, r.metric_value, r.dataset_type) for r in results]
    assert found == {
        "van_b0.in1k": [
            ("Top-1 accuracy", 75.41, "imagenet-1k"), ("Top-5 accuracy", 93.02, "imagenet-1k")
        ],
        "van_b1.in1k": [
            ("Top-1 accuracy", 80.0, "imagenet-1k"), ("Top-5 accuracy", 95.63, "imagenet-1k")
        ],
    }  # fmt: skip


def test_it_is_the_head_of_a_model_card(rows):
    card = ModelCard(f"---\n{model_index.render(rows[:1])}---\n# VAN\n")
    (top1, top5) = card.data.eval_results
    assert card.data.model_name == "van_b0.in1k"
    assert (top1.metric_value, top5.metric_value) == (75.41, 93.02)
    assert top1.task_type == "image-classification"


def test_without_a_measurement_there_is_no_model(rows, hostile):
    assert yaml.safe_load(model_index.render([*rows[2:], hostile])) == {"model-index": []}
    assert model_index.left_out(rows) == [row.entry.name for row in rows[2:]]
