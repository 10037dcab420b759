"""Failures: their fields, the message made of them, and their exit codes."""

import pickle
from pathlib import Path

import pytest

from vanbench import errors
from vanbench.errors import VanbenchError, located

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, VanbenchError)
]
USAGE = {"UnknownModelError", "UnknownRunError", "ZooError", "MarkerError", "DeviceError"}
STATUS = {"verified", "mismatch", "unreachable", "missing", "unreadable", "not measured"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"problem": "no images"}, "no images."),
        ({"problem": "no images", "where": Path("val")}, "val: no images."),
        ({"problem": "no images", "remedy": "Look."}, "no images. Look."),
        ({"problem": "no images", "where": "val", "remedy": "Look."}, "val: no images. Look."),
        ({"problem": "Which?", "remedy": "Look."}, "Which? Look."),
        ({"problem": "a list:\n  b\n", "remedy": "Look."}, "a list:\n  b\nLook."),
        ({"problem": "a list:\n  b\n"}, "a list:\n  b"),
        ({"problem": "No network.", "cause": "not in the message"}, "No network."),
    ],
)
def test_the_message_is_made_of_the_fields(fields, message):
    assert str(VanbenchError(**fields)) == message


def test_the_cause_is_the_problem_unless_given():
    assert VanbenchError("no images").cause == "no images"
    assert VanbenchError("no images", cause="empty").cause == "empty"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_exit_codes(kind):
    assert kind.exit_code == (2 if kind.__name__ in USAGE else 3)
    assert kind.__doc__


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_status_is_one_of_the_records(kind):
    assert getattr(kind, "status", "missing") in STATUS


def test_located_adds_the_place_where_there_is_none():
    with pytest.raises(VanbenchError, match=r"^file\.pth: no tensors\.$"), located("file.pth"):
        raise VanbenchError("no tensors")


def test_located_keeps_a_more_exact_place():
    with pytest.raises(VanbenchError, match=r"^key: no tensor\.$"), located("file.pth"):
        raise VanbenchError("no tensor", where="key")


def test_located_does_not_touch_other_exceptions():
    with pytest.raises(ValueError, match=r"^other$"), located("file.pth"):
        raise ValueError("other")


def test_a_source_that_failed():
    error = errors.SourceError("https://host/x", "timed out", "timeout", transient=True, wait=2.0)
    assert str(error) == "https://host/x: timed out."
    assert (error.kind, error.kinds, error.transient, error.wait) == (
        "timeout",
        ("timeout",),
        True,
        2.0,
    )
    assert error.reached


@pytest.mark.parametrize("kind", [errors.DataError, errors.CheckpointError, errors.DeviceError])
def test_an_error_survives_its_way_out_of_a_worker_process(kind):
    error = kind("problem", where="place", remedy="Do this.", cause="cause")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
