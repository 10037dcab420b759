"""``vanbench zoo import`` and ``vanbench zoo check``."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from typing_extensions import TypedDict

from vanbench.cli.completion import complete_zoos
from vanbench.cli.options import Settings, common_options, option
from vanbench.cli.output import echo, print_json
from vanbench.cli.phrases import counted, next_command
from vanbench.cli.summaries import SummarizedGroup
from vanbench.files import write_atomically

if TYPE_CHECKING:
    from vanbench.zoo.advice import Advice
    from vanbench.zoo.importing.convert import ImportedZoo

EXAMPLES_OF_IMPORT = """\b
Examples:
  vanbench zoo import metafile.yml -o mine.toml
  vanbench zoo import https://github.com/open-mmlab/mmpretrain/blob/main/configs/van/README.md
"""

EXAMPLES_OF_CHECK = """\b
Examples:
  vanbench zoo check mine.toml
  vanbench zoo check openmmlab --json

\b
Exit codes:
  0  verdicts on its claims are safe
  1  usable, but a verdict may be wrong or impossible
  2  the file cannot be used
"""


class ImportedModel(TypedDict):
    """One model of the zoo file."""

    name: str
    """The model, ARCH.TAG."""
    architecture: str
    """The published architecture."""
    url: str
    """The address of its checkpoint, without secrets."""


class ImportDocument(TypedDict):
    """The zoo file that was made of a source."""

    zoo: str
    """The name of the zoo."""
    source: str
    """Where the figures were published, without secrets."""
    file: str | None
    """The file that was written; null without -o."""
    toml: str
    """The text of the zoo file."""
    models: list[ImportedModel]
    """Its models, in the order of the source."""
    left_out: list[str]
    """The models of the source that name no checkpoint, as the source names them."""


class AdviceJson(TypedDict):
    """One thing to correct in a zoo file."""

    level: Literal["unusable", "unsafe", "note"]
    """``unusable``: the file cannot be used; ``unsafe``: a verdict may be wrong or impossible;
    ``note``: the verdicts are as they are without it."""
    model: str | None
    """The model that it is about; null where it is about the whole file, or the file cannot be
    used."""
    key: str | None
    """The key of the zoo file that it is about; null where the problem names the place."""
    problem: str
    """What is wrong or missing."""
    remedy: str
    """What to do; may be empty."""


class CheckedModel(TypedDict):
    """One model of a zoo file."""

    name: str
    """The model, ARCH.TAG."""
    safe: bool
    """Whether verdicts on its claims are safe."""


class CheckDocument(TypedDict):
    """What was found in a zoo file."""

    file: str
    """The zoo file, or the name of the shipped zoo."""
    zoo: str | None
    """The name of the zoo; null if the file cannot be used."""
    usable: bool
    """Whether the file can be used."""
    safe: bool
    """Whether verdicts on its claims are safe."""
    models: list[CheckedModel]
    """Its models; empty if the file cannot be used."""
    advice: list[AdviceJson]
    """Everything to correct, the worst first."""


DOCUMENTS = {"import": ImportDocument, "check": CheckDocument}


@click.group(cls=SummarizedGroup)
def command() -> None:
    """Make a zoo file from a published table, or check one."""


@command.command("import", epilog=EXAMPLES_OF_IMPORT)
@click.argument("source", metavar="FILE|URL")
@common_options
@option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write the zoo file.  [default: print it]",
)
@option("--force", is_flag=True, help="Replace FILE if it exists.")
@option(
    "--architecture",
    "architectures",
    multiple=True,
    metavar="MODEL=ARCH",
    help="Architecture of a model whose name does not tell it, such as VAN-X=van_b2; repeatable.",
)
def import_(
    settings: Settings,
    source: str,
    output: Path | None,
    force: bool,
    architectures: tuple[str, ...],
) -> None:
    """Make a zoo file from an OpenMMLab README table or metafile.yml.

    FILE is Markdown or YAML; a URL is downloaded, also the page of a file on GitHub. The figures
    are kept as printed. What the source does not say is in comments, with the default that applies.
    """
    from vanbench.download.text_file import read_text_from
    from vanbench.zoo.addresses import public_url
    from vanbench.zoo.importing.convert import MOST_BYTES, import_zoo
    from vanbench.zoo.importing.toml_writer import zoo_name

    if output and output.exists() and not force:
        raise click.UsageError(f"{output} exists. Give --force to replace it.")
    chosen = dict(_choice(text) for text in architectures)
    with settings.progress(f"reading {public_url(source)}", "B") as update:
        text = read_text_from(source, most=MOST_BYTES, progress=update)
    where = public_url(source) if "://" in source else Path(source).name
    name = zoo_name(output.stem) if output else ""
    imported = import_zoo(text, where, name=name, architectures=chosen)
    if output:
        write_atomically(output, imported.text)
    if settings.as_json:
        print_json(**_import_document(imported, output))
    elif not output:
        echo(imported.text.rstrip("\n"), multiline=True, wrap=False)
    _say_imported(settings, imported, output)


def _choice(text: str) -> tuple[str, str]:
    name, sign, architecture = text.rpartition("=")
    if not (name and sign):
        raise click.BadParameter(
            f"expected MODEL=ARCH, found {text!r}", param_hint="--architecture"
        )
    return name, architecture


def _import_document(imported: "ImportedZoo", output: Path | None) -> ImportDocument:
    return {
        "zoo": imported.zoo.name,
        "source": imported.zoo.source,
        "file": str(output) if output else None,
        "toml": imported.text,
        "models": [
            {"name": e.name, "architecture": e.architecture.name, "url": e.public_url}
            for e in imported.zoo.entries
        ],
        "left_out": list(imported.left_out),
    }


def _say_imported(settings: Settings, imported: "ImportedZoo", output: Path | None) -> None:
    """What was made, on stderr, so that stdout has the zoo file alone."""
    if imported.left_out:
        names = ", ".join(imported.left_out)
        settings.say(f"Left out, because the source has no checkpoint of them: {names}.")
    models = counted(len(imported.zoo.entries), "model")
    if output:
        settings.say(f"{output}: {models}. The comments say what the source leaves open.")
        settings.say(f"Next: vanbench zoo check {output}")


@command.command("check", epilog=EXAMPLES_OF_CHECK)
@click.argument("file", metavar="FILE|NAME", shell_complete=complete_zoos)
@common_options
def check(settings: Settings, file: str) -> None:
    """Explain every problem of a zoo file, and what makes verdicts safe.

    Looks at the keys, hashes, addresses, protocol, and whether the counts are those of the
    architectures under a known convention. Nothing is downloaded.
    """
    from vanbench.errors import ZooError
    from vanbench.outside.toml_text import read_toml
    from vanbench.zoo.advice import UNSAFE, UNUSABLE, advice
    from vanbench.zoo.reader import MOST_BYTES, shipped_zoos

    path = shipped_zoos().get(file, Path(file))
    zoo, found = advice(path, read_toml(path, most=MOST_BYTES, error=ZooError))
    levels = {one.level for one in found}
    levels_of_models = {(one.level, one.model) for one in found}
    if settings.as_json:
        document: CheckDocument = {
            "file": file,
            "zoo": zoo.name if zoo else None,
            "usable": zoo is not None,
            "safe": not levels & {UNUSABLE, UNSAFE},
            "models": [
                {"name": e.name, "safe": (UNSAFE, e.name) not in levels_of_models}
                for e in (zoo.entries if zoo else ())
            ],
            "advice": [_advice_json(one) for one in found],
        }
        print_json(**document)
    else:
        _print_advice(file, found, len(zoo.entries) if zoo else 0)
    click.get_current_context().exit(2 if UNUSABLE in levels else 1 if UNSAFE in levels else 0)


def _advice_json(one: "Advice") -> AdviceJson:
    return {
        "level": one.level,
        "model": one.model,
        "key": one.key,
        "problem": one.problem,
        "remedy": one.remedy,
    }


TITLES = {
    "unusable": "The file cannot be used:",
    "unsafe": "A verdict may be wrong or impossible:",
    "note": "Notes:",
}


def _print_advice(file: str, found: "list[Advice]", models: int) -> None:
    """The answer, then each problem once with the models that it is about, the worst first."""
    worst = next((one.level for one in found), None)
    answers = {
        "unusable": f"{file}: cannot be used; {counted(len(found), 'problem')}.",
        "unsafe": f"{file}: can be used, but not every verdict would be safe.",
    }
    echo(answers.get(worst or "", f"{file}: verdicts on {counted(models, 'model')} are safe."))
    for level, title in TITLES.items():
        groups: dict[tuple[str, str, str], list[str]] = {}
        for one in found:
            if one.level == level:
                finding = (one.key or "", one.problem, one.remedy)
                groups.setdefault(finding, []).extend([one.model] if one.model else [])
        if groups:
            echo()
            echo(title)
        for (key, problem, remedy), names in groups.items():
            place = " ".join(filter(None, [", ".join(names), f"[{key}]" if key else ""]))
            echo(f"  {place}: {problem}." if place else f"  {problem}.")
            if remedy:
                echo(f"    {remedy}")
    if worst in (None, "note"):
        echo(f"Next: {next_command('verify', '--all', '--zoo', file)}", wrap=False)
