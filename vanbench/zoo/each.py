"""One piece of work for each entry of a zoo, in which one failure does not stop the others."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from vanbench.errors import VanbenchError, unexpected_as_errors
from vanbench.zoo.entries import Entry

Result = TypeVar("Result")


def for_each(
    entries: Sequence[Entry], work: Callable[[Entry], Result]
) -> tuple[dict[str, Result], dict[str, VanbenchError]]:
    """The result of ``work`` for each entry by name, and why there is none for the others.

    Wrong arguments are no failure of one entry: an error with exit code 2 is raised.
    """
    results: dict[str, Result] = {}
    errors: dict[str, VanbenchError] = {}
    for entry in entries:
        try:
            with unexpected_as_errors():
                results[entry.name] = work(entry)
        except VanbenchError as error:
            if error.exit_code == 2:
                raise
            errors[entry.name] = error
    return results, errors
