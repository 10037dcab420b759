"""Runs compared image by image, from the store and from exported files."""

import csv
import json

import pytest
from click.testing import CliRunner
from scipy.stats import binomtest

from tests.evaluation.test_resume import CLASSES, PROTOCOL, TOTAL, arrange, randomized
from vanbench.cli.group import main
from vanbench.errors import DataError
from vanbench.evaluation.plan import RunOptions
from vanbench.evaluation.validate import ReadyModel, validate
from vanbench.intervals import mcnemar
from vanbench.prediction_store.compare import RunPredictions, compare_runs
from vanbench.prediction_store.export import COLUMNS, PredictionRow, read_csv, write
from vanbench.prediction_store.store import FILE

MODELS = {"van_a": ReadyModel(randomized(seed=0), "aa" * 32, 1e-5)}
OTHER = {"van_a": ReadyModel(randomized(seed=1), "bb" * 32, 1e-5)}


def row(name, wnid, top, logits=(5.0, 4.0, 3.0)):
    return PredictionRow(name, name.encode().hex().rjust(64, "0"), wnid, tuple(top), logits)


def predicted(title, *rows, **key):
    return RunPredictions(title, key, {r.sha256: r for r in rows})


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 1), (3, 3), (0, 5), (2, 11), (40, 61)])
def test_mcnemar_is_the_exact_binomial_test(gained, lost):
    expected = binomtest(gained, gained + lost, 0.5).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-12)


def test_every_kind_of_change_is_counted():
    first = predicted(
        "old",
        row("same", "p", "pqr"),
        row("gained", "p", "qpr", (5.0, 4.75, 1.0)),
        row("lost", "p", "prq"),
        row("neither", "p", "qrp"),
        row("gone", "p", "pqr"),
        torch="2.13",
        device="cpu",
    )
    second = predicted(
        "new",
        row("same", "p", "pqs", (5.5, 4.0, 3.0)),
        row("gained", "p", "pqr"),
        row("lost", "p", "qrp"),
        row("neither", "p", "rqp"),
        row("fresh", "p", "pqr"),
        row("fresher", "p", "pqr"),
        torch="2.14",
        device="cpu",
    )
    found = compare_runs(first, second)
    assert (found.images, found.only_first, found.only_second) == (4, 1, 2)
    assert (found.same_top1, found.same_top5, found.correct) == (1, 3, (2, 2))
    assert {flip.name: flip.effect for flip in found.flips} == {
        "gained": "gained",
        "lost": "lost",
        "neither": "neither",
    }
    assert (found.gained, found.lost, found.p) == (1, 1, 1.0)
    assert found.changed == {"torch": ("2.13", "2.14")}
    assert found.flips[0].margin == 0.25


def test_logits_are_compared_class_by_class():
    found = compare_runs(
        predicted("a", row("x", "p", "pq", (5.0, 4.0))),
        predicted("b", row("x", "p", "qp", (4.25, 4.125))),
    )
    assert found.largest_logit_difference == 0.875


def test_runs_over_different_images_cannot_be_compared():
    with pytest.raises(DataError, match="a and b have no image in common"):
        compare_runs(predicted("a", row("x", "p", "p")), predicted("b", row("y", "p", "p")))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A store with the runs of two files of one model."""
    root = tmp_path_factory.mktemp("runs")
    data = arrange(root / "data", MODELS["van_a"].model, list(CLASSES), 11, 5, 8)
    run = RunOptions(device="cpu", workers=0, store=root / FILE)
    validate(MODELS, data, PROTOCOL, run)
    validate(OTHER, data, PROTOCOL, run)
    return root


@pytest.fixture
def command(results):
    def run(*arguments):
        return CliRunner().invoke(main, [*map(str, arguments), "--results", str(results)])

    return run


def test_stored_runs_are_listed(command):
    document = json.loads(command("predictions", "--json").stdout)
    assert [(r["run"], r["name"], r["images"]) for r in document["runs"]] == [
        (1, "van_a", TOTAL),
        (2, "van_a", TOTAL),
    ]
    assert "van_a" in command("predictions").stdout


def test_an_export_has_the_counts_of_the_run(command, tmp_path):
    assert command("predictions", 1, "--write", tmp_path / "a.csv").exit_code == 0
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == TOTAL
    assert (sum(int(r["correct1"]) for r in rows), sum(int(r["correct5"]) for r in rows)) == (
        11,
        16,
    )
    assert all(r["class"] == r["image"].split("/")[0] for r in rows)


def test_parquet_and_csv_hold_the_same(command, tmp_path):
    import pyarrow.parquet

    for suffix in ("csv", "parquet"):
        command("predictions", "van_a", "--write", tmp_path / f"a.{suffix}")
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert table.column_names == COLUMNS
    from_csv = [r.cells() for r in read_csv(tmp_path / "a.csv")]
    assert [list(r.values()) for r in table.to_pylist()] == from_csv


def test_csv_round_trip_with_fewer_than_five_classes(tmp_path):
    rows = [row("a, with comma", "p", "pqr", (1 / 3, -2e-8, -1e9))]
    write(tmp_path / "x.csv", rows)
    assert list(read_csv(tmp_path / "x.csv")) == rows


def test_a_run_equals_its_own_export(command, tmp_path):
    command("predictions", 1, "--write", tmp_path / "a.csv")
    result = command("compare", tmp_path / "a.csv", 1, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)["comparison"]
    assert (found["same_top1"], found["same_top5"], found["flips"]) == (TOTAL, TOTAL, [])
    assert found["largest_logit_difference"] == 0


def test_what_changed_between_runs_is_named_with_its_flips(command):
    result = command("compare", 1, 2, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)["comparison"]
    assert list(found["changed"]) == ["checkpoint"]
    assert len(found["flips"]) == TOTAL - found["same_top1"] > 0
    gained, lost = found["gained"], found["lost"]
    assert found["correct"][1] - found["correct"][0] == gained - lost
    assert f"checkpoint: {'aa' * 32} → {'bb' * 32}\n" in command("compare", 1, 2).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["compare", "1", "9"], 2, "It has 1 (van_a), 2 (van_a)."),
        (["compare", "1", "none.csv"], 3, "none.csv: the predictions cannot be read"),
        (["predictions", "1"], 2, "Give a RUN and --write FILE"),
        (["predictions", "1", "--write", "x.xlsx"], 3, "x.xlsx: predictions are written to a .csv"),
    ],
)
def test_bad_requests(arguments, code, message, command):
    result = command(*arguments)
    assert result.exit_code == code
    assert message in result.stderr


def test_another_csv_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("image,label\na,1\n")
    with pytest.raises(DataError, match="expected the columns image, sha256"):
        list(read_csv(tmp_path / "x.csv"))
