"""The shipped data against the published table, and a user's own file with mistakes in it."""

import re
import tomllib
from pathlib import Path

import pytest

from vanbench.errors import ZooError
from vanbench.zoo.entries import EvaluationProtocol
from vanbench.zoo.reader import SHIPPED, load_zoo, shipped_zoos

PUBLISHED = """\
van_b0.in1k 4.11 0.88 75.41 93.02 van-tiny_8xb128_in1k_20220501-385941af.pth
van_b1.in1k 13.86 2.52 81.01 95.63 van-small_8xb128_in1k_20220501-17bc91aa.pth
van_b2.in1k 26.58 5.03 82.80 96.21 van-base_8xb128_in1k_20220501-6a4cc31b.pth
van_b3.in1k 44.77 8.99 83.86 96.73 van-large_8xb128_in1k_20220501-f212ba21.pth
van_b4.in1k 60.28 12.22 84.13 96.86 van-b4_3rdparty_in1k_20220909-f4665b92.pth
van_b4.in21k 60.28 12.22 None None van-b4_3rdparty_in21k_20220909-db926b18.pth
van_b5.in21k 89.97 17.21 None None van-b5_3rdparty_in21k_20220909-18e904e3.pth
van_b6.in21k 283.9 55.28 None None van-b6_3rdparty_in21k_20220909-96c2cb3a.pth
"""

MINE = """
schema = 1
name = "mine"
title = "My models"
source = "https://example.org/paper"

[models."my_van.best"]
architecture = { embed_dims = [8, 16, 24, 32], depths = [1, 1, 1, 1] }
url = "files/my-van-0123abcd.pth"
reported = { params_m = "0.10", top1 = "50.0" }
"""


def test_every_published_figure_is_kept_as_printed():
    lines = [
        f"{e.name} {e.claims.params_m} {e.claims.flops_g} {e.claims.top1} {e.claims.top5} {e.filename}"
        for e in load_zoo("openmmlab").entries
    ]
    assert lines == PUBLISHED.splitlines()


def test_what_the_published_page_says_beside_the_figures():
    """Its columns Pretrain and Config, its note on models with an asterisk, and its citation."""
    zoo = load_zoo("openmmlab")
    configs = "https://github.com/open-mmlab/mmclassification/blob/master/configs/van/"
    for entry in zoo.entries:
        from_scratch = entry.name.endswith(".in1k")
        assert entry.pretrain == ("From scratch" if from_scratch else "ImageNet-21k")
        assert entry.note.startswith(
            "Converted from the official repo, "
            "https://github.com/Visual-Attention-Network/VAN-Classification."
        )
        assert ("only for validation" in entry.note) is from_scratch
        number = entry.arch[-1]
        config = f"{configs}van-b{number}_8xb128_in1k.py" if from_scratch else None
        assert entry.config == config
    assert zoo.citation == CITATION


CITATION = """\
@article{guo2022visual,
title={Visual Attention Network},
author={Guo, Meng-Hao and Lu, Cheng-Ze and Liu, Zheng-Ning and Cheng, Ming-Ming and Hu, Shi-Min},
journal={arXiv preprint arXiv:2202.09741},
year={2022}
}
"""


def test_the_published_protocol_is_the_default():
    entry = load_zoo("openmmlab").entries[0]
    assert entry.protocol == EvaluationProtocol()
    assert entry.layer_norm_eps == 1e-5
    assert len(entry.protocol.class_ids) == 1000
    assert list(entry.protocol.class_ids) == sorted(entry.protocol.class_ids)
    assert entry.protocol.class_ids[0] == "n01440764"
    assert entry.protocol.class_ids[-1] == "n15075141"


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_a_zoo_of_ones_own(tmp_path):
    zoo = load_zoo(str(write(tmp_path, MINE)))
    entry = zoo.find("my_van")
    assert entry.urls == ((tmp_path / "files/my-van-0123abcd.pth").as_uri(),)
    assert entry.architecture.mlp_ratios == (8, 8, 4, 4)
    assert entry.claims.flops_g is None
    assert entry.protocol == EvaluationProtocol()


def test_a_model_may_have_its_own_protocol(tmp_path):
    text = MINE + "protocol = { center_crop = 160, resize_short_edge = 182 }\n"
    entry = load_zoo(str(write(tmp_path, text))).entries[0]
    assert (entry.protocol.center_crop, entry.protocol.interpolation) == (160, "bicubic")


