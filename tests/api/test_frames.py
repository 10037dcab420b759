"""DataFrames whose columns have the same types, whatever is missing."""

from vanbench.api.frames import COUNT, NUMBER, TEXT, TRUTH, make_frame

TYPES = {"text": TEXT, "number": NUMBER, "count": COUNT, "truth": TRUTH}


def dtypes(frame):
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


def test_values_and_missing_values():
    large = 2**53 + 1  # no float has it
    rows = [{"name": "a", "text": "b", "number": 1.5, "count": large, "truth": True}, {"name": "c"}]
    frame = make_frame(rows, TYPES, "name")
    assert dtypes(frame) == TYPES
    assert frame.loc["a"].tolist() == ["b", 1.5, large, True]
    assert frame.loc["c"].isna().all()


def test_an_empty_frame_has_the_columns_and_types():
    frame = make_frame([], TYPES, "number of the run", COUNT)
    assert dtypes(frame) == TYPES
    assert str(frame.index.dtype) == "Int64"


def test_only_missing_values():
    assert dtypes(make_frame([{"name": "a"}], TYPES, "name")) == TYPES
