"""docs/notebook.ipynb runs from top to bottom, and its cells show what its text says."""

import re
from base64 import b64decode

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.test_docs import anchors
from tests.support.command_line import ROOT

PATH = ROOT / "docs" / "notebook.ipynb"
TEXT = PATH.read_text(encoding="utf-8")
NOTEBOOK = nbformat.reads(TEXT, as_version=4)
CODE = [cell.id for cell in NOTEBOOK.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The outputs of each code cell by its id, after a run in an empty folder without network."""
    folder, home = tmp_path_factory.mktemp("notebook"), tmp_path_factory.mktemp("home")
    notebook = nbformat.reads(TEXT, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TORCH_HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "TMPDIR"):
            (home / name).mkdir()
            patch.setenv(name, str(home / name))
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")  # where nothing answers
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    assert list(folder.iterdir()) == []
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def shown(outputs, kind):
    """What the last value of a cell shows in one form, such as ``text/html``."""
    return outputs[-1]["data"][kind]


def test_no_cell_writes_to_stderr(executed):
    streams = {output["name"] for outputs in executed.values() for output in outputs
               if output["output_type"] == "stream"}  # fmt: skip
    assert streams == {"stdout"}


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("verify", ["<strong>REPRODUCED</strong>", "van_micro.digits", "reported 95.83"]),
        ("count", ["<strong>Counted</strong>", "283.9", "Misprint"]),
        ("validate", ["<strong>Validated</strong>", "95.833", "360 images"]),
        ("runs", ["<strong>Stored predictions</strong>", "2 runs"]),
        ("compare", ["McNemar", "gained"]),
    ],
)
def test_results_show_themselves_as_tables(executed, cell, words):
    html = shown(executed[cell], "text/html")
    assert [word for word in ("<table>", *words) if word not in html] == []


def test_the_records_as_a_frame(executed):
    html = shown(executed["results"], "text/html")
    heads = re.findall(r"<th>([^<]+)</th>", html)
    assert heads == ["verdict", "params_m", "flops_g", "top1_percent", "top1_percent_reported",
                     "images", "model", "van_nano.digits", "van_micro.digits"]  # fmt: skip
    assert html.count("<td>reproduced</td>") == 2


def test_the_image_and_its_class(executed):
    assert "short edge to 36" in executed["image"][0]["text"]
    assert b64decode(shown(executed["image"], "image/png")).startswith(b"\x89PNG")
    assert shown(executed["predict"], "text/plain").startswith("digit-7")


def test_the_images_that_changed_and_the_figure(executed):
    assert shown(executed["flips"], "text/plain").splitlines()[1].split() == ["gained", "6"]
    assert b64decode(shown(executed["plot"], "image/png")).startswith(b"\x89PNG")


def test_the_committed_notebook_is_valid_and_has_no_outputs():
    nbformat.validate(NOTEBOOK)
    assert nbformat.writes(NOTEBOOK) + "\n" == TEXT
    assert NOTEBOOK.metadata.keys() == {"kernelspec", "language_info"}
    for cell in NOTEBOOK.cells:
        assert re.fullmatch(r"[a-z-]+", cell.id), "ids are words, which do not change by themselves"
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_its_links_have_targets():
    links = [link for cell in NOTEBOOK.cells for link in re.findall(r"\]\(([^)]+)\)", cell.source)]
    assert len(links) >= 3
    headings = "\n".join(c.source for c in NOTEBOOK.cells if c.cell_type == "markdown")
    for path, _, anchor in (link.partition("#") for link in links):
        text = (PATH.parent / path).read_text(encoding="utf-8") if path else headings
        assert not anchor or anchor.lower() in anchors(text), anchor
