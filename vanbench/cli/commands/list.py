"""``vanbench list``."""

import click

from vanbench.cli.options import Settings, common_options
from vanbench.zoo.entries import Claims, Entry


@click.command(epilog="\b\nExamples:\n  vanbench list\n  vanbench list --zoo demo --json")
@common_options
def command(settings: Settings) -> None:
    """List the models of a zoo and their reported numbers.

    Also says which checkpoint files are in the cache.
    """
    from vanbench.cli.output import print_json, print_table

    entries = settings.zoo.entries
    if settings.as_json:
        print_json(zoo=settings.zoo.name, models=[_as_json(e, settings) for e in entries])
        return
    print_table(
        ["model", "embed dims", "depths", ">params M", ">FLOPs G", ">Top-1 %", ">Top-5 %", "file"],
        [_as_row(e, settings) for e in entries],
        title=f"{settings.zoo.title} (reported numbers)",
    )


def _texts(claims: Claims) -> list[str | None]:
    figures = (claims.params_m, claims.flops_g, claims.top1, claims.top5)
    return [figure.text if figure else None for figure in figures]


def _in_cache(entry: Entry, settings: Settings) -> bool:
    return (settings.cache / entry.filename).is_file()


def _as_row(entry: Entry, settings: Settings) -> list[str]:
    dims = " ".join(map(str, entry.architecture.embed_dims))
    depths = " ".join(map(str, entry.architecture.depths))
    where = "in the cache" if _in_cache(entry, settings) else "not in the cache"
    return [entry.name, dims, depths, *(text or "–" for text in _texts(entry.claims)), where]


def _as_json(entry: Entry, settings: Settings) -> dict[str, object]:
    texts = dict(zip(("params_m", "flops_g", "top1", "top5"), _texts(entry.claims), strict=True))
    return {
        "name": entry.name,
        "architecture": entry.architecture.as_dict(),
        "reported": {name: text and float(text) for name, text in texts.items()},
        "reported_text": texts,
        "url": entry.urls[0],
        "file": entry.filename,
        "in_cache": _in_cache(entry, settings),
    }
