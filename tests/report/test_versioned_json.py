"""A JSON file with a schema number; ``test_record_files`` has more of its mistakes."""

from dataclasses import dataclass

import pytest

from vanbench.errors import RecordError
from vanbench.report.versioned_json import read_versioned


@dataclass(frozen=True)
class Point:
    x: int


def read(path):
    return read_versioned(
        path, Point, 2, what="point", restore="Restore it.", elsewhere=", or look elsewhere"
    )


def test_a_file_of_this_schema(tmp_path):
    path = tmp_path / "point.json"
    path.write_text('{"schema": 2, "x": 1}')
    assert read(path) == Point(1)


NEWER = "Install the version of vanbench that wrote it, or look elsewhere."


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ('{"schema": 1, "x": 1}', "not a readable point: expected an object of schema 2", "Restore it."),
        ('{"schema": 3, "z": 1}', "it has schema 3, and this version of vanbench reads schema 2", NEWER),
        (
            '{"schema": 2, "x": 1, "z": 1}',
            "not a readable point: unknown key 'z'",
            f"A newer vanbench may have written it. {NEWER} Otherwise restore it.",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_and_what_to_do(tmp_path, text, problem, remedy):
    path = tmp_path / "point.json"
    path.write_text(text)
    with pytest.raises(RecordError) as caught:
        read(path)
    assert (caught.value.problem, caught.value.remedy) == (problem, remedy)
    assert caught.value.where == path


def test_a_file_that_is_absent_can_be_told_apart(tmp_path):
    with pytest.raises(RecordError) as caught:
        read(tmp_path / "nothing")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
