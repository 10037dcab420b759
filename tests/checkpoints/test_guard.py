"""Whatever goes wrong inside is an error about the file; what is no error of the file passes."""

import pytest

from vanbench.checkpoints.guard import guarded
from vanbench.checkpoints.stored import Malformed
from vanbench.errors import CheckpointError, ScoringError


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (Malformed("a pickle with no end"), "expected a checkpoint, found a pickle with no end."),
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied."),
        (MemoryError(), "fits into memory, found one that does not."),
        (KeyError("\x1b[31m"), "reading it failed: KeyError: "),
        (RuntimeError(), "reading it failed: RuntimeError: no reason given."),
    ],
)
def test_an_exception_becomes_a_message_about_the_file(tmp_path, raised, message):
    path = tmp_path / "f.pth"
    with pytest.raises(CheckpointError) as caught, guarded(path):
        raise raised
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.remedy


def test_errors_of_our_own_get_the_file_and_stay_what_they_are(tmp_path):
    with pytest.raises(ScoringError) as caught, guarded(tmp_path):
        raise ScoringError("no head")
    assert caught.value.where == tmp_path


def test_an_interruption_passes(tmp_path):
    with pytest.raises(KeyboardInterrupt), guarded(tmp_path):
        raise KeyboardInterrupt
