"""``--precision int8`` as its user runs it: the demo's trained models, in one runtime after the other."""

import json
import shutil

import pytest
from jsonschema import Draft202012Validator

import vanbench
from tests.cli.test_json_schemas import SCHEMAS
from tests.support.command_line import DEMO_IMAGES, demo_checkpoint, run
from tests.support.drawing import jpeg
from vanbench.prediction_store.rows import stored_rows
from vanbench.prediction_store.store import FILE, Store

NAME = "van_nano.digits"


class Place:
    """Results of their own."""

    def __init__(self, folder):
        self.folder, self.results = folder, folder / "results"

    def __call__(self, command, *arguments, code=0):
        where = ("--zoo", "demo", "--results", self.results, "--cache", self.folder / "cache")
        how = ("--workers", 0, "--device", "cpu")
        return run(command, "van_nano", *how, *where, *arguments, code=code)

    def json(self, command, *arguments, code=0):
        document = json.loads(self(command, *arguments, "--json", code=code).stdout)
        Draft202012Validator(SCHEMAS[command]).validate(document)
        return document["models"][0]

    def runs(self):
        with Store(self.results / FILE, create=False) as store:
            runs = [r for r in store.runs() if r.key.numerics["precision"] == "int8"]
            return [(r.key.numerics, list(stored_rows(store, r))) for r in runs]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Verified in fp32 by the reference, then in int8 by OpenVINO."""
    place = Place(tmp_path_factory.mktemp("place"))
    place.fp32 = place.json("verify", "--runtime", "reference")
    place.int8 = place.json("verify", "--precision", "int8", "--runtime", "openvino")
    return place


def test_it_is_never_reproduced_and_beside_fp32(place):
    for name in ("top1", "top5"):
        assert (place.int8[name]["measured"], place.int8[name]["verdict"]) == (None, "not measured")
        assert "int8" in place.int8[name]["reason"]
    assert place.int8["verdict"] == "not measured"
    ((precision, found),) = place.int8["other_precisions"].items()
    assert precision == "int8"
    assert found["runtime"] == "openvino"
    difference = found["differs_from_fp32"]
    assert difference["fp32_runtime"] == "reference"
    assert difference["also_differs"] == []
    assert difference["images"] == 360
    assert difference["different"] <= 4
    assert abs(found["correct1"] - place.fp32["top1"]["correct"]) <= 4
    assert found["images_per_s"] > 0
    assert found["fp32_images_per_s"] > 0


def test_the_calibration_is_recorded(place):
    calibration = place.int8["other_precisions"]["int8"]["calibration"]
    assert calibration["source"] == "validation set"
    assert (calibration["images"], calibration["in_validation_set"]) == (128, 0)
    record = json.loads((place.results / "demo" / f"{NAME}.json").read_text("utf-8"))
    assert record["other_precisions"]["int8"]["numerics"]["calibration"] == calibration
    assert record["accuracy"]["numerics"]["calibration"] is None


def test_it_is_told(place):
    outcome = place("verify", "--precision", "int8", "--runtime", "openvino")
    assert "Calibrated on 128 images of the validation set itself." in outcome.stderr
    assert f"{NAME} in int8: Top-1 " in outcome.stdout
    assert " in reference" in outcome.stdout
    assert " images/s in openvino, " in outcome.stdout
    assert "calibrated on 128 images of the validation set itself." in outcome.stdout


def test_validate_has_it_too(place):
    found = place.json("validate", "--precision", "int8", "--runtime", "openvino")
    other = place.int8["other_precisions"]["int8"]
    assert (found["runtime"], found["precision"]) == ("openvino", "int8")
    assert found["correct1"] == other["correct1"]
    assert found["calibration"] == other["calibration"]
    assert found["differs_from_fp32"] == other["differs_from_fp32"]
    assert found["claims"]["top1"]["verdict"] == "not measured"
    outcome = place("validate", "--precision", "int8", "--runtime", "openvino")
    assert "calibrated on 128 images of the validation set itself." in outcome.stdout


def test_a_file_of_ones_own_is_not_taken_for_fp32(tmp_path):
    given = ("--zoo", "demo", "--checkpoint", demo_checkpoint(), "--results", tmp_path)
    how = ("--precision", "int8", "--limit", 20, "--workers", 0, "--device", "cpu", "-q")
    found = run("validate", *given, *how).stdout
    assert ": computed in int8 by openvino, calibrated on 128 images of the validation" in found


def test_too_few_calibration_images_are_told(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/one.jpg").write_bytes(jpeg(1))
    given = ("--precision", "int8", "--limit", 20, "--calibration", tmp_path / "one")
    told = Place(tmp_path)("validate", *given).stderr
    assert "int8 is calibrated on 1 image only; 32 or more give an accuracy that hardly" in told


def test_auto_takes_one_of_those_that_have_int8(place, tmp_path):
    place = Place(tmp_path)
    found = place.json("validate", "--precision", "int8", "--limit", 20)
    assert found["runtime"] in ("onnxruntime", "openvino")


def test_other_calibration_images_make_another_run(place, tmp_path):
    (tmp_path / "one").mkdir()
    for number in range(9):
        (tmp_path / f"one/{number}.jpg").write_bytes(jpeg(number, (40, 40)))
    for image in sorted((DEMO_IMAGES / "digit-3").iterdir())[:2]:
        shutil.copy(image, tmp_path / "one")
    given = ("--precision", "int8", "--runtime", "openvino", "--calibration", tmp_path / "one")
    before = place.runs()
    outcome = place("validate", *given)
    assert (
        "Calibrated on 9 images outside the validation set; left out: 2 that are in the "
        "validation set." in outcome.stderr
    )
    (_, first), (numerics, second) = place.runs()
    assert before == [(place.runs()[0][0], first)]
    assert numerics["calibration"].keys() == {"sha256", "tool"}
    assert len(second) == 360
    assert [row.logits for row in second] != [row.logits for row in first]
    again = place.json("validate", *given)
    assert again["images_per_s"] is None  # all of it was stored
    assert again["calibration"]["in_validation_set"] == 2


def test_calibration_is_for_int8_only(place, tmp_path):
    outcome = place("validate", "--calibration", DEMO_IMAGES, code=2)
    assert "--calibration is for --precision int8 only." in outcome.stderr
    with pytest.raises(ValueError, match="for precision 'int8' only"):
        vanbench.validate("van_nano", data=DEMO_IMAGES, zoo="demo", calibration=DEMO_IMAGES)


def test_no_usable_calibration_image_is_a_failure_of_the_models(place):
    given = ("--precision", "int8", "--runtime", "openvino", "--calibration", DEMO_IMAGES)
    found = place.json("validate", *given, code=3)
    assert found["status"] == "not measured"
    assert "none that can be read and is not in the validation set" in found["reason"]


def test_a_runtime_without_int8_is_refused_before_anything_else(place):
    outcome = place("validate", "--precision", "int8", "--runtime", "optimized", code=2)
    assert "For int8: --runtime onnxruntime or openvino." in outcome.stderr


def test_python(place):
    found = vanbench.validate(
        "van_nano", data=DEMO_IMAGES, zoo="demo", precision="int8", runtime="openvino",
        device="cpu", workers=0, results=place.results, cache=place.folder / "cache",
    )  # fmt: skip
    expected = place.int8["other_precisions"]["int8"]
    assert found.to_frame().correct1.tolist() == [expected["correct1"]]
    (result,) = found.passes.values()
    assert result.numerics.calibration.sha256 == expected["calibration"]["sha256"]


def test_the_table_and_the_report_have_it(place):
    table = run("table", "--zoo", "demo", "--results", place.results).stdout
    assert "calibrated on 128 images of the validation set itself" in table
    page = place.folder / "report.html"
    run("report", "--zoo", "demo", "--results", place.results, "--output", page)
    assert "calibrated on 128 images of the validation set itself" in page.read_text("utf-8")


def test_predicted_again_as_recorded(place):
    outcome = run("audit", "--zoo", "demo", "--results", place.results, "--sample", 30, "--json")
    document = json.loads(outcome.stdout)
    (record,) = document["records"]
    found = {each["precision"]: each["sample"] for each in record["accuracies"]}
    assert found["int8"]["same"] == 30
