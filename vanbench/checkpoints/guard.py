"""Whatever goes wrong with a checkpoint file becomes a CheckpointError that names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vanbench.checkpoints.stored import Malformed
from vanbench.errors import CheckpointError, VanbenchError, located
from vanbench.outside.safe_text import for_terminal

AGAIN = "Download it again, and compare its SHA-256 with the published one."
CHECK = "Check the path and its permissions."


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn every exception inside into a VanbenchError about ``path``, most into CheckpointError.

    Those that no reader expects are included: a file from outside can lead a library to any.
    """
    with located(path):
        try:
            yield
        except VanbenchError:
            raise
        except Malformed as error:
            raise CheckpointError(f"expected a checkpoint, found {error}", remedy=AGAIN) from error
        except OSError as error:
            raise CheckpointError(
                f"expected a checkpoint, but it cannot be read: {error.strerror or error}",
                remedy=CHECK,
            ) from error
        except MemoryError as error:
            raise CheckpointError(
                "expected a checkpoint that fits into memory, found one that does not",
                remedy="Use a machine with more memory.",
            ) from error
        except Exception as error:
            lines = str(error).strip().splitlines()
            reason = for_terminal(lines[0], most=200) if lines else "no reason given"
            raise CheckpointError(
                f"expected a checkpoint, but reading it failed: {type(error).__name__}: {reason}",
                remedy=AGAIN,
            ) from error
