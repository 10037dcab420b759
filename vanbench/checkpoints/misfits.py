"""The error for tensors that are not those of one network: all that does not fit, by name."""

from collections.abc import Sequence

from vanbench.errors import CheckpointError

MOST_NAMED = 5000  # tensors in a message; the largest VAN has 3,000


def refuse_misfits(
    verdict: str,
    naming: str,
    missing: Sequence[str],
    unexpected: Sequence[str],
    shapes: Sequence[str],
) -> None:
    """CheckpointError with all that does not fit, if anything does not; names as they are shown.

    ``verdict`` is what the tensors are then, such as ``not those of one VAN``.
    """
    problems = {"missing": missing, "unexpected": unexpected, "mis-shaped": shapes}
    if any(problems.values()):
        lists = "; ".join(f"{k} ({len(v)}): {_joined(v)}" for k, v in problems.items() if v)
        counts = ", ".join(f"{len(v)} {k}" for k, v in problems.items() if v)
        raise CheckpointError(
            f"the tensors ({naming} naming) are {verdict}: {lists}",
            cause=f"the tensors ({naming} naming) are {verdict}: {counts}",
        )


def _joined(names: Sequence[str]) -> str:
    """All names that a VAN can have; of more than that, the first ones."""
    more = f", and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(sorted(names)[:MOST_NAMED]) + more
