"""Where weights are found in a file's content, and the names of tensors without wrappers."""

import pytest

from vanbench.checkpoints.weights import (
    EMA,
    EMA_KEYS,
    PLAIN,
    PLAIN_KEYS,
    Place,
    describe_choice,
    find_weights,
    plain_names,
)

A, B = {"a": 1}, {"a": 2}


@pytest.mark.parametrize("key", PLAIN_KEYS)
def test_plain_weights_under_every_usual_key(key):
    assert find_weights({key: A, "epoch": 3}) == {PLAIN: Place(key, A)}


@pytest.mark.parametrize("key", EMA_KEYS)
def test_averaged_weights_under_every_usual_key(key):
    assert find_weights({key: A, "epoch": 3}) == {EMA: Place(key, A)}
    both = find_weights({key: A, "state_dict": B})
    assert list(both.items()) == [(PLAIN, Place("state_dict", B)), (EMA, Place(key, A))]


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": A, "ema_state_dict": B, "message_hub": {}, "meta": {}},
        {"state_dict": A, "ema_state_dict": {**B, "steps": 7}},
        {"state_dict": A, "current_model_state": B, "averaging_state": {}},
    ],
)
def test_frameworks_that_keep_averaged_weights_under_state_dict(content):
    places = find_weights(content)
    assert list(places) == [EMA, PLAIN]
    assert places[EMA].content == A
    assert places[PLAIN].content["a"] == B["a"]


@pytest.mark.parametrize("content", [{}, {"model": 3, "net": None}, {"x.weight": 1}, [A], None])
def test_other_content_is_taken_as_it_is(content):
    assert find_weights(content) == {PLAIN: Place(None, content)}


def test_what_is_said_of_the_choice():
    assert describe_choice(PLAIN, {PLAIN: Place("state_dict", A)}) is None
    assert describe_choice(EMA, {EMA: Place(None, A)}) == "averaged (EMA) weights"
    both = {PLAIN: Place("model", A), EMA: Place("model_ema", B)}
    assert describe_choice(PLAIN, both) == (
        "plain weights from 'model'; averaged (EMA) weights are in 'model_ema'"
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["module.a.b", "module.c"], ["a.b", "c"]),
        (["model.net._orig_mod.module.a", "model.net._orig_mod.module.b"], ["a", "b"]),
        (["blocks.0._orig_mod.a", "blocks.1._orig_mod.a"], ["blocks.0.a", "blocks.1.a"]),
        (["module.a", "a"], ["module.a", "a"]),
        (["model.a", "criterion.weight"], ["model.a", "criterion.weight"]),
        (["_orig_mod.a", "a"], ["_orig_mod.a", "a"]),
        (["backbone.a", "backbone.b"], ["backbone.a", "backbone.b"]),
        (["module", "module"], ["module"]),
        ([], []),
    ],
)
def test_names_without_wrappers(names, expected):
    assert list(plain_names(names).values()) == expected
