"""What a validation found: integer counts with what they were measured on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from vanbench.data.summary import OFFICIAL, CacheUse, DataSummary
from vanbench.environment import today
from vanbench.errors import CheckpointError, FetchError, InternalError, VanbenchError, error_json
from vanbench.evaluation.result_json import (
    ClaimJson,
    ClaimsJson,
    RealJson,
    UsedData,
    ValidatedModel,
)
from vanbench.evaluation.time_spent import in_words
from vanbench.intervals import wilson_interval
from vanbench.prediction_store.prediction import Tally
from vanbench.prediction_store.store import RunKey
from vanbench.progress import counted, in_number
from vanbench.report.records import (
    Accuracy,
    Calibration,
    Forward,
    Numerics,
    Times,
    ValidationEnvironment,
)
from vanbench.report.row_json import DifferenceJson, calibration_json, difference_json
from vanbench.report.rows import Figure, ModelRow
from vanbench.report.verdicts import NOT_MEASURED
from vanbench.typed_json import to_json
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.entries import EvaluationProtocol
from vanbench.zoo.other_sets import REAL, title_of

MEASURED = "measured"


@dataclass(frozen=True)
class RealScore:
    """The tally of every model by the labels of ReaL, and the images that have such labels."""

    data: DataSummary
    tallies: Mapping[str, Tally]


@dataclass(frozen=True)
class ValidationResult:
    """What one pass found: a tally or a reason for every model, and what it was measured on.

    ``seconds`` is the wall time of the pass, ``times`` where that of each process went, by rank,
    ``computed`` how many images went through a model; the predictions for the others were stored
    before. ``batch_sizes`` has how many images at once each model computed in the end. ``weights``
    has the kind of each model's weights, ``plain`` or ``ema``, ``sha256`` its file's hash, and
    ``keys`` under which its predictions are stored. ``hint`` is what would make the pass faster,
    empty where nothing is known. ``labelled`` has the SHA-256 of each image (None: its bytes could
    not be read) with its label, ``choices`` the first choices of each model by an image's SHA-256.
    ``cache`` is how the cache of decoded images was used; None without one. ``real`` has the counts
    by ReaL's labels; None without these. ``numerics_by_model`` is how logits were computed,
    ``forward`` how long each model took.
    """

    tallies: Mapping[str, Tally]
    failures: Mapping[str, VanbenchError]
    protocol: EvaluationProtocol
    data: DataSummary
    numerics_by_model: Mapping[str, Numerics]
    environment: ValidationEnvironment
    seconds: float
    times: tuple[Times, ...]
    batch_sizes: Mapping[str, int]
    computed: int
    weights: Mapping[str, str]
    sha256: Mapping[str, str]
    hint: str
    keys: Mapping[str, RunKey]
    labelled: Sequence[tuple[str | None, int]]
    choices: Mapping[str, Mapping[bytes, tuple[int, ...]]]
    cache: CacheUse | None = None
    real: RealScore | None = None
    forward: Mapping[str, Forward] = field(default_factory=dict)

    @property
    def numerics(self) -> Numerics:
        """How the logits of the first model were computed; all models have its precision."""
        return next(iter(self.numerics_by_model.values()))

    @property
    def waited(self) -> float:
        """Seconds in which the models waited for images, on average over the processes."""
        return sum(times.wait for times in self.times) / len(self.times)

    def accuracy(self, name: str) -> Accuracy:
        """What a record has of one model."""
        tally = self.tallies[name]
        return Accuracy(
            sha256=self.sha256[name],
            images=tally.images,
            correct1=tally.correct1,
            correct5=tally.correct5,
            data=self.data,
            protocol=self.protocol,
            numerics=self.numerics_by_model[name],
            seconds=self.seconds,
            waited=self.waited,
            date=today(),
            environment=self.environment,
            weights=self.weights[name],
            batch_size=self.batch_sizes[name],
            processes=self.times,
            forward=self.forward.get(name),
        )

    def real_accuracy(self, name: str) -> Accuracy | None:
        """What a record has of one model over ReaL; None without its labels."""
        if self.real is None:
            return None
        tally = self.real.tallies[name]
        return replace(
            self.accuracy(name),
            images=tally.images,
            correct1=tally.correct1,
            correct5=tally.correct5,
            data=self.real.data,
        )

    @property
    def images_per_s(self) -> float | None:
        """Images per second of the pass, through all its models; None if all was stored before."""
        return self.computed / self.seconds if self.computed else None

    @property
    def partial(self) -> bool:
        """Whether not all images of the set were used, or it is not ImageNet-1k's official one.

        The second applies to the classes of ImageNet-1k only.
        """
        imagenet = self.protocol.class_ids == imagenet_1k()
        return self.data.used < self.data.total or (imagenet and self.data.verdict != OFFICIAL)

    def data_json(self) -> UsedData:
        """The set and the protocol, for JSON."""
        more = {"protocol": to_json(self.protocol), "partial": self.partial}
        return cast(UsedData, {**to_json(self.data), **more})

    def describe(self) -> str:
        """Lines for people: the set with its protocol, warnings, and where the time went."""
        used, total = self.data.used, self.data.total
        part = f"{used:,} of {total:,} images" if used < total else counted(used, "image")
        of = f" of {title_of(self.data.other_set)}" if self.data.other_set else ""
        lines = [
            f"{part}{of}{' (partial)' if self.partial else ''}, {self.data.layout}, "
            f"{self.data.verdict}; {self.protocol.describe()}."
        ]
        faults = [problem for problem in self.data.problems if problem.fault]
        lines += [f"Fault in the data: {problem}." for problem in faults]
        if self.data.unreadable:
            text = "{n} unreadable {image counts|images count} as wrong."
            lines.append(in_number(len(self.data.unreadable), text))
        if self.real:
            lines.append("Also counted by the labels of ImageNet-ReaL.")
        if not self.environment.decoder.ok:
            lines.append(f"Warning: {self.environment.decoder.summary}.")
        if calibration := self.numerics.calibration:
            lines.append(_describe_calibration(calibration))
        if self.cache is not None and self.computed:
            lines.append(self._describe_cache(self.cache))
        return "\n".join([*lines, self._describe_time()])

    def _describe_cache(self, cache: CacheUse) -> str:
        damaged = f" (damaged there: {cache.damaged:,})" if cache.damaged else ""
        came = f"{cache.read:,} of {self.computed:,} images came"
        return f"{came} from the cache of decoded images{damaged}."

    def _describe_time(self) -> str:
        stored = max(0, self.data.used - self.computed)  # some may be computed twice
        text = "{n} {image was|images were} predicted before and not computed again. "
        before = in_number(stored, text)
        if not self.computed:
            return before + "Use --fresh to compute them again."
        count = len(self.times)
        used = [self.numerics_by_model[name] for name in self.tallies]
        runtimes = dict.fromkeys(each.runtime for each in used)
        processes = f" in {count} processes" if count > 1 else ""
        return (
            f"{before if stored else ''}{self.images_per_s:.1f} images/s on "
            f"{self.environment.device}{processes}, {used[0].precision}, "
            f"{' and '.join(runtimes)} model: "
            f"{in_words(self.times, self.seconds)}. {self.hint}"
        ).rstrip()

    def as_json(self, name: str, row: ModelRow | None = None) -> ValidatedModel:
        """The form of ``validate --json`` for one model; ``ci95`` is Top-1's.

        ``row`` has the figures as judged against the claims of a zoo.
        """
        tally = self.tallies[name]
        return {
            "name": name,
            "status": MEASURED,
            "reason": None,
            "error": None,
            "images": tally.images,
            "correct1": tally.correct1,
            "correct5": tally.correct5,
            "top1": tally.top1,
            "top5": tally.top5,
            "ci95": list(wilson_interval(tally.correct1, tally.images)),
            "ci95_top5": list(wilson_interval(tally.correct5, tally.images)),
            "images_per_s": self.images_per_s,
            "partial": self.partial,
            "weights": self.weights[name],
            "runtime": self.numerics_by_model[name].runtime,
            "precision": self.numerics_by_model[name].precision,
            "calibration": calibration_json(self.numerics_by_model[name].calibration),
            "differs_from_fp32": _difference(row),
            "claims": None if row is None else _claims_json(row, self.data.other_set),
            "real": self._real_json(name, row),
        }

    def _real_json(self, name: str, row: ModelRow | None) -> RealJson | None:
        if self.real is None:
            return None
        tally, data = self.real.tallies[name], self.real.data
        return {
            "images": tally.images,
            "correct1": tally.correct1,
            "correct5": tally.correct5,
            "top1": tally.top1,
            "top5": tally.top5,
            "ci95": list(wilson_interval(tally.correct1, tally.images)),
            "ci95_top5": list(wilson_interval(tally.correct5, tally.images)),
            "partial": data.used < data.total or data.verdict != OFFICIAL,
            "claims": None if row is None else _claims_json(row, REAL),
        }


def _difference(row: ModelRow | None) -> DifferenceJson | None:
    accuracies = (row.record.other_precisions or {}).values() if row else ()
    found = next((each.differs_from_fp32 for each in accuracies), None)
    return None if found is None else difference_json(found)


def _describe_calibration(calibration: Calibration) -> str:
    text = f"{calibration.text[0].upper()}{calibration.text[1:]}"
    left_out = {
        "that {is|are} in the validation set": calibration.in_validation_set,
        "that cannot be read": calibration.unreadable,
    }
    words = [in_number(n, f"{{n}} {what}") for what, n in left_out.items() if n]
    return f"{text}; left out: {', '.join(words)}." if words else f"{text}."


def _claims_json(row: ModelRow, other_set: str | None) -> ClaimsJson:
    over = row.over(other_set)
    return {"top1": _claim_json(over.top1), "top5": _claim_json(over.top5)}


def _claim_json(figure: Figure) -> ClaimJson:
    return {
        "reported": None if figure.reported is None else float(figure.reported.value),
        "reported_text": None if figure.reported is None else figure.reported.text,
        "delta": None if figure.delta is None else float(figure.delta),
        "verdict": figure.verdict,
        "reason": figure.reason,
    }


def not_measured_json(name: str, error: VanbenchError) -> ValidatedModel:
    """The form of ``validate --json`` for a model that failed: why, and None for each figure."""
    own = (FetchError, CheckpointError, InternalError)
    status = error.status if isinstance(error, own) else NOT_MEASURED
    failed = {"name": name, "status": status, "reason": str(error), "error": error_json(error)}
    return cast(ValidatedModel, dict.fromkeys(ValidatedModel.__annotations__) | failed)
