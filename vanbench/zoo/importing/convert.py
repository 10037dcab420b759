"""The whole way: from the text of a README or a metafile to the text of a zoo file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vanbench.errors import ZooError
from vanbench.zoo.entries import Zoo
from vanbench.zoo.importing.drafts import check_chosen, drafts
from vanbench.zoo.importing.metafile import read_metafile
from vanbench.zoo.importing.readme_table import read_readme
from vanbench.zoo.importing.source import Source
from vanbench.zoo.importing.toml_writer import zoo_name, zoo_toml
from vanbench.zoo.reader import parse_zoo

MOST_BYTES = 1_000_000  # of a README or a metafile


@dataclass(frozen=True)
class ImportedZoo:
    """A zoo file as text, the zoo that it is, and the models that have no checkpoint."""

    text: str
    zoo: Zoo
    left_out: tuple[str, ...]


def import_zoo(
    text: str, where: str, *, name: str = "", architectures: Mapping[str, str] | None = None
) -> ImportedZoo:
    """The zoo file for a README or a metafile; ``where`` is its address or name.

    ``name`` is that of the zoo, by default from the source's title. ZooError says what cannot be
    used, in the source or in the zoo file that comes of it.
    """
    source, chosen = read_source(text, where), architectures or {}
    check_chosen(source, chosen)
    models, left_out = drafts(source, chosen)
    if not models:
        raise ZooError("expected models with a checkpoint, found none", where=where)
    toml = zoo_toml(source, name or zoo_name(source.title), models, left_out)
    return ImportedZoo(toml, parse_zoo(toml, Path(where).name), tuple(left_out))


def read_source(text: str, where: str) -> Source:
    """A metafile if the name or the first key says so, else the tables of a README."""
    named = re.search(r"\.(ya?ml|md)$", where.lower())
    is_yaml = named[1] != "md" if named else re.search(r"^(?:Models|Collections):", text, re.M)
    return read_metafile(text, where) if is_yaml else read_readme(text, where)
