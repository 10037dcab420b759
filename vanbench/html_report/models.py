"""The section of one model: where each of its numbers comes from, and where its FLOPs go."""

from collections.abc import Iterator, Mapping, Sequence

from vanbench.conventions import PARAM_CONVENTIONS, TITLES
from vanbench.environment import Environment
from vanbench.html_report.elements import Cell, facts, paragraph, safe, table, verdict_mark
from vanbench.model.torchvision_architecture import AnyArchitecture, TorchvisionArchitecture
from vanbench.report.as_counted import flops_as, params_as
from vanbench.report.other_precisions import other_accuracies
from vanbench.report.other_sets import other_set_accuracies
from vanbench.report.records import Accuracy, Counts, FileRecord
from vanbench.report.rows import ModelRow

SOURCE = {
    "checkpoint": "the network that the file's tensors have",
    "architecture": "the architecture that the zoo declares; the file has not been read",
}


def model_section(row: ModelRow, number: int) -> str:
    """All that is on record of a model."""
    key = f"model-{number}"
    erratum = row.entry.erratum
    return (
        f'<article id="{key}" aria-labelledby="{key}-heading">'
        f'<h3 id="{key}-heading">{safe(row.entry.name)} {verdict_mark(row.verdict)}</h3>'
        f"{paragraph(f'Misprint: {erratum.reason}') if erratum else ''}"
        f"{facts(_facts(row))}{_costs(row.record.counts)}</article>"
    )


def _facts(row: ModelRow) -> Iterator[tuple[str, str]]:
    record = row.record
    yield from _of_file(record.checkpoint, row)
    if record.counts:
        yield from _of_counts(record.counts, row)
    else:
        yield "Counts", "not on record"
    if record.accuracy:
        yield from _of_accuracy(record.accuracy)
    else:
        reason = row.top1.reason or row.top5.reason or "no accuracy is reported for it"
        yield "Accuracy", f"not measured: {reason}"
    for other in other_accuracies(row):
        yield f"In {other.precision}", other.found
        about = other.accuracy
        yield f"{other.precision} measured", f"{about.date}, {_environment(about.environment)}"
    for one in other_set_accuracies(row):
        yield f"On {one.title}", one.found
        about = one.accuracy
        yield f"{one.title} measured", f"{about.date}, {_environment(about.environment)}"


def _of_file(file: FileRecord | None, row: ModelRow) -> Iterator[tuple[str, str]]:
    if row.entry.no_file and file is None:
        yield "File", f"none: {row.entry.no_file}"
        return
    if file is None:
        yield "File", f"{row.entry.filename}: never looked for"
        yield "URL", row.entry.public_url
        return
    cause = f": {file.cause or file.reason}" if file.cause or file.reason else ""
    yield "File", f"{file.file} ({file.status}{cause}, {file.date})"
    yield "URL", file.url
    yield "SHA-256", file.sha256 or f"published: {row.entry.published_hash or 'none'}"
    yield "Size", f"{file.bytes:,} bytes" if file.bytes else ""
    yield "Naming and weights", ", ".join(filter(None, (file.format, file.weights)))
    yield "Suspicious tensors", "; ".join(file.oddities or ())


def _of_counts(counts: Counts, row: ModelRow) -> Iterator[tuple[str, str]]:
    yield "Architecture", _architecture(counts.architecture)
    yield "Counted", f"{SOURCE[counts.source]}, at {counts.resolution} × {counts.resolution} pixels"
    yield "Parameters", f"{counts.params:,}, of these {counts.params_backbone:,} without the head"
    judged = ", under which the reported FLOPs are judged"
    for name, total in counts.flops.items():
        chosen = judged if name == row.entry.counting.convention else ""
        yield f"FLOPs, {_title(name)}", f"{total:,} per image{chosen}"
    counting = row.entry.counting
    if params_as(counting, counts) != counts.params:
        what = PARAM_CONVENTIONS[counting.params].title
        yield "Parameters as the source counts", f"{params_as(counting, counts):,}: {what}"
    if counting.convention not in counts.flops:
        title = TITLES[counting.convention]
        yield f"FLOPs, {title}", f"{flops_as(counting, counts):,} per image{judged}"
    yield "Not counted by fvcore", ", ".join(f"{n:,} × {op}" for op, n in counts.uncounted.items())
    yield "Counts measured", f"{counts.date}, {_environment(counts.environment)}"


