"""The report as one HTML file: no request leaves it, and it works without JavaScript."""

import base64
import hashlib
from importlib import resources

from vanbench._version import __version__
from vanbench.html_report.elements import (
    Cell,
    bullets,
    figure,
    paragraph,
    safe,
    section,
    table,
    verdict_mark,
)
from vanbench.html_report.models import model_section
from vanbench.html_report.runtimes import runtimes_part
from vanbench.html_report.sources import Sources
from vanbench.html_report.stored import ModelClasses, ModelFlips
from vanbench.intervals import wilson_interval
from vanbench.report.answer import Answer, Finding, answer
from vanbench.report.bench_records import BenchRecord
from vanbench.report.chart_svg import CLASSES, DARK, LIGHT, variables
from vanbench.report.charts import accuracy_charts, bench_label, complexity_chart, speed_chart
from vanbench.report.other_precisions import other_accuracies
from vanbench.report.other_sets import other_set_accuracies
from vanbench.report.records import DifferenceFromFp32
from vanbench.report.rows import Figure, ModelRow
from vanbench.report.verdicts import DEVIATES, NOT_MEASURED, REPRODUCED

LIGHT_THEME = LIGHT | {"raised": "#f6f8fa", "good": "#116329", "bad": "#b3121d", "link": "#0550ae"}
DARK_THEME = DARK | {"raised": "#161b22", "good": "#56d364", "bad": "#ff8078", "link": "#79b8ff"}
VERDICTS = {"REPRODUCED": REPRODUCED, "DEVIATES": DEVIATES, "INCOMPLETE": NOT_MEASURED}
SECTIONS = {
    "answer": "Answer",
    "verdicts": "Verdicts",
    "complexity-section": "Parameters and FLOPs",
    "accuracy-section": "Accuracy",
    "speed-section": "Speed",
    "models": "Models",
    "predictions": "Predictions",
}


