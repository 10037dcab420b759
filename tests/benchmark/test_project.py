"""The project's own benchmarks run, with very little work each, and give the figures of the tables."""

import json
import sys
from functools import partial

import pytest

from benchmarks import __main__ as program
from benchmarks import data, figures, measures
from benchmarks.material import checkpoint, photographs
from vanbench.files import sha256_of
from vanbench.zoo.class_ids import imagenet_1k


@pytest.mark.parametrize("part", ["decoding", "reading", "caching", "storing"])
def test_a_part_gives_the_lines_of_the_table(tmp_path, part):
    measure = {
        "decoding": partial(measures.decoding, 2),
        "reading": partial(data.reading, tmp_path, 3),
        "caching": partial(data.caching, tmp_path, 3),
        "storing": partial(data.storing, tmp_path, 40),
    }[part]
    measured = measure()
    json.dumps(measured)
    for name, value, _ in figures.lines(part, measured):
        assert float(value.replace(",", "")) >= 0, name


def test_every_part_of_the_document_is_measured_and_has_its_lines():
    document = json.loads((figures.DOCUMENT.parents[1] / "results/bench/project.json").read_text())
    assert document.keys() - {"schema"} == program.PARTS.keys()
    for part in program.PARTS:
        assert figures.lines(part, document[part])


def test_a_part_is_recorded_with_its_date_and_load(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "start_up", "--results", str(tmp_path)])
    program.main()
    document = json.loads((tmp_path / "bench" / "project.json").read_text())
    assert document.keys() == {"schema", "start_up"}
    assert {"help_s", "samples_s", "date", "environment", "load"} == document["start_up"].keys()
    assert {"load_average", "other_cores", "cores"} == document["start_up"]["load"].keys()
    assert capsys.readouterr().out.startswith("vanbench --help, s")


def test_the_passes_compute_the_models(tmp_path):
    """Through the functions that a new process runs for one_pass."""
    files = {"van_b0": checkpoint(tmp_path, "van_b0")}
    assert measures._forward_seconds(files, count=1, batch=1) > 0
    images = photographs(tmp_path / "images", 2)
    passed = measures._pass(files, images)
    assert passed["pass_s"] > 0


def test_images_and_checkpoints_are_the_same_each_time(tmp_path):
    first, second = (photographs(tmp_path / name, 2) for name in ("a", "b"))
    found = [sorted(path.rglob("*.JPEG")) for path in (first, second)]
    assert [sha256_of(path) for path in found[0]] == [sha256_of(path) for path in found[1]]
    assert {path.parent.name for path in found[0]} <= set(imagenet_1k())


def test_unknown_parts_are_a_usage_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "none"])
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert caught.value.code == 2
    assert "no part none" in capsys.readouterr().err
