"""The rules of Top-1 and Top-5, and their counts."""

from vanbench.prediction_store.prediction import TOP, Tally, is_correct1, is_correct5


def test_only_the_first_choice_counts_for_top1_and_the_first_five_for_top5():
    top = tuple("abcdef")
    assert [is_correct1(label, top) for label in top] == [True, *[False] * 5]
    assert [is_correct5(label, top) for label in top] == [True] * TOP + [False]
    assert not is_correct1("a", ())
    assert not is_correct5("a", ())


def test_counts_are_of_images():
    tally = Tally.of([(3, (3, 1, 2)), (2, (0, 1, 2)), (9, ()), (9, (1, 2, 3, 4, 5, 9))])
    assert tally == Tally(4, 1, 2)
    assert (tally.top1, tally.top5) == (25.0, 50.0)
    assert tally + Tally(1, 1, 1) == Tally(5, 2, 3)
    assert Tally.of([]) == Tally()
