"""The build: the commit that it is built from, and links for the package index. The rest is in
setup.cfg.
"""

import runpy
from functools import partial
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
PACKAGE = ROOT / "vanbench"
VERSION = runpy.run_path(str(PACKAGE / "_version.py"))
LINKS = runpy.run_path(str(ROOT / "tools" / "outside_links.py"))


def note_commit(built: Path) -> None:
    VERSION["write_build_note"](built, VERSION["commit_of"](PACKAGE))


def readme() -> str:
    """README.md as the package index shows it: links to other files are absolute, or left out."""
    in_repository = partial(LINKS["in_repository"], LINKS["source_address"](ROOT / "setup.cfg"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return LINKS["with_links"](text, in_repository, partial(in_repository, image=True))


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


setup(
    cmdclass={"build_py": BuildWithCommit, "sdist": SdistWithCommit},
    long_description=readme(),
    long_description_content_type="text/markdown",
)
