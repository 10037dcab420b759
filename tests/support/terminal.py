"""Running the command line in a terminal of a given width, and a check of what it shows."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from rich.cells import cell_len

from vanbench.cli.group import main

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ERASED = re.compile(r"[^\n]*\r\x1b\[K")  # a progress bar that was erased again
NARROW = "Not shown at this width:"
AMBIENT = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "CI", "GITHUB_ACTIONS")


@dataclass(frozen=True)
class Screen:
    """What a command showed, and its exit code. On a terminal stderr is in ``stdout``, too."""

    code: int
    stdout: str
    stderr: str = ""

    @property
    def text(self) -> str:
        """What is read: without colour codes and erased lines."""
        return ANSI.sub("", ERASED.sub("", self.stdout.replace("\r\n", "\n")))


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def screen(args: list[str], columns: int | None, *, env: Mapping[str, str] | None = None) -> Screen:
    """What ``vanbench ARGS`` shows in a terminal of this width, or piped where it is None.

    In this process, which saves its start; ``run_in_terminal`` is the real thing. ``env`` is added
    to the environment, from which what says how to print was taken.
    """
    kind = io.TextIOWrapper if columns is None else _Terminal
    out, err = (kind(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    width = {} if columns is None else {"COLUMNS": str(columns)}
    base = {key: value for key, value in os.environ.items() if key not in AMBIENT}
    variables = {**base, "TERM": "xterm-256color", **width, **(env or {})}
    with (
        patch.dict(os.environ, variables, clear=True),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err if columns is None else out),
    ):
        try:
            code = main(args, prog_name="vanbench", standalone_mode=True) or 0
        except SystemExit as error:
            code = int(error.code or 0)
    return Screen(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def run_in_terminal(
    args: list[str], columns: int, *, env: dict[str, str] | None = None, cwd: Path | None = None
) -> str:
    """What ``vanbench ARGS`` shows on stdout in a terminal of this width, without colour codes.

    A pseudo-terminal, so only on POSIX systems; stderr goes there too.
    """
    shown = raw_in_terminal([sys.executable, "-m", "vanbench", *args], columns, env=env, cwd=cwd)
    return ANSI.sub("", shown).replace("\r\n", "\n")


def raw_in_terminal(
    command: list[str], columns: int, *, env: dict[str, str] | None = None, cwd: Path | None = None
) -> str:
    """All that a command writes to a terminal of this width, as it is."""
    import fcntl
    import pty
    import struct
    import termios

    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=other,
        stderr=other,
        cwd=cwd,
        env=environment | {"TERM": "xterm-256color"} | (env or {}),
        close_fds=True,
    )
    os.close(other)
    chunks = []
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(main)
    process.wait(timeout=60)
    return b"".join(chunks).decode()


def split_tokens(narrow: str, wide: str) -> set[str]:
    """The words of a narrow output that the wide one does not have: parts of a split name or number.

    A name that was shortened by rule has ``…`` in it.
    """
    lines = [line.removeprefix(NARROW) for line in narrow.splitlines()]
    found = {word for line in lines for word in line.split() if not set(word) <= set("─…")}
    known = set(wide.split())
    known |= {f"{word}{end}" for word in known for end in ",."}
    return {word for word in found - known if "…" not in word}


def too_wide(text: str, columns: int) -> list[str]:
    """The lines that are wider than the terminal, but for a command to copy or one long word."""
    return [
        line
        for line in text.splitlines()
        if cell_len(line) > columns
        and not line.lstrip().startswith(("Next: ", "vanbench "))
        and max(map(len, line.split())) < 50
    ]