def _architecture(a: AnyArchitecture) -> str:
    if isinstance(a, TorchvisionArchitecture):
        size = f"for {a.image_size} × {a.image_size} pixels, " if a.image_size else ""
        return f"{a.name} of torchvision, {size}{a.num_classes:,} classes"
    return (
        f"{a.as_dict()['arch']}: widths {_list(a.embed_dims)}, depths {_list(a.depths)}, "
        f"MLP ratios {_list(a.mlp_ratios)}, {a.num_classes:,} classes"
    )


def _of_accuracy(accuracy: Accuracy) -> Iterator[tuple[str, str]]:
    n, data, numerics = accuracy.images, accuracy.data, accuracy.numerics
    yield "Top-1", f"{accuracy.correct1:,} of {n:,} images right"
    yield "Top-5", f"{accuracy.correct5:,} of {n:,} images right"
    yield "Protocol", accuracy.protocol.describe()
    yield (
        "Data set",
        f"{data.verdict}: {data.images:,} images, {data.classes:,} classes, {data.layout}",
    )
    yield "Fingerprint of the data", data.fingerprint
    yield "Unreadable images", f"{len(data.unreadable):,}" if data.unreadable else ""
    tf32 = "with" if numerics.tf32 else "without"
    compiled = ", compiled" if numerics.compile else ""
    yield "Numerics", f"{numerics.precision} {tf32} TF32, {numerics.model} model{compiled}"
    yield "Image decoder", accuracy.environment.decoder.summary
    yield (
        "Duration",
        f"{accuracy.seconds:,.1f} s, of these {accuracy.waited:,.1f} s waiting for data",
    )
    yield "Accuracy measured", f"{accuracy.date}, {_environment(accuracy.environment)}"


def _environment(e: Environment) -> str:
    commit = f" (commit {e.commit[:12]}{', modified' if e.dirty else ''})" if e.commit else ""
    versions = [f"vanbench {e.vanbench}{commit}", f"Python {e.python}", f"torch {e.torch}"]
    versions += [f"fvcore {e.fvcore}"] if e.fvcore else []
    where = e.gpu or f"CPU ({e.cpu}, {e.threads} threads)"
    return f"{', '.join(versions)}, {e.system}, {where}"


def _costs(counts: Counts | None) -> str:
    """FLOPs by stage and by operator under each convention."""
    if counts is None:
        return ""
    if counts.by_module is None or counts.by_operator is None:
        return paragraph(
            "Cost of each stage and operator: not on record. vanbench verify records it.", "quiet"
        )
    stages = {name: by_stage(parts) for name, parts in counts.by_module.items()}
    return (
        "<details><summary>Cost of each stage and operator</summary>"
        + _cost_table("FLOPs by stage", "Stage", stages)
        + "".join(
            _cost_table(f"FLOPs by operator, {_title(name)}", "Operator", {name: parts})
            for name, parts in counts.by_operator.items()
        )
        + "</details>"
    )


def by_stage(parts: Mapping[str, int]) -> dict[str, int]:
    """The FLOPs of each stage, of the pooling and of the head, from those of the modules.

    >>> by_stage({"stages.0.blocks": 5, "stages.0.norm": 1, "head": 2})
    {'stage 1': 6, 'head': 2}
    """
    stages: dict[str, int] = {}
    for name, flops in parts.items():
        first, _, rest = name.partition(".")
        index = rest.partition(".")[0]
        stage = f"stage {int(index) + 1}" if first == "stages" and index in tuple("0123") else name
        stages[stage] = stages.get(stage, 0) + flops
    return stages


def _cost_table(caption: str, what: str, costs: Mapping[str, Mapping[str, int]]) -> str:
    names = list(dict.fromkeys(part for parts in costs.values() for part in parts))
    columns = [what, *(f">{_title(name)}, G" for name in costs)]
    rows: list[list[str | Cell]] = [
        [part, *(_cost(parts, part) for parts in costs.values())] for part in names
    ]
    return table(caption, columns, rows)


def _cost(parts: Mapping[str, int], part: str) -> Cell:
    flops, total = parts.get(part, 0), sum(parts.values())
    share = f"{100 * flops / total:.1f} %" if total else ""
    return Cell(f"{flops / 1e9:.4f}", share, flops)


def _title(convention: str) -> str:
    return TITLES.get(convention, convention)


def _list(values: Sequence[int]) -> str:
    return "-".join(map(str, values))
