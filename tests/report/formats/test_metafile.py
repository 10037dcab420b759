"""OpenMMLab's metafile: read back by YAML, and by ``zoo import``."""

from dataclasses import replace
from fractions import Fraction

import yaml

from vanbench.report.formats import metafile
from vanbench.report.records import Record
from vanbench.report.rows import make_row
from vanbench.zoo.importing.convert import import_zoo
from vanbench.zoo.reader import load_zoo


def test_the_keys_are_those_of_openmmlab(rows):
    document = yaml.safe_load(metafile.render(rows))
    first = document["Models"][0]
    assert first == {
        "Name": "van_b0.in1k",
        "Metadata": {"Parameters": 4_105_800, "FLOPs": 879_967_872},
        "In Collection": document["Collections"][0]["Name"],
        "Results": [
            {
                "Dataset": "ImageNet-1k",
                "Metrics": {"Top 1 Accuracy": 75.41, "Top 5 Accuracy": 93.02},
                "Task": "Image Classification",
            }
        ],
        "Weights": rows[0].entry.urls[0],
        "Config": rows[0].entry.config,
    }
    assert "Results" not in document["Models"][2]


def test_importing_it_gives_the_measured_figures(rows):
    found = import_zoo(metafile.render(rows), "metafile.yml").zoo.entries
    assert [entry.name for entry in found] == [row.entry.name for row in rows]
    for entry, row in zip(found, rows, strict=True):
        claims = entry.claims
        assert entry.urls == row.entry.urls
        assert entry.architecture == row.entry.architecture
        assert claims.params_m.value == row.params.measured
        assert claims.flops_g.value == row.flops.measured
        assert (claims.top1 and claims.top1.value) == row.top1.measured
        assert (claims.top5 and claims.top5.value) == row.top5.measured
        assert row.params.measured.denominator <= 10**6
        assert isinstance(row.flops.measured, Fraction)


def test_counts_of_a_declared_architecture_are_said_to_be_that(rows):
    head = metafile.render(rows).splitlines()[1]
    assert head.startswith("# Counts of the declared architecture")
    assert "van_b2.in1k" in head
    assert "van_b0.in1k" not in head


def test_what_was_not_measured_is_left_out(rows, full):
    entry = rows[0].entry
    nothing = make_row(entry, type(full)("openmmlab", entry.name))
    assert yaml.safe_load(metafile.render([nothing]))["Models"] == []
    assert metafile.left_out([nothing, rows[1]]) == [entry.name]


def test_a_model_of_torchvision_is_in_a_collection_of_its_own():
    entry = load_zoo("torchvision").find("resnet18")
    row = make_row(entry, Record("torchvision", entry.name))
    measured = replace(row, params=replace(row.params, measured=row.params.reported.value))
    document = yaml.safe_load(metafile.render([measured]))
    assert document["Collections"] == [{"Name": "torchvision"}]
    assert [model["In Collection"] for model in document["Models"]] == ["torchvision"]
