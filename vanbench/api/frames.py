"""DataFrames with fixed columns and types, whatever is missing. pandas is imported on first use."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

TEXT, NUMBER, COUNT, TRUTH = "string", "float64", "Int64", "boolean"
"""The types of columns; a missing value is NA, or NaN among numbers."""


def make_frame(
    rows: Iterable[Mapping[str, Any]], types: Mapping[str, str], index: str, index_type: str = TEXT
) -> "pandas.DataFrame":
    """A DataFrame with these columns, one row for each mapping; None is a missing value."""
    import pandas

    table = list(rows)
    columns = {
        name: pandas.Series([row.get(name) for row in table], dtype=dtype)
        for name, dtype in {index: index_type, **types}.items()
    }
    return pandas.DataFrame(columns).set_index(index)
