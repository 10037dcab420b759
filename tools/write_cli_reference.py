"""Write docs/cli.md, the reference of the command line, from the code.

python tools/write_cli_reference.py check    # exit with 1 and a diff if the page is out of date
python tools/write_cli_reference.py write
"""

import re
import sys
from collections.abc import Iterator
from difflib import unified_diff
from functools import cache
from inspect import cleandoc
from pathlib import Path

import click

from vanbench.cli.group import main

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/cli.md"

INTRODUCTION = """\
# Command line

`tools/write_cli_reference.py` generates this page from the code. Do not edit it.

Each command prints this with `--help`, too. With `--json` a command prints one JSON document
([json.md](json.md)).
"""

COMMON = """\
## Options of all commands

Options follow the command. An option that is set by its environment variable counts as if it had
been typed; what is typed counts more.

"""

VARIABLES = """\
## Environment variables

The variables of the options, and the commands that read them. A flag is set by `1`. An option that
may be repeated takes several values, separated by spaces. Beside these, `TORCH_HOME` and
`XDG_CACHE_HOME` decide where the cache is ([files.md](files.md#where-files-are-kept)), the proxy
and certificate variables of `requests` hold for downloads, and `NO_COLOR` turns colour off.

| variable | sets | commands |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *_outline(), COMMON + _options(_shared()), *_exit_codes()]
    parts += [_section(name, command) for name, command in commands()]
    return "\n".join([*parts, _variables()])


@cache
def commands() -> tuple[tuple[str, click.Command], ...]:
    """Each command with its name, those of groups among them: ``zoo check``."""
    return tuple(_commands_of(main, ""))


def _commands_of(group: click.Group, before: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _commands_of(command, f"{before}{name} ")
        else:
            yield before + name, command


def _outline() -> Iterator[str]:
    rows = (
        f"| [`vanbench {name}`](#vanbench-{name.replace(' ', '-')}) "
        f"| {_cell(command.get_short_help_str(200))} |\n"
        for name, command in commands()
    )
    yield "| command | does |\n|---|---|\n" + "".join(rows)


def _exit_codes() -> Iterator[str]:
    """What the group's help says after its examples."""
    blocks = [b for b in _blocks(main.epilog or "") if "Examples:" not in b]
    yield "## Exit codes\n\n" + "\n".join(map(_block, blocks)).removeprefix("Exit codes:\n\n")


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"vanbench {name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    shared = {option.name for option in _shared()}
    own = [o for o in _options_of(command) if o.name not in shared]
    parts = [
        f"## vanbench {name}\n",
        f"```text\n{usage}\n```\n",
        *(_block(block) for block in _blocks(command.help or "")),
    ]
    if own:
        parts.append(_options(own))
    missing = shared - {option.name for option in _options_of(command)}
    if missing:
        names = ", ".join(f"`{_long(o)}`" for o in _shared() if o.name in missing)
        parts.append(f"Does not take {names}.\n")
    parts += [_block(block) for block in _blocks(command.epilog or "")]
    return "\n".join(parts)


def _variables() -> str:
    readers: dict[tuple[str, str], list[str]] = {}
    for name, command in commands():
        for parameter in command.params:
            if isinstance(parameter.envvar, str):
                shown = _long(parameter) if parameter.param_type_name == "option" else "argument"
                readers.setdefault((parameter.envvar, shown), []).append(name)
    everyone = len(commands())
    rows = (
        f"| `{variable}` | {'the argument' if shown == 'argument' else f'`{shown}`'} "
        f"| {_readers(names, everyone)} |\n"
        for (variable, shown), names in sorted(readers.items())
    )
    return VARIABLES + "".join(rows)


def _readers(names: list[str], everyone: int) -> str:
    return "all" if len(names) == everyone else ", ".join(f"`{name}`" for name in names)


def _shared() -> list[click.Option]:
    """The options that most commands have, with the same help."""
    counted: dict[tuple[str, str], list[click.Option]] = {}
    for _, command in commands():
        for option in _options_of(command):
            counted.setdefault((_long(option), option.help or ""), []).append(option)
    return [same[0] for same in counted.values() if 2 * len(same) > len(commands())]


def _options_of(command: click.Command) -> list[click.Option]:
    """The options of a command that its help shows, but --help."""
    return [p for p in command.params if isinstance(p, click.Option) and not p.hidden]


def _options(options: list[click.Option]) -> str:
    head = "| option | meaning | default | variable |\n|---|---|---|---|\n"
    return head + "".join(map(_option, options))


def _option(option: click.Option) -> str:
    context = click.Context(click.Command("any"))
    extra = option.get_help_extra(context)
    text, _, default = (option.help or "").partition("[default:")
    if isinstance(option.type, click.IntRange | click.FloatRange):
        text = f"{text.strip().rstrip('.')}; {_range(option.type)}."
    default = default.strip().rstrip("]") or extra.get("default", "")
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    variable = f"`{option.envvar}`" if option.envvar else ""
    cells = (f"{names} {_value(option, context)}".strip(), text.strip(), default, variable)
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _value(option: click.Option, context: click.Context) -> str:
    """What the option takes: its choices, or the name of the value."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return "or ".join(f"`{choice}` " for choice in option.type.choices).rstrip()
    if isinstance(option.type, click.IntRange) and option.metavar is None:
        return "`N`"
    return " or ".join(f"`{word}`" for word in option.make_metavar(context).split("|"))


def _range(bounds: click.IntRange | click.FloatRange) -> str:
    words = [] if bounds.min is None else [f"from {bounds.min}"]
    return " ".join(words if bounds.max is None else [*words, f"up to {bounds.max}"])


def _long(option: click.Parameter) -> str:
    return next((name for name in option.opts if name.startswith("--")), option.opts[0])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def _blocks(text: str) -> list[str]:
    """The paragraphs of a help text."""
    return [block.strip("\n") for block in re.split(r"\n\s*\n", cleandoc(text)) if block.strip()]


def _block(block: str) -> str:
    """A paragraph as Markdown: examples as shell, other preformatted text as text."""
    lines = block.split("\n")
    if lines[0].strip() != "\b":
        return block + "\n"
    title, *rest = lines[1:]
    if title.startswith("Examples:"):
        return f"```sh\n{_dedented(rest)}\n```\n"
    if title.endswith(":"):
        return f"{title}\n\n```text\n{_dedented(rest)}\n```\n"
    return f"```text\n{_dedented(lines[1:])}\n```\n"


def _dedented(lines: list[str]) -> str:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines)


def run(verb: str) -> int:
    """Check or write the page; the exit code."""
    path, new = ROOT / PAGE, page()
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    if verb == "write":
        path.write_text(new, encoding="utf-8")
        return 0
    sys.stdout.writelines(unified_diff(old.splitlines(True), new.splitlines(True), PAGE, "code"))
    if old == new:
        return 0
    print(f"{PAGE} is out of date. Run: python tools/write_cli_reference.py write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    if sys.argv[1:] not in (["check"], ["write"]):
        sys.exit("usage: python tools/write_cli_reference.py check|write")
    sys.exit(run(sys.argv[1]))
