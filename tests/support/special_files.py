"""What is no regular file, where the system has it; the test is skipped where it has not."""

import os
from pathlib import Path

import pytest


def named_pipe(path: Path) -> None:
    """Make a named pipe, which a reader would wait for."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes on this system")
    os.mkfifo(path)


def device(path: Path) -> None:
    """Make a link to a device that can be read without end."""
    if not os.path.exists("/dev/zero"):
        pytest.skip("no /dev/zero on this system")
    path.symlink_to("/dev/zero")


def looping_link(path: Path) -> None:
    """Make a link that leads to itself."""
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    """Make a folder."""
    path.mkdir()


def huge(path: Path) -> None:
    """Make a file of a terabyte, of which nothing is stored."""
    with path.open("wb") as file:
        file.truncate(1 << 40)
