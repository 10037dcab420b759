"""Other test sets as their user sees them: ``data``, ``validate``, ``verify``, ``table``, ``report``."""

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from tests.cli.test_json_schemas import SCHEMAS
from tests.support import other_sets
from tests.support.arranged import Claim, checkpoint, published_name, write_zoo
from tests.support.command_line import run
from tests.support.other_sets import IDS, RIGHT, placed, ranked
from vanbench.zoo.other_sets import OTHER_SETS

NAME = "van_test.in1k"
LABELS = [IDS.index(i) for i in OTHER_SETS["imagenet_a"].class_ids]
CLAIMS = 'imagenet_a = { top1 = "%s" }, imagenet_real = { top1 = "60.0" }'


class Place:
    """A zoo with one model, data sets, results and a cache of its own."""

    def __init__(self, folder):
        self.folder, self.results = folder, folder / "results"
        content = checkpoint(other_sets.thousand())
        (folder / published_name(content)).write_bytes(content)
        claim = Claim(NAME, published_name(content), other_sets.thousand(), "0.00", "0.00")
        self.zoo = write_zoo(folder / "zoo.toml", "imagenet-1k", claim, images=5)
        self.text = self.zoo.read_text()
        pictures = placed(LABELS, cover=True)
        self.images = len(pictures)
        self.a = other_sets.imagenet_a(folder, pictures)
        self.imagenet = other_sets.imagenet(folder / "1k", range(5))
        labels = [[ranked(n)[0] if n < 3 else 7, ranked(n)[900]] for n in range(5)]
        other_sets.real_json(folder / "1k", labels)
        self.claim(f"{100 * RIGHT / self.images:.2f}")

    def claim(self, top1):
        self.zoo.write_text(self.text.replace('top5 = "0.00"', f'top5 = "0.00", {CLAIMS % top1}'))

    def __call__(self, command, *arguments, code=0):
        common = ("--zoo", self.zoo, "--results", self.results)
        return run(command, *arguments, *common, code=code)

    def json(self, command, data, *arguments, code=0):
        options = ("--data", data, "--workers", 0, "--device", "cpu", "--json", *arguments)
        document = json.loads(self(command, NAME, *options, code=code).stdout)
        Draft202012Validator(SCHEMAS[command]).validate(document)
        return document

    def record(self):
        return json.loads((self.results / "test" / f"{NAME}.json").read_text("utf-8"))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def whole(place, monkeypatch):
    """ImageNet-A with as many images as are drawn, so that these are all of it."""
    monkeypatch.setitem(
        OTHER_SETS, "imagenet_a", replace(OTHER_SETS["imagenet_a"], images=place.images)
    )
    return place


def test_data_names_the_set_and_the_labels_of_real(place):
    printed = run("data", place.a, "--zoo", place.zoo).stdout
    assert printed.startswith(
        f"subset: {place.images} images, in 200 of 200 classes of ImageNet-A, without a fault.\n"
    )
    printed = run("data", place.imagenet, "--zoo", place.zoo).stdout
    assert "ReaL labels" in printed
    assert "real.json (5 images with labels, not the published ones)" in printed
    document = json.loads(run("data", place.imagenet, "--zoo", place.zoo, "--json").stdout)
    Draft202012Validator(SCHEMAS["data"]).validate(document)
    assert (document["data"]["other_set"], document["data"]["real_labels"]) == (None, 5)


def test_validate_judges_by_the_claim_about_the_set(place):
    document = place.json("validate", place.a)
    (model,) = document["models"]
    assert (model["images"], model["correct1"]) == (place.images, RIGHT)
    assert (model["partial"], model["claims"]["top1"]["verdict"]) == (True, "partial")
    assert model["claims"]["top5"]["reported"] is None
    assert document["data"]["other_set"] == "imagenet_a"


def test_validate_counts_by_the_labels_of_real_beside_the_others(place):
    (model,) = place.json("validate", place.imagenet)["models"]
    assert (model["images"], model["real"]["images"], model["real"]["correct1"]) == (5, 5, 3)
    assert model["real"]["claims"]["top1"]["reported_text"] == "60.0"
    printed = place("validate", NAME, "--data", place.imagenet, "--workers", 0).stdout
    assert f"{NAME} on ImageNet-ReaL (partial): Top-1 60.000 %, " in printed


def test_verify_records_a_whole_set_apart_from_imagenet_1k(whole):
    document = whole.json("verify", whole.a)
    (model,) = document["models"]
    assert document["data"]["other_set"] == "imagenet_a"
    assert (model["top1"]["measured"], model["top1"]["verdict"]) == (None, "not measured")
    found = model["other_sets"]["imagenet_a"]
    assert (found["top1"]["correct"], found["top1"]["verdict"]) == (RIGHT, "reproduced")
    record = whole.record()
    assert record["accuracy"] is None
    assert record["other_sets"]["imagenet_a"]["correct1"] == RIGHT
    table = json.loads(whole("table", "--json").stdout)
    Draft202012Validator(SCHEMAS["table"]).validate(table)
    (row,) = table["models"]
    assert row["top1"]["measured"] is None
    assert row["other_sets"]["imagenet_a"]["top1"]["verdict"] == "reproduced"
    assert "on ImageNet-A: Top-1" in whole("table").stdout
    page = whole.folder / "report.html"
    whole("report", "--output", page)
    assert "ImageNet-A" in page.read_text("utf-8")


def test_each_set_stays_on_record_when_another_is_measured(whole, monkeypatch):
    whole.json("verify", whole.imagenet)
    first = whole.record()
    assert (first["accuracy"]["images"], first["other_sets"]) == (5, None)  # a part of ReaL
    whole.json("verify", whole.a)
    both = whole.record()
    assert both["accuracy"] == first["accuracy"]
    assert list(both["other_sets"]) == ["imagenet_a"]
    whole.json("verify", whole.imagenet)
    assert list(whole.record()["other_sets"]) == ["imagenet_a"]


def test_a_claim_about_the_set_that_is_wrong_deviates(whole):
    whole.claim("99.99")
    document = whole.json("verify", whole.a, code=1)
    assert document["models"][0]["other_sets"]["imagenet_a"]["top1"]["verdict"] == "deviates"
    printed = whole("verify", NAME, "--data", whole.a, "--workers", 0, "--details", code=1).stdout
    assert f"{NAME} deviates: Top-1 on ImageNet-A 99.99 %, measured" in printed
    assert "Top-1, % (ImageNet-A)" in printed


def test_a_part_of_the_set_is_not_recorded(place):
    document = place.json("verify", place.a, code=3)
    found = document["models"][0]["other_sets"]["imagenet_a"]
    assert found["partial"] == f"over {place.images} images, where ImageNet-A has 7,500"
    assert not (place.results / "test" / f"{NAME}.json").exists()


def test_another_precision_over_another_set_is_refused_before_anything_runs(place):
    outcome = place("verify", NAME, "--data", place.a, "--precision", "bf16", code=3)
    assert "accuracies over ImageNet-A are recorded in fp32 only" in outcome.stderr
    assert not place.results.exists()
    (model,) = place.json("validate", place.a, "--precision", "bf16")["models"]
    claim = model["claims"]["top1"]
    assert (model["images"], claim["verdict"]) == (place.images, "not measured")
    assert claim["reason"] == "computed in bf16, and only fp32 counts as reproduction"
