"""Which images a limit takes, and what an image that cannot be read does."""

from hypothesis import given
from hypothesis import strategies as st

from vanbench.evaluation.plan import COUNT_WRONG, ON_ERROR, STOP, RunOptions, spread


@given(st.integers(0, 3000), st.none() | st.integers(1, 4000))
def test_a_limit_takes_so_many_distinct_images_in_order(total, limit):
    chosen = spread(total, limit)
    assert len(chosen) == (total if limit is None else min(limit, total))
    assert chosen == sorted(set(chosen))
    assert all(0 <= index < total for index in chosen)


def test_a_limit_spreads_evenly():
    assert spread(50_000, 5) == [0, 10_000, 20_000, 30_000, 40_000]
    assert spread(3, 3) == spread(3, None) == [0, 1, 2]


def test_a_run_stops_at_an_unreadable_image_unless_asked():
    assert ON_ERROR == (STOP, COUNT_WRONG) == ("stop", "count-wrong")
    assert RunOptions().on_error == STOP
