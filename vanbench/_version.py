"""The version, and the commit of the code: as the build noted it, else as git says.

``setup.py`` runs this file too, so it imports nothing of the package.
"""

import os
from pathlib import Path
from typing import NamedTuple

__version__ = "0.1.0"

BUILD_NOTE = "_build.json"
"""In the package's folder: the commit that an sdist or a wheel was built from."""


class Commit(NamedTuple):
    """The hash of a commit, and whether files of the package differ from it."""

    commit: str
    dirty: bool


def commit_of(package: Path) -> Commit | None:
    """The commit of the package in this folder; None where neither a build nor git tells."""
    import json

    note = package / BUILD_NOTE
    if note.exists():
        return Commit(**json.loads(note.read_text(encoding="utf-8")))
    return _ask_git(package)


def write_build_note(package: Path, commit: Commit | None) -> None:
    """Note the commit in the folder of a package that is being built."""
    import json

    note = package / BUILD_NOTE
    note.unlink(missing_ok=True)  # of an earlier build in the same folder
    if commit is not None:
        note.write_text(json.dumps(commit._asdict()) + "\n", encoding="utf-8")


def _ask_git(package: Path) -> Commit | None:
    """What git says, if the package's parent is the top of a git checkout.

    Changes outside the package do not count: a run writes records.
    """
    root = package.parent
    head = _git(root, "rev-parse", "--show-toplevel", "HEAD")
    changes = _git(root, "--no-optional-locks", "status", "--porcelain", "--", package.name)
    if head is None or changes is None:
        return None
    top, commit = head.splitlines()
    return Commit(commit, bool(changes)) if os.path.samefile(top, root) else None


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None if it fails or is not installed."""
    import subprocess

    # A git hook sets GIT_DIR and others, which name the repository that the hook is of.
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], env=environment, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(done.stdout)
