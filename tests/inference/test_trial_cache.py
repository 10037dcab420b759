"""Outcomes of trials are kept in a file, and a damaged or missing one costs only another trial."""

import json
import stat

import pytest

from vanbench.inference import trial_cache
from vanbench.inference.trial_cache import TrialCache

KEY = {"trial": "t", "threads": 2}
OUTCOME = {"a": 0.5, "b": 1.0}


@pytest.fixture
def trials(tmp_path):
    return TrialCache(tmp_path / "folder" / "trials.json")


def test_what_was_put_is_got_by_another_process(trials):
    assert trials.get(dict[str, float], KEY) is None
    trials.put(KEY, OUTCOME)
    assert TrialCache(trials.path).get(dict[str, float], KEY) == OUTCOME
    assert trials.get(dict[str, float], {**KEY, "threads": 3}) is None


def test_without_a_path_nothing_is_kept():
    trials = TrialCache()
    trials.put(KEY, OUTCOME)
    assert trials.get(dict[str, float], KEY) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"x": 1}',
        b"\xff\xfe",
        json.dumps({json.dumps(KEY, sort_keys=True): 1}),
    ],
    ids=repr,
)
def test_a_damaged_file_is_replaced(trials, content):
    trials.path.parent.mkdir()
    trials.path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert trials.get(dict[str, float], KEY) is None
    trials.put(KEY, OUTCOME)
    assert trials.get(dict[str, float], KEY) == OUTCOME


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("no folder")
    trials = TrialCache(tmp_path / "file" / "trials.json")
    trials.put(KEY, OUTCOME)
    assert trials.get(dict[str, float], KEY) is None


def test_the_oldest_are_dropped(trials, monkeypatch):
    monkeypatch.setattr(trial_cache, "MOST", 3)
    for number in (0, 1, 2, 0, 3, 4):  # 0 is put again, so that 1 and 2 are the oldest
        trials.put({"number": number}, {"seconds": float(number)})
    known = [n for n in range(5) if trials.get(dict[str, float], {"number": n})]
    assert known == [0, 3, 4]
    assert stat.S_ISREG(trials.path.stat().st_mode)
