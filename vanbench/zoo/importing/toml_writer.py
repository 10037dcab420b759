"""A zoo file as text, from drafts of its models; what the source does not say is in comments."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from vanbench.outside.safe_text import for_terminal, is_plain
from vanbench.zoo.entries import Counting, EvaluationProtocol
from vanbench.zoo.importing.drafts import Draft
from vanbench.zoo.importing.source import Source
from vanbench.zoo.names import is_zoo_name
from vanbench.zoo.toml_table import LONGEST_TEXT

HEAD = """\
# Written by `vanbench zoo import`. The figures are text, exactly as the source has them.
# docs/zoo.md explains each key. `vanbench zoo check FILE` says what is missing.
"""

UNSAID = """\
# What the source does not say, and what applies then. Correct it where it is wrong: take the "# "
# away and change the value.
#
# LayerNorm's epsilon, which no checkpoint stores. Default: that of the code that uses the naming of
# the file's tensors (OpenMMLab 1e-5, the authors and Hugging Face 1e-6).
# layer_norm_eps = 1e-5
#
# Over how many images Top-1 and Top-5 are claimed. Default with the classes of ImageNet-1k:
# images = 50_000
#
# How the source counted: the convention of its FLOPs, the side of the input in pixels, and the
# width of the head in its parameters.{resolution}
"""

PROTOCOL = """\

# How an image becomes the input: short edge, filter, crop, mean and std on the 0–255 scale, and
# the classes. Default: that of OpenMMLab's VAN, which is
# [protocol]
"""

ERRATA = """\

# If a figure is a misprint, say so in a table [models."NAME".erratum], see docs/zoo.md.
"""


def zoo_toml(source: Source, name: str, models: Sequence[Draft], left_out: Sequence[str]) -> str:
    """The text of a zoo file with these models."""
    resolution = _common_resolution(models)
    title = source.title if is_plain(source.title) else ""
    parts = [
        HEAD,
        f"\nschema = 1\nname = {quoted(name)}\ntitle = {quoted(title[:200] or name)}\n",
        f"source = {quoted(source.where)}\n",
        f"citation = {_multiline(source.citation)}\n" if source.citation else "",
        "\n",
        UNSAID.format(resolution=" The table gives the side." if resolution else " Default:"),
        _counting(resolution),
        PROTOCOL,
        *(f"# {line}\n" for line in _protocol_lines()),
        ERRATA,
        *(f"\n{''.join(_model_lines(draft, resolution))}" for draft in models),
        _left_out(left_out),
    ]
    return "".join(parts)


def zoo_name(title: str) -> str:
    """A name for the zoo from a title or the name of a file.

    >>> zoo_name("Visual Attention Network")
    'visual-attention-network'
    """
    name = re.sub(r"[^a-z0-9_]+", "-", title.lower()).strip("-")[:60]
    return name if is_zoo_name(name) else "imported"


def quoted(text: str) -> str:
    """A TOML string of one line.

    >>> quoted('a "quoted" name')
    '"a \\\\"quoted\\\\" name"'
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _multiline(text: str) -> str:
    inner = quoted(text)[1:-1].replace("\\n", "\n")
    return f'"""\n{inner.rstrip()}\n"""'


def _common_resolution(models: Sequence[Draft]) -> int:
    """The input's side that most models have; 0 if the source does not say."""
    sides = Counter(draft.model.resolution for draft in models if draft.model.resolution)
    return max(sides, key=lambda side: sides[side]) if sides else 0


def _counting(resolution: int) -> str:
    default = Counting()
    side = resolution or default.resolution
    line = (
        f'counting = {{ convention = "{default.convention}", resolution = {side}, '
        f"num_classes = {default.num_classes} }}\n"
    )
    return line if resolution else f"# {line}"


def _protocol_lines() -> Iterator[str]:
    default = EvaluationProtocol()
    yield f"exif_orientation = {str(default.exif_orientation).lower()}"
    yield f"resize_short_edge = {default.resize_short_edge}"
    yield f'interpolation = "{default.interpolation}"'
    yield f"center_crop = {default.center_crop}"
    yield f"mean = {list(default.mean)}"
    yield f"std = {list(default.std)}"
    yield f'classes = "{default.classes}"'


def _model_lines(draft: Draft, resolution: int) -> Iterator[str]:
    model = draft.model
    yield f"[models.{quoted(draft.name)}]\n"
    if draft.alias:
        yield f"aliases = [{quoted(draft.alias)}]\n"
    yield f'architecture = "{draft.architecture}"\n'
    for key in ("pretrain", "config", "note"):
        text = getattr(model, key)
        if text and is_plain(text) and len(text) <= LONGEST_TEXT:
            yield f"{key} = {quoted(text)}\n"
    if model.resolution not in (0, resolution):
        yield f"counting = {{ resolution = {model.resolution} }}\n"
    yield f"url = {quoted(model.url)}\n"
    if model.figures:
        figures = ", ".join(f"{key} = {quoted(text)}" for key, text in model.figures.items())
        yield f"reported = {{ {figures} }}\n"


def _left_out(names: Sequence[str]) -> str:
    if not names:
        return ""
    lines = "".join(f"#   {for_terminal(name, most=100)}\n" for name in names)
    return f"\n# Left out, because the source has no checkpoint of them:\n{lines}"
