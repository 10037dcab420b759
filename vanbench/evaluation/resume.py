"""What is done and what is left of a validation: images, models and the stored predictions.

A pass asks what is missing, stores each batch as it comes, and takes the final counts from what is
stored, so that an interrupted pass resumes. Several processes may work on the same runs at the same
time: each stores what is not there yet, and asks again until nothing is missing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vanbench.data.inspect import DataReport
from vanbench.data.layouts.images import ImageSet
from vanbench.evaluation.predict import BatchPredictions
from vanbench.prediction_store.prediction import Prediction, Tally
from vanbench.prediction_store.schema import Member
from vanbench.prediction_store.store import RunKey, Store


@dataclass(frozen=True)
class Work:
    """Images that the same models still have to see, in the order in which to read them."""

    models: tuple[str, ...]
    indices: list[int]


@dataclass(frozen=True)
class State:
    """What was stored of some models at one moment: the counts, and the images that are missing.

    ``choices`` has the first choices of each model by the SHA-256 of an image; none for one that
    cannot be read. What is said of a model comes from one read, so that it belongs together.
    """

    tallies: Mapping[str, Tally]
    missing: Mapping[str, Sequence[int]]
    choices: Mapping[str, Mapping[bytes, tuple[int, ...]]]

    @property
    def complete(self) -> bool:
        """Whether no model misses an image."""
        return not any(self.missing.values())


class StoredRuns:
    """The images at ``indices``, and the predictions of some models for them."""

    def __init__(
        self,
        store: Store,
        images: ImageSet,
        report: DataReport,
        indices: Sequence[int],
        keys: Mapping[str, RunKey],
        today: str,
    ):
        assert len(set(indices)) == len(indices), "an image is listed twice"
        self.store, self.images, self.indices = store, images, indices
        self.unreadable: dict[int, str] = {}
        self._sha256 = {i: bytes.fromhex(sha256) for i, sha256 in report.content.items()}
        self._image = store.image_ids(
            {i: report.content[i] for i in indices if i in report.content}
        )
        self._runs = {name: store.run(name, key, today) for name, key in keys.items()}
        self._remember(report)

    def _remember(self, report: DataReport) -> None:
        """Store which images, under which labels and names, the runs are applied to."""
        members = [
            Member(self._image[i], self.images.labels[i], self.images.names[i])
            for i in self.indices
            if i in self._image
        ]
        data = self.store.remember_set(report.fingerprint, self.images.class_ids, members)
        for run in self._runs.values():
            self.store.remember_evaluation(run, data)

    def forget(self) -> None:
        """Delete what is stored of these runs for these images, so that it is computed again."""
        for run in self._runs.values():
            self.store.forget(run, self._image.values())

    def state(self, names: Iterable[str]) -> State:
        """What is stored of these models now. Unreadable images count as wrong."""
        tallies: dict[str, Tally] = {}
        missing: dict[str, list[int]] = {}
        choices: dict[str, dict[bytes, tuple[int, ...]]] = {}
        for name in names:
            tops = self._tops(name)
            missing[name] = [index for index in self.indices if index not in tops]
            tallies[name] = Tally.of((self.images.labels[i], top) for i, top in tops.items())
            choices[name] = {self._sha256[i]: top for i, top in tops.items() if i in self._sha256}
        return State(tallies, missing, choices)

    def labelled(self) -> list[tuple[str | None, int]]:
        """The SHA-256 of each image, None if its bytes could not be read, and its label."""
        labels = self.images.labels
        sha256 = {index: content.hex() for index, content in self._sha256.items()}
        return [(sha256.get(index), labels[index]) for index in self.indices]

    def tally_of(self, name: str, labels: Mapping[int, Collection[int]]) -> Tally:
        """What is stored of a model, counted by other labels; an image may have several."""
        tops = self._tops(name)
        return Tally.of_any((right, tops[index]) for index, right in labels.items())

    def _tops(self, name: str) -> dict[int, tuple[int, ...]]:
        """The classes that are stored by image, best first; none for one that is unreadable."""
        stored = self.store.read(self._runs[name], classes=len(self.images.class_ids))
        tops: dict[int, tuple[int, ...]] = {}
        for index in self.indices:
            prediction = stored.get(self._image.get(index, -1))
            if prediction is not None:
                tops[index] = prediction.top
            elif index in self.unreadable:
                tops[index] = ()
        return tops

    def work(self, state: State) -> list[Work]:
        """What is left to do: one piece for all models, or several where they differ."""
        models: dict[int, tuple[str, ...]] = {}
        for name, indices in state.missing.items():
            for index in indices:
                models[index] = (*models.get(index, ()), name)
        left: dict[tuple[str, ...], list[int]] = {}
        for index in sorted(models):
            left.setdefault(models[index], []).append(index)
        return [Work(names, self.images.storage_order(some)) for names, some in left.items()]

    def add(self, batch: BatchPredictions, names: Iterable[str]) -> dict[str, Tally]:
        """Store what these models predicted for a batch; its counts.

        An unreadable image has no prediction to store; it is remembered, and counts as wrong.
        """
        self.unreadable |= batch.unreadable
        rows, tallies = [], {}
        for name in names:
            answers = []
            pairs = zip(batch.top[name].tolist(), batch.logits[name].tolist(), strict=True)
            for index, (top, logits) in zip(batch.indices, pairs, strict=True):
                prediction = Prediction(tuple(top), tuple(logits))
                answers.append((self.images.labels[index], prediction.top))
                if index not in batch.unreadable:
                    rows.append((self._runs[name], self._image[index], prediction))
            tallies[name] = Tally.of(answers)
        self.store.add(rows)
        return tallies
