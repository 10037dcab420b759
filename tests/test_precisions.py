"""``verify`` in another precision than fp32, as its user runs it: the demo's trained models."""

import csv
import io
import json

import pytest
from jsonschema import Draft202012Validator

import vanbench
from tests.cli.test_json_schemas import SCHEMAS
from tests.support.command_line import DEMO_IMAGES, run
from vanbench.prediction_store.rows import stored_rows
from vanbench.prediction_store.store import FILE, Store

NAME = "van_nano.digits"
BEGIN, END = "<!-- vanbench:results:begin -->", "<!-- vanbench:results:end -->"


class Place:
    """A folder with results and a cache of its own."""

    def __init__(self, folder):
        self.results = folder / "results"
        self.common = ("--zoo", "demo", "--results", self.results, "--cache", folder / "cache")

    def __call__(self, command, *arguments, code=0):
        return run(command, *arguments, *self.common, code=code)

    def verify(self, *arguments, code=0):
        return self(
            "verify",
            "van_nano",
            "--workers",
            0,
            "--device",
            "cpu",
            "--runtime",
            "optimized",
            *arguments,
            code=code,
        )

    def verify_json(self, *arguments, code=0):
        document = json.loads(self.verify("--json", *arguments, code=code).stdout)
        Draft202012Validator(SCHEMAS["verify"]).validate(document)
        assert document["ok"] is (code == 0)
        return document["models"][0]

    def record(self):
        return json.loads((self.results / "demo" / f"{NAME}.json").read_text("utf-8"))

    def first_choices(self, precision):
        with Store(self.results / FILE, create=False) as store:
            (found,) = [r for r in store.runs() if r.key.numerics["precision"] == precision]
            return {row.name: (row.top[0], row.correct1) for row in stored_rows(store, found)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Verified in fp32, then in bf16."""
    place = Place(tmp_path_factory.mktemp("place"))
    place.fp32 = place.verify_json()
    place.before = place.record()
    place.bf16 = place.verify_json("--precision", "bf16")
    return place


def test_files_and_counts_are_judged_and_accuracies_are_not(place):
    assert place.fp32["verdict"] == "reproduced"
    assert place.fp32["other_precisions"] == {}
    row = place.bf16
    assert row["checkpoint"]["status"] == "verified"
    assert row["params"]["verdict"] == row["flops"]["verdict"] == "reproduced"
    for name in ("top1", "top5"):
        assert (row[name]["measured"], row[name]["verdict"]) == (None, "not measured")
        assert "bf16" in row[name]["reason"]
    assert row["verdict"] == "not measured"
    assert list(row["other_precisions"]) == ["bf16"]


def test_the_record_has_both(place):
    record = place.record()
    assert record["accuracy"] == place.before["accuracy"]
    assert place.before["other_precisions"] is None
    (found,) = record["other_precisions"].values()
    assert found["numerics"]["precision"] == "bf16"
    assert found["sha256"] == record["checkpoint"]["sha256"]
    assert not (place.results / "demo/failed").exists()


def test_the_difference_is_that_of_the_stored_predictions(place):
    fp32, bf16 = place.first_choices("fp32"), place.first_choices("bf16")
    assert fp32.keys() == bf16.keys()
    lost = sum(fp32[name][1] and not bf16[name][1] for name in fp32)
    gained = sum(bf16[name][1] and not fp32[name][1] for name in fp32)
    found = place.bf16["other_precisions"]["bf16"]
    assert found["correct1"] == sum(correct for _, correct in bf16.values())
    assert found["correct1"] - place.fp32["top1"]["correct"] == gained - lost
    difference = found["differs_from_fp32"]
    assert difference["images"] == len(fp32) == 360
    assert difference["different"] == sum(fp32[name][0] != bf16[name][0] for name in fp32)
    assert (difference["only_fp32_right"], difference["only_this_right"]) == (lost, gained)
    assert difference["also_differs"] == []
    assert found["top1_minus_fp32"] == pytest.approx(100 * (gained - lost) / 360)


def test_the_summary_has_it_beside_the_answer_and_counts_nothing_as_reproduced(place):
    outcome = place.verify("--precision", "bf16", "--details")
    assert "INCOMPLETE: 2 of 4 published numbers reproduced, 0 deviate, 2 not measured; 1 of 1" in (
        outcome.stdout
    )
    assert f"  {NAME} in bf16: Top-1 " in outcome.stdout
    assert "Top-1, % (bf16)" in outcome.stdout
    assert "not judged [" in outcome.stdout
    assert "Next: vanbench table " in outcome.stdout


def test_the_readme_has_the_fp32_verdicts_and_the_other_precision_beside_them(place, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\n{END}\n")
    place("table", "--write", readme)
    text = readme.read_text("utf-8")
    assert "✓&nbsp;95.83" in text
    assert f"- {NAME} in bf16: Top-1 " in text
    assert "of 360" in text
    assert "Accuracy in bf16 measured" in text
    (place.results / FILE).rename(tmp_path / FILE)
    place("table", "--check", readme)
    (tmp_path / FILE).rename(place.results / FILE)


def test_the_table_as_json(place):
    document = json.loads(place("table", "--json").stdout)
    Draft202012Validator(SCHEMAS["table"]).validate(document)
    (row,) = [row for row in document["models"] if row["name"] == NAME]
    assert row["top1"]["verdict"] == "reproduced"
    assert row["other_precisions"] == place.bf16["other_precisions"]


def test_csv_has_lines_of_its_own_and_other_tools_get_fp32_alone(place, tmp_path):
    text = place("table", "--format", "csv").stdout
    lines = {line["number"]: line for line in csv.DictReader(io.StringIO(text))
             if line["model"] == NAME}  # fmt: skip
    assert list(lines) == ["params", "flops", "top1", "top5", "top1_bf16", "top5_bf16"]
    other = place.bf16["other_precisions"]["bf16"]
    assert float(lines["top1_bf16"]["measured"]) == other["top1"]
    assert float(lines["top5_bf16"]["measured"]) == other["top5"]
    for number in ("top1_bf16", "top5_bf16"):
        assert (lines[number]["verdict"], lines[number]["reported"]) == ("not reported", "")
    assert "of 360" in lines["top1_bf16"]["reason"]
    without = place.record() | {"other_precisions": None}
    path = tmp_path / "demo" / f"{NAME}.json"
    path.parent.mkdir()
    path.write_text(json.dumps(without))
    for form in ("timm-csv", "model-index", "metafile", "latex", "junit"):
        plain = run("table", "--format", form, "--zoo", "demo", "--results", tmp_path).stdout
        assert place("table", "--format", form).stdout == plain
        assert "bf16" not in plain


def test_the_report_has_a_table_of_its_own(place, tmp_path):
    place("report", "-o", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("Other precisions than fp32, which the published numbers") == 2  # its label
    assert "<dt>In bf16</dt><dd>Top-1 " in page
    assert "<dt>bf16 measured</dt>" in page


def test_in_fp32_again_the_other_precision_stays(place):
    place.verify()
    assert place.record()["other_precisions"]["bf16"]["numerics"]["precision"] == "bf16"


def test_first_in_another_precision_says_that_nothing_was_compared(tmp_path):
    place = Place(tmp_path)
    outcome = place.verify("--precision", "fp16", "--data", DEMO_IMAGES)
    assert "fp32 predictions of these images are not stored" in outcome.stdout
    assert f"Next: vanbench verify {NAME} --data {DEMO_IMAGES} --zoo demo" in outcome.stdout
    record = place.record()
    assert record["accuracy"] is None
    assert record["other_precisions"]["fp16"]["differs_from_fp32"] is None
    part = place.verify("--precision", "bf16", "--limit", 20)
    assert "partial: over 20 of the 360 images" in part.stdout
    assert f"Next: vanbench verify {NAME} --precision bf16 --zoo demo" in part.stdout
    assert place.record() == record


def test_tf32_on_a_cpu_is_refused_before_anything_is_measured(tmp_path):
    place = Place(tmp_path)
    outcome = place.verify("--precision", "tf32", code=2)
    assert "expected a GPU with TF32, found cpu, which would compute in fp32" in outcome.stderr
    assert not place.results.exists()


def test_validate_judges_fp32_alone(place):
    outcome = place("validate", "van_nano", "--precision", "bf16", "--workers", 0, "--json")
    (model,) = json.loads(outcome.stdout)["models"]
    Draft202012Validator(SCHEMAS["validate"]).validate(json.loads(outcome.stdout))
    assert model["correct1"] == place.bf16["other_precisions"]["bf16"]["correct1"]
    for claim in model["claims"].values():
        assert (claim["verdict"], claim["delta"]) == ("not measured", None)
        assert claim["reason"] == "computed in bf16, and only fp32 counts as reproduction"


def test_in_python(place):
    found = vanbench.verify(
        "van_nano", zoo="demo", results=place.results, cache=place.results.parent / "cache",
        precision="bf16", device="cpu", workers=0,
    )  # fmt: skip
    assert found.ok
    assert found.answer.headline == "INCOMPLETE"
    assert found.rows[0].top1.verdict == "not measured"
    assert found.to_json()["models"][0]["other_precisions"] == place.bf16["other_precisions"]
    assert f"{NAME} in bf16: Top-1" in repr(found)
    on_record = vanbench.results("demo", place.results)
    assert f"{NAME} in bf16: Top-1" in on_record._repr_html_()
    with pytest.raises(ValueError, match="precision"):
        vanbench.verify("van_nano", zoo="demo", precision="fp64")
