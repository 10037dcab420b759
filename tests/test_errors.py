"""Failures: their fields, the message made of them, and their exit codes."""

import pickle
import weakref
from pathlib import Path

import pytest

from vanbench import errors
from vanbench.errors import (
    InternalError,
    VanbenchError,
    located,
    overall_exit_code,
    unexpected_as_errors,
)

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, VanbenchError)
]
USAGE = {"UnknownModelError", "UnknownRunError", "ZooError", "MarkerError", "DeviceError"}
STATUS = {"verified", "mismatch", "unreachable", "missing", "unreadable", "no file", "not measured",
          "internal error"}  # fmt: skip


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
    bug = kind.__name__ == "InternalError"
    assert kind.exit_code == (70 if bug else 2 if kind.__name__ in USAGE else 3)
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


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], 0), ([0, 0], 0), ([0, 3], 3), ([3, 1, 0], 1), ([1], 1), ([3, 70, 0], 70),
        ([70, 1], 1), ([3, 2], 3), ([0, 2], 2),
    ],
)  # fmt: skip
def test_the_exit_code_of_several_models(codes, code):
    assert overall_exit_code(codes) == code


@pytest.mark.parametrize(
    ("error", "kind", "problem"),
    [
        (RuntimeError("a\nb"), InternalError, "internal error: RuntimeError: a"),
        (RecursionError(), InternalError, "internal error: RecursionError"),
        (KeyError("x" * 10**6), InternalError, f"internal error: KeyError: '{'x' * 499}"),
        (MemoryError(), VanbenchError, "Not enough memory (MemoryError)"),
        (PermissionError(13, "Permission denied", "a"), VanbenchError, "Permission denied"),
    ],
)
def test_an_unexpected_exception_is_an_error_with_its_cause(error, kind, problem):
    with pytest.raises(VanbenchError) as raised, unexpected_as_errors():
        raise error
    assert type(raised.value) is kind
    assert raised.value.problem == problem
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [VanbenchError("known"), BrokenPipeError(), KeyboardInterrupt(), SystemExit(4)]
)
def test_expected_errors_and_interruptions_pass(error):
    with pytest.raises(type(error)) as raised, unexpected_as_errors():
        raise error
    assert raised.value is error


def test_a_kept_error_keeps_no_weights():
    """The frames of its traceback refer to what their functions worked on."""

    class Weights:
        pass

    def fail():
        weights = Weights()
        references.append(weakref.ref(weights))
        raise RuntimeError

    references = []
    with pytest.raises(InternalError) as raised, unexpected_as_errors():
        fail()
    assert raised.value.__cause__.__traceback__
    assert references[0]() is None