def page(sources: Sources) -> str:
    """The whole file; the same text for the same records."""
    title = f"vanbench report: {sources.zoo.title}"
    style, script = _style(), _file("sort.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name in SECTIONS.items())
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{safe(title)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#answer">Skip to the answer</a>
<header><h1>{safe(sources.zoo.title)}</h1>
{paragraph(f"Published numbers of {sources.zoo.source}, and what was measured.", "quiet")}
<nav aria-label="Sections"><ul>{links}</ul></nav></header>
<main>
{_answer(answer(sources.rows))}
{_verdicts(sources)}
{_complexity(sources)}
{_accuracy(sources)}
{_speed(sources)}
{_models(sources)}
{_predictions(sources)}
</main>
<footer>{
        paragraph(
            f"Written by vanbench {__version__} from the records of the zoo {sources.zoo.name}.",
            "quiet",
        )
    }</footer>
<script>{script}</script>
</body>
</html>
"""


def _file(name: str) -> str:
    return resources.files("vanbench.html_report").joinpath(name).read_text(encoding="utf-8")


def _style() -> str:
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK_THEME)} }} }}"
    return f":root {{ {variables(LIGHT_THEME)} }}\n{dark}\n{CLASSES}{_file('page.css')}"


def _hash(text: str) -> str:
    """The hash by which a Content-Security-Policy allows an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _answer(found: Answer) -> str:
    date = f"Latest measurement: {found.date}." if found.date else "Nothing has been measured yet."
    sentence = f"{found.sentence}."
    headline = verdict_mark(VERDICTS[found.headline], found.headline)
    return section(
        "answer",
        "Answer",
        f'<p class="headline">{headline}</p>',
        paragraph(sentence),
        paragraph(date, "quiet"),
        _findings("Discoveries", found.discoveries),
        _findings("Why numbers are missing", found.reasons, models=True),
    )


def _findings(title: str, findings: tuple[Finding, ...], *, models: bool = False) -> str:
    if not findings:
        return ""
    texts = [f"{f.text}{f' ({_models_of(f)})' if models else ''}" for f in findings]
    return f"<h3>{safe(title)}</h3>{bullets(texts)}"


def _models_of(finding: Finding) -> str:
    names = finding.models
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} models"


def _verdicts(sources: Sources) -> str:
    columns = ["Model", ">Parameters, M", ">FLOPs, G", ">Top-1, %", ">Top-5, %", "File", "Verdict"]
    rows = [_verdict_row(row, number) for number, row in enumerate(sources.rows)]
    caption = "Measured numbers beside the reported ones"
    return section("verdicts", "Verdicts", table(caption, columns, rows, sortable=True))


def _verdict_row(row: ModelRow, number: int) -> list[str | Cell]:
    return [
        Cell(row.entry.name, link=f"model-{number}"),
        *(_figure_cell(figure) for figure in row.figures),
        row.file_status,
        Cell("", verdict=row.verdict),
    ]


def _figure_cell(figure: Figure) -> Cell:
    reported = f"{figure.reported} reported" if figure.reported else ""
    if figure.measured is None:
        number = float(figure.reported.value) if figure.reported else None
        return Cell("–", reported, number, figure.verdict)
    digits = figure.reported.decimals + 1 if figure.reported else 3
    value = float(figure.measured)
    return Cell(f"{value:.{digits}f}", reported, value, figure.verdict)


def _complexity(sources: Sources) -> str:
    chart = complexity_chart(sources.rows)
    content = figure(chart) if chart else paragraph("The zoo has no models.")
    return section("complexity-section", "Parameters and FLOPs", content)


def _accuracy(sources: Sources) -> str:
    charts = accuracy_charts(sources.rows)
    measured = [row for row in sources.rows if row.record.accuracy]
    advice = "To measure accuracies: vanbench verify --all --data PATH."
    return section(
        "accuracy-section",
        "Accuracy",
        "".join(map(figure, charts)),
        _intervals(measured) if measured else paragraph(f"No accuracy is on record. {advice}"),
        _other_precisions(sources),
        _other_sets(sources),
    )


def _intervals(rows: list[ModelRow]) -> str:
    cells = []
    for row in rows:
        accuracy = row.record.accuracy
        assert accuracy is not None
        cells.append([row.entry.name, f"{accuracy.images:,}"])
        for correct in (accuracy.correct1, accuracy.correct5):
            low, high = wilson_interval(correct, accuracy.images)
            cells[-1] += [f"{100 * correct / accuracy.images:.3f}", f"{low:.2f} – {high:.2f}"]
    columns = ["Model", ">Images", ">Top-1, %", ">95 % interval", ">Top-5, %", ">95 % interval"]
    return table("Measured accuracies and their 95 % intervals", columns, cells)


def _other_precisions(sources: Sources) -> str:
    """Nothing if there are none."""
    rows = [
        [
            other.model,
            other.precision,
            f"{other.accuracy.images:,}",
            f"{other.top1:.3f}",
            other.delta_text or "–",
            f"{other.top5:.3f}",
            *_tested(other.accuracy.differs_from_fp32),
        ]
        for row in sources.rows
        for other in other_accuracies(row)
    ]
    columns = ["Model", "Precision", ">Images", ">Top-1, %", ">To fp32", ">Top-5, %",
               ">Top-1 that differ", ">McNemar's p"]  # fmt: skip
    caption = "Other precisions than fp32, which the published numbers are not judged by"
    return table(caption, columns, rows) if rows else ""


def _other_sets(sources: Sources) -> str:
    """Nothing if there are none."""
    rows: list[list[str | Cell]] = [
        [
            one.model,
            one.title,
            f"{one.accuracy.images:,}",
            _figure_cell(one.top1),
            _figure_cell(one.top5),
        ]
        for row in sources.rows
        for one in other_set_accuracies(row)
    ]
    columns = ["Model", "Test set", ">Images", ">Top-1, %", ">Top-5, %"]
    caption = "Other test sets, each with the images and by the rule of its authors"
    return table(caption, columns, rows) if rows else ""


def _tested(found: DifferenceFromFp32 | None) -> tuple[str, str]:
    if found is None:
        return "not compared", "–"
    return f"{found.different:,}", f"{found.p_value:.2g}"


def _speed(sources: Sources) -> str:
    chart = speed_chart(sources.benches)
    damaged = bullets(sources.bench_problems)
    runtimes = runtimes_part(sources.runtimes)
    if chart is None and runtimes:
        return section("speed-section", "Speed", damaged, runtimes)
    if chart is None:
        advice = "No benchmark is on record. To measure speed: vanbench bench --all."
        return section("speed-section", "Speed", damaged, paragraph(advice))
    machines = dict.fromkeys(f"Measured on {_machine(record)}." for record in sources.benches)
    columns = ["Model", "Model kind", ">Batch", ">Images/s", ">p50, ms", ">p95, ms", ">p99, ms",
               ">Peak memory, MB", "Measured on", "Date"]  # fmt: skip
    rows = [row for record in sources.benches for row in _bench_rows(record)]
    tables = table("Throughput and latency", columns, rows)
    return section(
        "speed-section",
        "Speed",
        damaged,
        "".join(map(paragraph, machines)),
        figure(chart),
        tables,
        runtimes,
    )


def _machine(record: BenchRecord) -> str:
    e = record.environment
    return e.gpu or f"a CPU ({e.cpu}, {e.threads} threads)"


def _bench_rows(record: BenchRecord) -> list[list[str]]:
    return [
        [
            bench_label(record),
            kind,
            str(record.batch_size),
            f"{figures.images_per_s:.2f}",
            *(f"{getattr(figures.latency_ms, p):.1f}" for p in ("p50", "p95", "p99")),
            "–" if figures.peak_memory is None else f"{figures.peak_memory / 1e6:.0f}",
            _machine(record),
            record.date,
        ]
        for kind, figures in (("reference", record.reference), ("optimised", record.optimized))
    ]


def _models(sources: Sources) -> str:
    parts = [model_section(row, number) for number, row in enumerate(sources.rows)]
    return section("models", "Models", *parts)


def _predictions(sources: Sources) -> str:
    summary = sources.predictions
    advice = "vanbench verify --all --data PATH stores the predictions that this section is about."
    if summary is None or not summary.models:
        why = sources.no_predictions or f"No predictions of these models are stored. {advice}"
        return section("predictions", "Predictions", paragraph(why))
    return section(
        "predictions",
        "Predictions",
        *(_hard_classes(model) for model in summary.models),
        _pairs(summary.pairs),
        *(_flips(pair) for pair in summary.pairs if pair.flips),
    )


def _hard_classes(model: ModelClasses) -> str:
    if not model.classes:
        return paragraph(f"{model.model} has no mistake over {model.images:,} images.")
    rows = [
        [c.wnid, f"{c.correct1:,} of {c.images:,}", c.instead, f"{c.times:,}"]
        for c in model.classes
    ]
    caption = f"Hardest classes of {model.model} (run {model.run}, {model.images:,} images)"
    return table(caption, ["Class", ">Right (Top-1)", "Most often taken for", ">Times"], rows)


def _pairs(pairs: tuple[ModelFlips, ...]) -> str:
    if not pairs:
        return paragraph("No two models have predictions for the same images.", "quiet")
    rows = [
        [
            f"{pair.first} → {pair.second}",
            f"{pair.images:,}",
            *("labels differ" if n is None else f"{n:,}" for n in (pair.gained, pair.lost)),
            "–" if pair.p is None else f"{pair.p:.3g}",
        ]
        for pair in pairs
    ]
    columns = ["Models", ">Images", ">Only the second is right", ">Only the first is right",
               ">McNemar's p"]  # fmt: skip
    return table("Images that flip from a model to the next one", columns, rows)


def _flips(pair: ModelFlips) -> str:
    caption = f"Flips from {pair.first} to {pair.second}, the largest margins first"
    columns = ["Image", "Class", pair.first, pair.second, "Effect", ">Margin"]
    rows = [
        [f.name, f.wnid, f.before, f.after, str(f.effect), f"{f.margin:.3f}"] for f in pair.flips
    ]
    return f"<details><summary>{safe(caption)}</summary>{table(caption, columns, rows)}</details>"