MISTAKES = {
    "schema": ('schema = 1', 'schema = 2', r"top level, key 'schema': expected 1, found int 2"),
    "no title": ('title = "My models"', '', r"top level, key 'title': expected text, found nothing"),
    "number as float": ('"50.0"', "50.0", r"\[models.\"my_van.best\".reported\], key 'top1': .*as text.*float 50.0"),
    "not a number": ('"50.0"', '"50,0"', r"key 'top1': expected .* found str '50,0'"),
    "unknown key": ('url =', 'colour = "red"\nurl =', r"\[models.\"my_van.best\"\], key 'colour': expected only the keys"),
    "unknown architecture": ('{ embed_dims = [8, 16, 24, 32], depths = [1, 1, 1, 1] }', '"van_b9"', r"key 'architecture': expected one of van_b0"),
    "three stages": ("[8, 16, 24, 32]", "[8, 16, 24]", r"architecture\], key 'embed_dims': expected a list of 4 whole numbers"),
    "zero depth": ("[1, 1, 1, 1]", "[1, 0, 1, 1]", r"key 'depths'"),
    "hash without url": ('url = "files/my-van-0123abcd.pth"', 'sha256 = "0123abcd"', r"key 'url': expected a url beside sha256, found nothing"),
    "mirrors without url": ('url = "files/my-van-0123abcd.pth"', "mirrors = []", r"key 'url': expected a url beside mirrors, found nothing"),
    "empty no_file": ('url =', 'no_file = ""\nurl =', r"key 'no_file': expected a text that is not empty"),
    "weights of no zoo": ('url =', 'weights_of = "van_b0.in1k"\nurl =', r"key 'weights_of': expected the name of a model of a zoo"),
    "no tag": ('my_van.best', "my_van", r"ARCH.TAG"),
    "bad hash": ('url =', 'sha256 = "XYZ"\nurl =', r"key 'sha256': expected 8 to 64 lower-case hex"),
    "no models": ('[models."my_van.best"]', '[other]', r"key 'models': expected a table, found nothing"),
    "toml": ('schema = 1', 'schema = = 1', r"not a readable TOML file"),
    "crop": ('[models', '[protocol]\ncenter_crop = 300\n[models', r"key 'resize_short_edge': expected at least center_crop"),
    "std": ('[models', '[protocol]\nstd = [1, 0, 1]\n[models', r"\[protocol\], key 'std'"),
    "interpolation": ('[models', '[protocol]\ninterpolation = "cubic"\n[models', r"one of bicubic, bilinear"),
    "eps": ('title', 'layer_norm_eps = 2.0\ntitle', r"key 'layer_norm_eps'"),
    "convention": ('[models', '[counting]\nconvention = "mine"\n[models', r"one of openmmlab, fvcore"),
    "exponent": ('"50.0"', '"5e1"', r"key 'top1': expected the figure as printed.*found str '5e1'"),
    "negative": ('"0.10"', '"-0.10"', r"key 'params_m': expected the figure as printed"),
    "more than all": ('"50.0"', '"150.0"', r"key 'top1': expected a percentage from 0 to 100"),
    "unusable url": ('"files/my-van-0123abcd.pth"', '"http://[bad/x.pth"', r"key 'url': expected a URL that ends in a file name"),
    "no file name": ('"files/my-van-0123abcd.pth"', '"https://host/"', r"key 'url': expected a URL that ends in a file name"),
    "colon in a name": ('my_van.best', 'my:van.best', r"expected a model name of the form ARCH.TAG"),
    "folder in a name": ('my_van.best', "..\\\\my.best", r"expected a model name of the form ARCH.TAG"),
    "note of two lines": ('url =', 'note = "a\\nb"\nurl =', r"key 'note': expected a text of one line"),
    "empty pretrain": ('url =', 'pretrain = " "\nurl =', r"key 'pretrain': expected a text that is not empty"),
    "config as number": ('url =', 'config = 1\nurl =', r"key 'config': expected text, found int 1"),
    "citation as list": ('title', 'citation = []\ntitle', r"top level, key 'citation': expected text"),
    "alias as text": ('url =', 'aliases = "mine"\nurl =', r"key 'aliases': expected a list of at most 20 names"),
    "alias as number": ('url =', 'aliases = ["a", 1]\nurl =', r"key 'aliases': expected a list of at most 20 names"),
    "alias with a folder": ('url =', 'aliases = ["owner/a"]\nurl =', r"key 'aliases': .* found list \['owner/a'\]"),
    "21 aliases": ('url =', f'aliases = {[f"a{i}" for i in range(21)]}\nurl =', r"key 'aliases': expected a list of at most 20"),
    "alias is its name": ('url =', 'aliases = ["My-Van.Best"]\nurl =', r"key 'aliases': expected names that no model, arch"),
    "alias is its architecture": ('url =', 'aliases = ["my-van"]\nurl =', r"key 'aliases': .* found str 'my-van'"),
    "alias twice": ('url =', 'aliases = ["a", "A"]\nurl =', r"key 'aliases': .* found str 'A'"),
    "folder name": ('name = "mine"', 'name = "../mine"', r"key 'name'"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_malformed_zoo_is_refused_with_file_table_and_key(tmp_path, mistake):
    before, after, message = MISTAKES[mistake]
    assert before in MINE
    path = write(tmp_path, MINE.replace(before, after, 1))
    with pytest.raises(ZooError, match=message) as caught:
        load_zoo(str(path))
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_the_source_says_beside_the_figures(tmp_path):
    text = MINE.replace("[models", 'note = "all"\ncitation = """@misc{a,\n}"""\n[models', 1)
    twin = MINE[MINE.index("[models") :].replace("my_van.best", "my_van.other")
    twin += 'note = "one"\npretrain = "From scratch"\nconfig = "https://host/c.py"\n'
    zoo = load_zoo(str(write(tmp_path, text + twin)))
    first, second = zoo.entries
    assert zoo.citation == "@misc{a,\n}"
    assert (first.note, first.pretrain, first.config) == ("all", None, None)
    assert (second.note, second.pretrain, second.config) == (
        "one", "From scratch", "https://host/c.py",
    )  # fmt: skip


def two(tmp_path, first, second, more=("", "")):
    """A zoo of two models with these URLs and further lines."""
    head, _, table = MINE.partition("[models")
    tables = [
        f"[models{table}{line}\n".replace("my_van.best", name).replace(
            "files/my-van-0123abcd.pth", url
        )
        for name, url, line in zip(("a.x", "b.x"), (first, second), more, strict=True)
    ]
    return load_zoo(str(write(tmp_path, head + "".join(tables)))).entries


def test_entries_of_one_url_share_its_hash(tmp_path):
    url, sha256 = "https://host/m.pth", "ab" * 32
    lines = (f'sha256 = "{sha256[:8]}"', f'sha256 = "{sha256}"')
    assert [e.sha256 for e in two(tmp_path, url, url, lines)] == [sha256, sha256]
    assert [e.sha256 for e in two(tmp_path, url, url, ("", lines[1]))] == [sha256, sha256]
    with pytest.raises(ZooError, match=r"key 'sha256': expected abab.* as for the same URL"):
        two(tmp_path, url, url, (lines[1], 'sha256 = "00000000"'))


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("https://host/a/m.pth", "https://host/b/m.pth", True),
        ("https://host/a/m.pth", "https://host/b/M.pth", True),
        ("https://host/m.pth?id=1", "https://host/m.pth?id=2", True),
        ("https://host/a/m.pth", "https://host/a/m.pth", False),
        ("https://host/a/m.pth", "https://host/a/n.pth", False),
    ],
)
def test_files_of_one_name_are_marked(tmp_path, first, second, shared):
    assert [e.shares_filename for e in two(tmp_path, first, second)] == [shared, shared]


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://user:SECRET@host/m.pth?token=SECRET", "https://host/m.pth"),
        ("files/m.pth", "files/m.pth"),
        ("/home/me/m.pth", "m.pth"),
        ("file:///home/me/m.pth", "m.pth"),
        ("file:///home/me/my%20m.pth", "my m.pth"),
        ("/home/my self/m.pth", "m.pth"),
        ("../files/m.pth", "../files/m.pth"),
    ],
)
def test_the_address_that_may_be_recorded(tmp_path, url, public):
    (tmp_path / "mine.toml").write_text(MINE.replace("files/my-van-0123abcd.pth", url))
    assert load_zoo(str(tmp_path / "mine.toml")).entries[0].public_url == public


