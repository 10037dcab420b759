"""What the published claims of all shipped zoos come to, for a document."""

from pathlib import Path

from tabulate import tabulate

from vanbench.outside.safe_text import for_markdown
from vanbench.report.claims import STANDINGS, SYMBOLS, Claim, claims_on_record, in_words, standings
from vanbench.zoo.combined import ALL, home
from vanbench.zoo.reader import load_zoo

LEGEND = (
    "✓ reproduced at the printed precision, ≈ within 0.05 points, ! explained by a misprint or a "
    "convention, ✗ deviates, ≠ another source says something else of the same weights, ○ not "
    "measured. `vanbench claims` has every number."
)


def claims_summary(results: Path) -> str:
    """The tally and a row for each source, as GitHub Markdown; RecordError as for the records."""
    zoo = load_zoo(ALL)
    claims = [c for one in claims_on_record(zoo, results) for c in one.every()]
    total = in_words(standings(claims))
    rows = [
        _row(part.title, [c for c in claims if home(ALL, c.entry.name)[0] == part.name])
        for part in zoo.parts
    ]
    columns = ["Source", "Numbers", *(SYMBOLS[standing] for standing in STANDINGS)]
    table = tabulate(rows, columns, tablefmt="github", disable_numparse=True)
    head = f"**{len(claims)} published numbers in {len(zoo.parts)} zoos: {total}.**"
    return f"{head}\n\n{table}\n\n{LEGEND}"


def _row(title: str, claims: list[Claim]) -> list[str]:
    numbers = standings(claims)
    counts = [str(numbers[standing] or "") for standing in STANDINGS]
    return [for_markdown(title), str(len(claims)), *counts]
