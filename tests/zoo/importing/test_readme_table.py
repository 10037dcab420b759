"""Tables of models in Markdown."""

import time
from contextlib import suppress

import pytest

from vanbench.errors import ZooError
from vanbench.zoo.importing.readme_table import read_readme

LATER = """\
# Title

## Image Classification on ImageNet-1k

| Model  |  Pretrain | Params (M) | Flops (G) | Top-1 (%) | Top-5 (%) | Config | Download |
| :----- | :-------: | :--------: | :-------: | :-------: | :-------: | :----: | :------: |
| `van-tiny_8xb128_in1k` | From scratch | **4.11** | 0.88 | - | N/A | [config](van.py) | [model](https://h/van-tiny-385941af.pth) \\| [log](https://h/x.json) |

| Other | Table |
| --- | --- |
| 1 | 2 |
"""


def test_code_emphasis_dashes_and_several_links():
    (model,) = read_readme(LATER, "README.md").models
    assert (model.name, model.url) == ("van-tiny_8xb128_in1k", "https://h/van-tiny-385941af.pth")
    assert model.figures == {"params_m": "4.11", "flops_g": "0.88"}
    assert (model.resolution, model.note, model.config) == (0, "", "van.py")
    assert model.dataset == "Image Classification on ImageNet-1k"


def test_a_relative_link_is_that_of_the_page():
    (model,) = read_readme(LATER, "https://github.com/o/r/blob/main/configs/van/README.md").models
    assert model.config == "https://github.com/o/r/blob/main/configs/van/van.py"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("| **4.11** |", "| **4.11** | x |", "expected 8 cells, found 9"),
        ("Download |", "Get |", "expected a Markdown table with the columns Model and Download"),
        ("Params (M)", "resolution", "expected a square resolution, found '4.11'"),
    ],
)
def test_what_is_refused(old, new, problem):
    with pytest.raises(ZooError) as caught:
        read_readme(LATER.replace(old, new), "README.md")
    assert caught.value.problem.startswith(problem)
    assert caught.value.where == "README.md"


@pytest.mark.parametrize(
    "piece",
    ["[", "[a](", "`", "|", "\\|", "# ", "| Model | Download |\n", "```\n@a{", "\\*"],
)
def test_any_text_takes_little_time(piece):
    text = LATER.replace("From scratch", (piece * 3000)[:9000].replace("\n", "")) + piece * 50_000
    begin = time.perf_counter()
    with suppress(ZooError):
        read_readme(text[:1_000_000], "README.md")
    assert time.perf_counter() - begin < 5
