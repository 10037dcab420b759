"""How far a benchmark is."""

from vanbench.benchmark.steps import Steps, expected_seconds


def test_seconds_of_all_batch_sizes_and_of_the_rest_add_up():
    seen = []
    steps = Steps(60.0, [1, 4, 16], lambda done, total, note="": seen.append((done, total, note)))
    for batch in (1, 4, 16):
        steps.of_batch(batch)(0.0)
        steps.of_batch(batch)(20.0)
    for number in range(3):
        steps.rest(number, "memory")
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert {total for _, total, _ in seen} == {1000 * expected_seconds(60)}
    assert seen[0] == (0, 80_000, "batch 1")
    assert seen[3] == (40_000, 80_000, "batch 4")
    assert seen[-1][0] < 80_000
