"""The build: what is built notes the commit that it is built from. All else is in setup.cfg."""

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

PACKAGE = Path(__file__).parent / "vanbench"
VERSION = runpy.run_path(str(PACKAGE / "_version.py"))


def note_commit(built: Path) -> None:
    VERSION["write_build_note"](built, VERSION["commit_of"](PACKAGE))


class BuildWithCommit(build_py):
    """Not in an editable install: the code is the checkout's, and git tells."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            note_commit(Path(self.build_lib) / PACKAGE.name)


class SdistWithCommit(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        note_commit(Path(base_dir) / PACKAGE.name)


setup(cmdclass={"build_py": BuildWithCommit, "sdist": SdistWithCommit})
