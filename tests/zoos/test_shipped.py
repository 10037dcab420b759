"""Every shipped zoo can be used, is safe, satisfies the schema, and claims what can be counted."""

import json
import re
import tomllib
from fractions import Fraction
from importlib.resources import files

import pytest
from jsonschema import Draft7Validator

from vanbench.flops import count_by_rules
from vanbench.report.count_verdicts import judge_counts
from vanbench.report.verdicts import DEVIATES, ERRATUM, REPRODUCED
from vanbench.zoo.advice import UNSAFE, UNUSABLE, advice
from vanbench.zoo.combined import LEFT_OUT
from vanbench.zoo.reader import load_zoo, parse_zoo, shipped_zoos
from vanbench.zoo.reported import Reported

ZOOS = shipped_zoos()
CLAIMS = {
    f"{name}/{entry.name}": entry
    for name in ZOOS
    if name not in LEFT_OUT
    for entry in load_zoo(name).entries
}
PRINTED = """\
authors/van_b3.in1k 44.8 9.0 83.9 None
huggingface/van_b2.in1k 26.6 5.0 82.8 None
openmixup/van_b0.in1k 4.11 0.88 75.77 92.99
openmixup/van_b3.rsb-a3 45 None 81.9 95.7
openmmlab-history/van_b1.20220427 13.86 2.52 81.01 95.63
paddle/van_b3.in1k 44.790 8.987 83.89 96.68
paper/van_b6.in22k-ft-in1k-384 200 114.3 87.8 None
ports/van_b0.simpleaicv 4.103 0.880224 75.618 None
"""


@pytest.mark.parametrize("name", ZOOS)
def test_it_is_safe_and_satisfies_the_schema(name):
    data = tomllib.loads(ZOOS[name].read_text("utf-8"))
    zoo, found = advice(ZOOS[name], data)
    assert zoo.name == name == data["name"]
    assert [one for one in found if one.level in (UNSAFE, UNUSABLE)] == []
    schema = json.loads((files("vanbench") / "schemas" / "zoo.json").read_text("utf-8"))
    Draft7Validator(schema).validate(data)


def test_figures_are_kept_as_printed():
    for line in PRINTED.splitlines():
        claims = CLAIMS[line.split()[0]].claims
        found = (claims.params_m, claims.flops_g, claims.top1, claims.top5)
        assert " ".join(map(str, found)) == line.partition(" ")[2]


@pytest.mark.parametrize("name", CLAIMS)
def test_every_count_is_reproduced_or_a_misprint(name):
    entry = CLAIMS[name]
    verdicts = judge_counts(entry, count_by_rules(entry.architecture, entry.counting.resolution))
    for claimed, verdict in (
        (entry.claims.params_m, verdicts.params),
        (entry.claims.flops_g, verdicts.flops),
    ):
        assert claimed is None or verdict in (REPRODUCED, ERRATUM)
    assert verdicts.model != ERRATUM or entry.erratum


@pytest.mark.parametrize("figure", ["params_m", "flops_g"])
@pytest.mark.parametrize("name", ["authors", "paddle", "paper", "ports", "openmmlab-history"])
def test_a_digit_that_is_off_by_one_is_found(name, figure):
    """In each printed count, with its last digit one higher."""
    text = ZOOS[name].read_text("utf-8")
    places = list(re.finditer(rf'reported = .*{figure} = "([0-9.]+)"', text))
    assert places
    for place in places:
        printed = Reported(place[1])
        wrong = f"{float(printed.value + Fraction(1, 10**printed.decimals)):.{printed.decimals}f}"
        start, end = place.span(1)
        zoo = parse_zoo(text[:start] + wrong + text[end:], ZOOS[name])
        (entry,) = (e for e in zoo.entries if str(getattr(e.claims, figure)) == wrong and
                    e not in load_zoo(name).entries)  # fmt: skip
        counts = count_by_rules(entry.architecture, entry.counting.resolution)
        verdicts = judge_counts(entry, counts)
        verdict = verdicts.params if figure == "params_m" else verdicts.flops
        assert verdict == (ERRATUM if _is_corrected(entry, figure) else DEVIATES), entry.name


def _is_corrected(entry, figure):
    """Whether the zoo knows the right number, so that any other one counts as a misprint."""
    return bool(entry.erratum and getattr(entry.erratum.corrected, figure))


def test_weights_are_of_models_that_there_are():
    for name, entry in CLAIMS.items():
        if entry.weights_of:
            assert entry.weights_of in CLAIMS, name
            assert CLAIMS[entry.weights_of].arch == entry.arch


def test_files_have_hashes_and_claims_without_a_file_say_why():
    for entry in CLAIMS.values():
        assert entry.published_hash if entry.urls else entry.no_file
