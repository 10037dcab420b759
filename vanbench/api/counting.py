"""``vanbench.count``: parameters and FLOPs beside the reported ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vanbench.api.arguments import AnyPath, Models, check_number, open_zoo, selected
from vanbench.api.display import Cell, Displayed, View
from vanbench.api.document import document
from vanbench.api.frames import COUNT, NUMBER, TEXT, make_frame
from vanbench.conventions import TITLES
from vanbench.errors import VanbenchError
from vanbench.model.limits import SIDE, excess
from vanbench.report.count_json import count_json, not_counted_json
from vanbench.report.verdicts import NOT_MEASURED
from vanbench.typed_json import Json
from vanbench.zoo.each import for_each
from vanbench.zoo.entries import Entry

if TYPE_CHECKING:
    import pandas

    from vanbench.flops import Complexity

FRAME = {
    "resolution": COUNT,
    "params": COUNT,
    "params_backbone": COUNT,
    "flops_openmmlab": COUNT,
    "flops_torchvision": COUNT,
    "flops_fvcore": COUNT,
    "params_m_reported": NUMBER,
    "flops_g_reported": NUMBER,
    "flops_reported_resolution": COUNT,
    "misprint": TEXT,
}
"""The columns of ``to_frame()`` and their types; the index is the model's name.

``params`` is with the classification head, ``params_backbone`` without it. One multiply–add is one
FLOP in both conventions. ``misprint`` is why a reported number is known to be wrong.
"""


@dataclass(frozen=True, repr=False)
class Counted(Displayed):
    """Parameters and FLOPs of some models.

    ``counts`` has one ``Complexity`` for each model by name: ``params``, ``params_backbone``,
    ``flops`` by convention, ``by_operator``, ``by_module``. ``errors`` has why a model was not
    counted.
    """

    entries: tuple[Entry, ...]
    counts: "Mapping[str, Complexity]"
    errors: Mapping[str, VanbenchError]

    def to_frame(self) -> "pandas.DataFrame":
        """One row per model, by name: see ``FRAME``."""
        return make_frame(map(self._frame_row, self.entries), FRAME, "model")

    def to_json(self) -> Json:
        """The document of ``vanbench flops --json``."""
        models = [
            count_json(entry, self.counts[entry.name])
            if entry.name in self.counts
            else not_counted_json(entry, self.errors[entry.name])
            for entry in self.entries
        ]
        return document(models=models)

    def view(self) -> View:
        """A table, and the misprints."""
        total, counted = len(self.entries), len(self.counts)
        return View(
            title="Counted",
            sentence=f"{counted} of {total} model{'' if total == 1 else 's'}, one image each.",
            columns=[
                *("model", ">input", ">params, M", ">reported"),
                *(f">FLOPs, G ({TITLES[name]})" for name in self._conventions),
                ">reported",
            ],
            rows=[self._cells(entry) for entry in self.entries],
            notes=[*self._misprints(), *(f"{name}: {e}" for name, e in self.errors.items())],
        )

    def _frame_row(self, entry: Entry) -> dict[str, Any]:
        params, flops = entry.claims.params_m, entry.claims.flops_g
        row: dict[str, Any] = {
            "model": entry.name,
            "params_m_reported": None if params is None else float(params.value),
            "flops_g_reported": None if flops is None else float(flops.value),
            "flops_reported_resolution": entry.counting.resolution,
            "misprint": entry.erratum.reason if entry.erratum else None,
        }
        if counted := self.counts.get(entry.name):
            row |= {
                "resolution": counted.resolution,
                "params": counted.params,
                "params_backbone": counted.params_backbone,
                **{f"flops_{name}": total for name, total in counted.flops.items()},
            }
        return row

    @property
    def _conventions(self) -> list[str]:
        """The conventions that any of the models was counted under, fvcore's last."""
        counted = {name for complexity in self.counts.values() for name in complexity.flops}
        known = (name for name in TITLES if name in counted)
        return sorted(known, key=lambda name: name == "fvcore")

    def _cells(self, entry: Entry) -> list[str | Cell]:
        params, flops = (str(f or "–") for f in (entry.claims.params_m, entry.claims.flops_g))
        counted = self.counts.get(entry.name)
        if counted is None:
            empty = ["" for _ in self._conventions]
            return [entry.name, "", Cell(NOT_MEASURED, NOT_MEASURED), params, *empty, flops]
        millions = f"{counted.params / 1e6:.3f}"
        billions = [
            f"{counted.flops[name] / 1e9:.3f}" if name in counted.flops else "–"
            for name in self._conventions
        ]
        return [entry.name, str(counted.resolution), millions, params, *billions, flops]

    def _misprints(self) -> Iterator[str]:
        from vanbench.flops import count_from_shapes

        for entry in self.entries:
            counted, erratum = self.counts.get(entry.name), entry.erratum
            if counted and erratum:
                yield f"Misprint, {entry.name}: {erratum.reason}"
                if other := erratum.reported_architecture:
                    params, flops = count_from_shapes(other, counted.resolution)
                    yield (
                        f"With embed dims {' '.join(map(str, other.embed_dims))}: "
                        f"{params / 1e6:.2f} M parameters, {flops / 1e9:.2f} G FLOPs under "
                        f"{TITLES['openmmlab']}'s convention at {counted.resolution}."
                    )


def count(models: Models, *, zoo: AnyPath = "openmmlab", resolution: int | None = None) -> Counted:
    """Count parameters and FLOPs of models, and show the reported ones.

    The declared architectures are counted; no checkpoint is needed.

    Args:
        models: A name (``"van_b0"``), a pattern (``"van_b*"``), a list of these, or ``"all"``.
        zoo: The name of a shipped zoo (``openmmlab``, ``demo``) or the path of a TOML file.
        resolution: The side of the square input, in pixels. The default is the zoo's, for which
            the FLOPs were reported.

    Returns:
        A Counted object: exact integers for one image, under OpenMMLab's and fvcore's convention;
        for a model of torchvision, under torchvision's and fvcore's. One multiply–add is one FLOP
        in all of them.

    Raises:
        UnknownModelError, ZooError, ValueError, TypeError: An argument is wrong.

    >>> vanbench.count("van_b0").counts["van_b0.in1k"].params
    4105800
    """
    from vanbench.flops import count as count_architecture

    check_number("resolution", resolution, 32, SIDE)
    entries = selected(open_zoo(zoo), models)
    for entry in entries:
        if resolution and (why := excess(entry.architecture, resolution)):
            raise ValueError(f"resolution: {entry.name} is too large: {why}")

    def count_one(entry: Entry) -> "Complexity":
        return count_architecture(entry.architecture, resolution or entry.counting.resolution)

    counts, errors = for_each(entries, count_one)
    return Counted(entries, counts, errors)
