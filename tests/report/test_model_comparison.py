"""VANs beside baselines: sizes, speeds from records, what is said of them, CSV and charts."""

import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from vanbench.errors import RecordError
from vanbench.flops import count
from vanbench.report import baseline_records, bench_records
from vanbench.report.baseline_records import BaselineRecord
from vanbench.report.bench_records import Latency, ModelFigures
from vanbench.report.model_comparison import (
    PAPER,
    as_csv,
    charts,
    compare_models,
    sentences,
)
from vanbench.zoo.reader import load_zoo

VANS, BASELINES = load_zoo("openmmlab"), load_zoo("torchvision")
COMMITTED = Path(__file__).resolve().parents[2] / "results" / "bench"


@pytest.fixture
def results(tmp_path):
    """The speed of two VANs, as measured."""
    (tmp_path / "bench").mkdir()
    for name in ("van_b1.in1k", "van_b2.in1k"):
        shutil.copy(COMMITTED / f"{name}.json", tmp_path / "bench")
    return tmp_path


def baseline(results, query, images_per_s, **changes):
    """A record of a baseline with this speed, on the machine of the VANs."""
    van = bench_records.read(results / "bench" / "van_b2.in1k.json")
    entry, seconds = BASELINES.find(query), 1 / images_per_s
    record = BaselineRecord(
        name=entry.name,
        architecture=entry.architecture,
        weights="random",
        resolution=entry.protocol.center_crop,
        device="cpu",
        precision="fp32",
        batch_size=16,
        reference=ModelFigures(
            images_per_s=images_per_s,
            latency_ms=Latency(1000 * seconds, 1000 * seconds, 1000 * seconds),
            peak_memory=None,
        ),
        load=van.load,
        samples_s_cpu_s={"1": ((seconds, seconds),), "16": ((16 * seconds, 16 * seconds),)},
        date="2026-11-25",
        environment=van.environment,
    )
    return baseline_records.write(results, replace(record, **changes))


def named(models):
    return {model.name: model for model in models}


def test_every_van_with_a_top1_and_every_baseline_of_the_paper_is_there(tmp_path):
    models = compare_models(VANS, BASELINES, tmp_path)
    assert [m.name for m in models if m.kind == "VAN"] == [f"van_b{i}.in1k" for i in range(5)]
    names = {m.name.partition(".")[0] for m in models if m.kind == "baseline"}
    assert names == set(PAPER)
    assert all(m.speed is None and m.measured is None for m in models)


def test_the_flops_of_all_are_those_of_one_convention(tmp_path):
    models = named(compare_models(VANS, BASELINES, tmp_path))
    for name in ("van_b0.in1k", "van_b2.in1k"):
        found = count(VANS.find(name).architecture)
        assert models[name].params == found.params
        assert models[name].flops * 10**9 == found.units["conv"] + found.units["linear"]
    swin = models["swin_t.imagenet1k_v1"]
    found = count(BASELINES.find("swin_t").architecture)
    assert swin.params == found.params
    assert float(swin.flops) == round(found.flops["torchvision"] / 1e9, 3)


def test_weights_of_one_architecture_have_one_speed(results):
    baseline(results, "resnet50.imagenet1k_v1", 21.0)
    models = named(compare_models(VANS, BASELINES, results))
    first, second = models["resnet50.imagenet1k_v1"], models["resnet50.imagenet1k_v2"]
    assert first.speed == second.speed
    assert (first.speed.images_per_s, first.speed.rewritten) == (21.0, None)
    assert (str(first.claimed), str(second.claimed)) == ("76.130", "80.858")
    van = models["van_b2.in1k"].speed
    assert van.rewritten > van.images_per_s


def test_what_flops_hide_is_said_from_the_records(results):
    baseline(results, "resnet50", 21.5)
    baseline(results, "swin_t", 9.0)
    baseline(results, "resnet18", 60.0)  # 1.8 G: no VAN is about as large
    first, second, *rest = sentences(compare_models(VANS, BASELINES, results))
    van = bench_records.read(results / "bench" / "van_b2.in1k.json")
    slow, ratio = van.reference.images_per_s, 21.5 / van.reference.images_per_s
    assert first == (
        f"FLOPs do not tell the speed: resnet50.imagenet1k_v1 (4.1 G FLOPs) computes 21.5 "
        f"images/s, van_b2.in1k (5.0 G) {slow:.1f}, its exact rewrite "
        f"{van.optimized.images_per_s:.1f}; that is {ratio:.1f} times as many for about the same "
        "FLOPs."
    )
    assert "no baseline" not in second
    assert rest[-1].endswith("is not on record on this machine.")


def test_a_faster_model_of_no_lower_accuracy_is_named(results):
    baseline(results, "convnext_small", 8.0)
    texts = sentences(compare_models(VANS, BASELINES, results))
    assert any(
        "at least 82.80 (van_b2.in1k), convnext_small.imagenet1k_v1 is the fastest" in text
        for text in texts
    )


def test_without_records_nothing_is_said_of_speeds(tmp_path):
    assert sentences(compare_models(VANS, BASELINES, tmp_path)) == [
        "The speed of 5 VANs and 13 baselines is not on record on this machine."
    ]


def test_a_record_of_another_machine_is_left_out(results):
    about = bench_records.read(results / "bench" / "van_b2.in1k.json").environment
    baseline(results, "resnet50", 500.0, environment=replace(about, cpu="another"))
    models = named(compare_models(VANS, BASELINES, results))
    assert models["resnet50.imagenet1k_v1"].speed is None
    assert models["van_b2.in1k"].speed is not None


def test_a_record_of_another_size_of_the_input_is_left_out(results):
    baseline(results, "resnet50", 50.0, resolution=128)
    models = named(compare_models(VANS, BASELINES, results))
    assert models["resnet50.imagenet1k_v1"].speed is None


def test_a_damaged_record_is_an_error(results):
    path = baseline(results, "resnet50", 21.0)
    path.write_text(path.read_text().replace('"images_per_s": 21.0', '"images_per_s": 210.0'))
    with pytest.raises(RecordError, match="contradicts itself"):
        compare_models(VANS, BASELINES, results)


def test_csv_has_a_line_for_each_model(results):
    baseline(results, "resnet50.imagenet1k_v1", 21.0)
    models = compare_models(VANS, BASELINES, results)
    lines = {line["model"]: line for line in csv.DictReader(io.StringIO(as_csv(models)))}
    assert list(lines) == [model.name for model in models]
    assert lines["resnet50.imagenet1k_v2"]["images_per_s"] == "21.0"
    assert lines["resnet50.imagenet1k_v2"]["top1_claimed"] == "80.858"
    assert lines["resnet18.imagenet1k_v1"]["images_per_s"] == ""
    assert lines["van_b2.in1k"]["flops_g"] == "4.993"


def test_charts_have_the_models_with_the_numbers_that_they_show(results):
    baseline(results, "resnet18", 60.0)
    flops, speed = charts(compare_models(VANS, BASELINES, results))
    assert [len(series.points) for series in flops.series] == [13, 5]
    assert [len(series.points) for series in speed.series] == [1, 2]
    assert speed.series[0].points[0].x == 60.0
    assert speed.series[0].points[0].y == 69.758
    labels = [point.label for point in flops.series[0].points]
    assert {"resnet50", "resnet50 v2", "swin_t"} <= set(labels)
