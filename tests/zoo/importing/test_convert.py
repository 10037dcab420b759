"""The published page and metafile become the shipped zoo's entries; what comes out can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.command_line import ROOT
from vanbench.errors import ZooError
from vanbench.zoo.importing.convert import import_zoo, read_source
from vanbench.zoo.reader import load_zoo, parse_zoo

FIXTURES = ROOT / "tests/fixtures/zoo"
README = (FIXTURES / "readme.md").read_text("utf-8")
METAFILE = (FIXTURES / "metafile.yml").read_text("utf-8")
SHIPPED = load_zoo("openmmlab")
IDENTICAL = ("name", "aliases", "architecture", "urls", "address", "claims", "counting",
             "protocol", "source", "pretrain", "config", "claimed_images")  # fmt: skip


def test_the_published_page_comes_out_exactly():
    zoo = import_zoo(README, SHIPPED.source).zoo
    assert len(zoo.entries) == 8
    assert zoo.citation == SHIPPED.citation
    for found, shipped in zip(zoo.entries, SHIPPED.entries, strict=True):
        for key in IDENTICAL:
            assert getattr(found, key) == getattr(shipped, key), (found.name, key)
        texts = [(c.params_m, c.flops_g, c.top1, c.top5) for c in (found.claims, shipped.claims)]
        assert [str(t) for t in texts[0]] == [str(t) for t in texts[1]]


def test_nothing_is_invented():
    for entry in import_zoo(README, SHIPPED.source).zoo.entries:
        assert (entry.erratum, entry.sha256, entry.layer_norm_eps) == (None, None, None)
        assert entry.images is None
        assert entry.note.startswith("Models with * are converted from the official repo (https:")


def test_the_published_metafile_comes_out_exactly():
    """It has B0 to B3; its figures are whole numbers, and its configurations paths."""
    zoo = import_zoo(METAFILE, "metafile.yml").zoo
    assert len(zoo.entries) == 4
    keys = set(IDENTICAL) - {"source", "pretrain", "config"}
    for found, shipped in zip(zoo.entries, SHIPPED.entries, strict=False):
        for key in keys:
            assert getattr(found, key) == getattr(shipped, key), (found.name, key)
    assert zoo.entries[0].config == "configs/van/van-tiny_8xb128_in1k.py"


def test_what_the_source_does_not_say_is_a_comment_with_the_default():
    text = import_zoo(METAFILE, "metafile.yml").text
    commented = "\n".join(
        line.removeprefix("# ") for line in text.splitlines()
        if line.startswith(("# layer_norm_eps", "# images", "# counting", "# [protocol]"))
    )  # fmt: skip
    assert "images = 50_000" in commented
    lines = text.splitlines()
    start = lines.index("# [protocol]")
    protocol = [line.removeprefix("# ") for line in lines[start : start + 8]]
    (first, second) = (parse_zoo(t, "z.toml") for t in (text, uncommented(text, protocol)))
    assert first.entries[0].protocol == second.entries[0].protocol


def uncommented(text, protocol):
    return text + "\n" + "\n".join(protocol) + "\n"


def test_a_model_without_a_checkpoint_is_left_out_and_named():
    weights = "Weights: https://download.openmmlab.com/mmclassification/v0/van/van-base"
    start = METAFILE.index(weights)
    end = METAFILE.index("\n", start)
    imported = import_zoo(METAFILE[:start] + "Weights: null" + METAFILE[end:], "metafile.yml")
    assert [e.name for e in imported.zoo.entries] == ["van_b0.in1k", "van_b1.in1k", "van_b3.in1k"]
    assert imported.left_out == ("van-base_8xb128_in1k",)
    assert "#   van-base_8xb128_in1k" in imported.text


def test_without_any_checkpoint_there_is_no_zoo():
    with pytest.raises(ZooError, match="expected models with a checkpoint, found none"):
        import_zoo("Models:\n- Name: van-b0\n", "metafile.yml")


@pytest.mark.parametrize(
    ("where", "text", "expected"),
    [("a.YML", METAFILE, 4), ("a.md", README, 8), ("a", METAFILE, 4), ("a", README, 8)],
)
def test_what_a_source_is_comes_from_its_name_or_its_first_keys(where, text, expected):
    assert len(read_source(text, where).models) == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_text_of_a_source_breaks_out_of_its_string(text):
    """Whatever a model's title says, the zoo has this model and no other key."""
    quoted = text.replace("\\", "").replace("|", "").replace("\n", " ")
    readme = README.replace("From scratch", quoted, 1).replace("year={2022}", quoted.strip(), 1)
    try:
        zoo = import_zoo(readme, "readme.md").zoo
    except ZooError:
        return
    assert [e.name for e in zoo.entries] == [e.name for e in SHIPPED.entries]
    assert zoo.entries[0].erratum is None
