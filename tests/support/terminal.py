"""Running the command line in a terminal of a given width, and a check of what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

from rich.cells import cell_len

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NARROW = "Not shown at this width:"


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
