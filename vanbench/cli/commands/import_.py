"""``vanbench import``."""

from pathlib import Path

import click

from vanbench.cli.model_names import select
from vanbench.cli.options import Settings, common_options, model_argument

EXAMPLES = """\b
Examples:
  vanbench import ~/Downloads
  vanbench import /data/checkpoints van_b0 van_b6
"""


@click.command("import", epilog=EXAMPLES)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@model_argument(nargs=-1)
@common_options
def command(settings: Settings, folder: Path, model: tuple[str, ...]) -> None:
    """Import existing checkpoint files into the cache.

    Every file below DIR is hashed; those that are the files of the zoo's models (or of each MODEL),
    whatever their names, are linked into the cache, or copied where links are not possible.
    """
    from vanbench.cli.output import echo, print_json
    from vanbench.download.import_local import import_files
    from vanbench.download.obtain import wanted_file
    from vanbench.report import record_files

    zoo = settings.zoo
    entries = select(zoo, model, everything=not model)
    wanted = [
        wanted_file(entry, record_files.read(settings.results, zoo.name, entry))
        for entry in entries
    ]
    with settings.progress(str(folder), "files") as update:
        imports = import_files(folder, wanted, settings.cache, update)
    rows = list(zip(entries, imports, strict=True))
    if settings.as_json:
        print_json(models=[
            {"name": entry.name, "status": found.status, "path": found.path and str(found.path),
             "source": found.source and str(found.source)}
            for entry, found in rows
        ])  # fmt: skip
    else:
        for entry, found in rows:
            place = f"{found.path}" if found.path else found.wanted.filename
            origin = f"  (from {found.source})" if found.source else ""
            echo(f"{entry.name}  {found.status}  {place}{origin}")
    if not any(found.path for found in imports):
        echo(f"Error: {folder}: no matching checkpoint found.", err=True)
        click.get_current_context().exit(3)
