"""``vanbench report``."""

from pathlib import Path

import click
from typing_extensions import TypedDict

from vanbench.cli.options import Settings, common_options, option

EXAMPLES = """\b
Examples:
  vanbench report
  vanbench report -o results/report.html
  vanbench report --figures figures
"""


class ReportedModel(TypedDict):
    """A model of the report."""

    name: str
    """The model, ARCH.TAG."""
    verdict: str
    """The verdict for the model: the worst one of its numbers."""


class Document(TypedDict):
    """What ``vanbench report --json`` prints."""

    models: list[ReportedModel]
    """The models that the page is about, in its order."""
    report: str
    """The file of the page."""
    figures: list[str]
    """The files that --figures wrote; empty without it."""


@click.command(epilog=EXAMPLES)
@common_options
@option(
    "--figures",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the charts to DIR as SVG and PNG files (needs matplotlib).",
)
@option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="Where to write the page.",
)
def command(settings: Settings, output: Path, figures: Path | None) -> None:
    """Write the results and charts as one HTML page.

    It is made from the records and stored predictions under results/; nothing is measured. The page
    is one file that makes no network request. The exit code is 0 when it was written, whatever the
    verdicts are.
    """
    from vanbench.cli.output import print_json
    from vanbench.files import write_atomically
    from vanbench.html_report.figures import write_figures
    from vanbench.html_report.page import page
    from vanbench.html_report.sources import gather
    from vanbench.report.answer import answer

    sources = gather(settings.zoo, settings.results)
    drawn = write_figures(sources, figures) if figures else []
    write_atomically(output, page(sources))
    found = answer(sources.rows)
    settings.say(f"{found.headline}: {found.sentence}.")
    for path in drawn:
        settings.say(f"{path}: written.")
    settings.say(f"{output}: written. Open it in a browser.")
    if settings.as_json:
        document: Document = {
            "models": [{"name": row.entry.name, "verdict": row.verdict} for row in sources.rows],
            "report": str(output),
            "figures": [str(path) for path in drawn],
        }
        print_json(**document)