def test_names_that_differ_only_in_case_are_refused(tmp_path):
    twin = MINE + MINE[MINE.index("[models") :].replace("my_van.best", "My-VAN.best")
    with pytest.raises(ZooError, match=r"differs from 'my_van\.best'"):
        load_zoo(str(write(tmp_path, twin)))


def test_other_names_of_a_model(tmp_path):
    first, second = two(
        tmp_path, "a.pth", "b.pth", ('aliases = ["First", "one.best"]', 'aliases = ["second"]')
    )
    assert (first.aliases, second.aliases) == (("First", "one.best"), ("second",))


@pytest.mark.parametrize("taken", ["a.x", "A", "first"])
def test_an_alias_is_not_the_name_of_another_model(tmp_path, taken):
    lines = ('aliases = ["First"]', f'aliases = ["{taken}"]')
    with pytest.raises(
        ZooError, match=rf'\[models\."b\.x"\], key \'aliases\': .* found str \'{taken}\''
    ):
        two(tmp_path, "a.pth", "b.pth", lines)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("openmlab", "Did you mean openmmlab?"),
        ("OpenMMLab", "Did you mean openmmlab?"),
        ("demo.toml", "Did you mean demo?"),
        ("mine", "Did you mean mine.toml?"),
        ("dem", "Did you mean dem.toml or demo?"),
        ("zzzz", "Give --zoo one of these names or the path of a TOML file."),
    ],
)
def test_a_wrong_zoo_suggests_the_nearest(tmp_path, monkeypatch, name, remedy):
    monkeypatch.chdir(tmp_path)
    for file in ("mine.toml", "dem.toml"):
        (tmp_path / file).write_text(MINE)
    with pytest.raises(ZooError) as caught:
        load_zoo(name)
    shipped = ", ".join([*shipped_zoos(), "all"])
    assert str(caught.value) == (
        f"no zoo '{name}': neither a shipped one ({shipped}) nor a file. {remedy}"
    )


