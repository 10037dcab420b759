"""``vanbench compare-models``: the table, the next step, CSV and figures, JSON."""

import json
from xml.etree import ElementTree

from click.testing import CliRunner

from tests.report.test_model_comparison import baseline, results  # noqa: F401
from vanbench.cli.group import main


def compare_models(results, *args):  # noqa: F811
    outcome = CliRunner().invoke(main, ["compare-models", "--results", str(results), *args])
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_the_table_has_both_kinds_and_the_next_step_measures_the_rest(results):  # noqa: F811
    baseline(results, "resnet50", 21.5)
    text = compare_models(results)
    assert "FLOPs do not tell the speed: resnet50.imagenet1k_v1" in text
    assert "van_b2.in1k" in text
    step = f"Next: vanbench bench van_b0.in1k van_b3.in1k van_b4.in1k --results {results}"
    assert text.splitlines()[-1] == step


def test_csv_and_figures_are_written(results, tmp_path):  # noqa: F811
    baseline(results, "resnet50", 21.5)
    table, folder = tmp_path / "models.csv", tmp_path / "figures"
    folder.mkdir()
    text = compare_models(results, "--csv", str(table), "--charts", str(folder), "--json")
    names = ["models-flops.svg", "models-speed.svg"]
    assert json.loads(text)["files"] == [str(table), *(str(folder / name) for name in names)]
    assert table.read_text().startswith("model,kind,resolution,params,flops_g,")
    for name in names:
        assert ElementTree.parse(folder / name).getroot().tag.endswith("svg")


def test_json_has_numbers_and_null_for_what_is_not_known(results):  # noqa: F811
    baseline(results, "resnet50", 21.5)
    models = {m["name"]: m for m in json.loads(compare_models(results, "--json"))["models"]}
    resnet = models["resnet50.imagenet1k_v1"]
    assert (resnet["kind"], resnet["params"], resnet["top1_claimed"]) == (
        "baseline", 25557032, 76.13,
    )  # fmt: skip
    assert resnet["speed"]["images_per_s"] == 21.5
    assert resnet["speed"]["images_per_s_rewrite"] is None
    assert models["swin_t.imagenet1k_v1"]["speed"] is None
    assert models["van_b1.in1k"]["top1_measured"] is None
