"""Several zoos as one: names, patterns, where records are."""

import pytest

from vanbench.errors import UnknownModelError, ZooError
from vanbench.report import record_files
from vanbench.report.records import Record
from vanbench.zoo.combined import home
from vanbench.zoo.reader import load_zoo, parse_zoo, shipped_zoos

ALL = load_zoo("all")


def names(query):
    return [entry.name for entry in ALL.matching(query)]


def test_all_are_the_shipped_zoos_of_vans_but_the_demo():
    zoos = [load_zoo(name) for name in shipped_zoos() if name not in ("demo", "torchvision")]
    expected = [f"{zoo.name}/{entry.name}" for zoo in zoos for entry in zoo.entries]
    assert [entry.name for entry in ALL.entries] == expected
    assert expected[0] == "openmmlab/van_b0.in1k"
    assert len(set(expected)) == len(expected)


def test_a_name_means_that_name_in_each_zoo():
    assert names("van_b4.in1k") == ["openmmlab/van_b4.in1k", "paper/van_b4.in1k"]
    assert names("van-tiny") == [f"{zoo}/van_b0.in1k" for zoo in ("openmmlab", "authors", "huggingface")]  # fmt: skip
    assert names("van_b6") == ["openmmlab/van_b6.in21k", "paper/van_b6.table5"]


def test_a_name_with_a_zoo_means_that_of_the_zoo():
    assert names("authors/van_b0") == ["authors/van_b0.in1k"]
    assert names("OpenMMLab-History/VAN-B0.draft") == ["openmmlab-history/van_b0.draft"]
    assert len(names("openmmlab*/*")) == 8 + 12
    assert names("p*/*_b4.in1k") == ["paper/van_b4.in1k"]


@pytest.mark.parametrize("query", ["nozoo/van_b0", "authors/van_b6", "van_b9", "demo/van_nano"])
def test_an_unknown_name(query):
    with pytest.raises(UnknownModelError):
        ALL.matching(query)


def test_the_entries_are_those_of_the_zoos():
    (entry,) = ALL.matching("authors/van_b0")
    (own,) = load_zoo("authors").matching("van_b0")
    assert (entry.arch, entry.urls, entry.claims) == ("van_b0", own.urls, own.claims)


def test_records_are_those_of_the_zoo(tmp_path):
    entry = ALL.find("paper/van_b5.table5")
    record_files.write(tmp_path, Record(*home(ALL.name, entry.name)))
    assert (tmp_path / "paper" / "van_b5.table5.json").is_file()
    own = load_zoo("paper").find("van_b5.table5")
    assert record_files.read(tmp_path, "paper", own) == record_files.read(tmp_path, "all", entry)
    assert record_files.read(tmp_path, "all", entry).zoo == "paper"


def test_no_zoo_file_may_have_the_name(tmp_path):
    text = shipped_zoos()["authors"].read_text("utf-8").replace('name = "authors"', 'name = "all"')
    with pytest.raises(ZooError, match="key 'name'"):
        parse_zoo(text, tmp_path / "all.toml")
