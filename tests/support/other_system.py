"""``python other_system.py``: vanbench where what only Linux has is missing.

Run by tests/test_portability.py with a stdout that cannot encode every character. Processes that
this one starts import it again, as on macOS and Windows, and miss the same things.
"""

import json
import multiprocessing
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ONLY_ON_UNIX = (
    "chown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getloadavg", "getuid", "killpg",
    "mkfifo", "nice", "posix_fadvise", "posix_fallocate", "sched_getaffinity", "sched_setaffinity",
    "sendfile", "setsid", "statvfs",
)  # fmt: skip


def take_away() -> None:
    """Remove what macOS or Windows lack, and hide /proc from this project's code."""
    import psutil

    for name in ONLY_ON_UNIX:
        if hasattr(os, name):
            delattr(os, name)
    if hasattr(psutil.Process, "cpu_affinity"):
        del psutil.Process.cpu_affinity
    for name in ("fcntl", "resource", "pwd", "grp", "termios"):
        if name not in sys.modules:
            sys.modules[name] = None  # importing it fails
    hide_proc()


def hide_proc() -> None:
    """Let opening or looking for files of /proc and /sys fail where vanbench does it."""
    stat = os.stat

    def refuse(path: object) -> None:
        if isinstance(path, str | Path) and str(path).startswith(("/proc/", "/sys/")):
            frame = sys._getframe(1)
            while frame is not None:
                name = frame.f_globals.get("__name__", "")
                if name.startswith("psutil"):
                    return
                if name.startswith("vanbench."):
                    raise FileNotFoundError(2, "No such file or directory", str(path))
                frame = frame.f_back

    def stat_or_refuse(path, **options):
        refuse(path)
        return stat(path, **options)

    os.stat = stat_or_refuse
    sys.addaudithook(lambda event, args: refuse(args[0]) if event == "open" else None)


take_away()


def main() -> None:
    """Run commands, and print a JSON object of what else was found."""
    from vanbench.cli import main as vanbench

    multiprocessing.set_start_method("spawn")
    for arguments in json.loads(sys.argv[1]):
        try:
            vanbench(arguments, prog_name="vanbench")
        except SystemExit as ended:
            print(f"exit {ended.code}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