def test_no_such_zoo_names_the_shipped_ones():
    with pytest.raises(ZooError, match="openmmlab"):
        load_zoo("nothing")


def test_shipped_zoos_say_where_they_are_from():
    for path in SHIPPED.glob("*.toml"):
        assert tomllib.loads(path.read_text())["source"]


DOCS = Path(__file__).parents[2] / "docs" / "zoo.md"


@pytest.mark.parametrize("table", ["top level", "model", "counting", "protocol"])
def test_the_docs_name_every_key(tmp_path, table):
    """The keys are those that the reader lists when it refuses another one."""
    line, place = {
        "top level": ("colour = 1\n", "name ="),
        "model": ("colour = 1\n", "url ="),
        "counting": ("counting = { colour = 1 }\n", "name ="),
        "protocol": ("protocol = { colour = 1 }\n", "name ="),
    }[table]
    with pytest.raises(ZooError, match="expected only the keys") as caught:
        load_zoo(str(write(tmp_path, MINE.replace(place, line + place, 1))))
    keys = str(caught.value).split("only the keys ")[1].split(", found")[0].split(", ")
    assert len(keys) >= 3
    prose = re.sub(r"```.*?```", "", DOCS.read_text(encoding="utf-8"), flags=re.S)
    documented = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", prose))))
    assert set(keys) <= documented


def test_a_file_with_mistakes_names_the_command_that_shows_all_of_them(tmp_path):
    path = tmp_path / "a zoo.toml"
    path.write_text(MINE.replace('title = "My models"', "title = 1").replace('"0.10"', "1"))
    with pytest.raises(ZooError, match="key 'title': expected text, found int 1") as raised:
        load_zoo(str(path))
    assert raised.value.remedy == f"`vanbench zoo check '{path}'` names every problem."


def test_a_claim_without_a_file_says_why(tmp_path):
    text = MINE.replace('url = "files/my-van-0123abcd.pth"', "")
    (entry,) = load_zoo(str(write(tmp_path, text))).entries
    assert (entry.urls, entry.filename, entry.public_url) == ((), "", "")
    assert (entry.no_file, entry.published_hash) == ("no file is published", None)
    (entry,) = load_zoo(str(write(tmp_path, text + 'no_file = "in a foreign format"\n'))).entries
    assert entry.no_file == "in a foreign format"
    (entry,) = load_zoo(str(write(tmp_path, MINE + 'no_file = "its hash is not known"\n'))).entries
    assert (entry.urls, entry.no_file) == ((), "its hash is not known")
