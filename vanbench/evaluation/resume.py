"""What is done and what is left of a validation: images, models and the stored predictions.

A pass asks for its work, stores each batch as it comes, and takes the final counts from what is
stored, so that an interrupted pass resumes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vanbench.data.inspect import DataReport
from vanbench.data.layouts.images import ImageSet
from vanbench.errors import RecordError
from vanbench.evaluation.predict import BatchPredictions
from vanbench.evaluation.result import Tally
from vanbench.prediction_store.store import Member, Prediction, RunKey, Store


@dataclass(frozen=True)
class Work:
    """Images that the same models still have to see, in the order in which to read them."""

    models: tuple[str, ...]
    indices: list[int]


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
        """Delete what is stored of these runs, so that all of it is computed again."""
        for run in self._runs.values():
            self.store.forget(run)

    def work(self) -> list[Work]:
        """What is left to do: one piece for all models, or several where they differ."""
        done = {name: self.store.predicted(run) for name, run in self._runs.items()}
        left: dict[tuple[str, ...], list[int]] = {}
        for index in self.indices:
            image = self._image.get(index)
            names = tuple(name for name in self._runs if image not in done[name])
            if names:
                left.setdefault(names, []).append(index)
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

    def stored_tally(self, name: str) -> Tally:
        """The counts of what is stored of one model so far."""
        return Tally.of(self._answers(name))

    def final_tally(self, name: str) -> Tally:
        """The counts of one model over all images, unreadable ones as wrong.

        Raises RecordError where an image has no prediction.
        """
        tally = Tally.of(self._answers(name))
        if tally.images != len(self.indices):
            raise RecordError(
                f"expected a prediction of {name} for each of {len(self.indices):,} images, "
                f"found {tally.images:,}",
                where=self.store.path,
                remedy="Another process may have deleted some. Run the command again.",
            )
        return tally

    def _answers(self, name: str) -> Iterator[tuple[int, tuple[int, ...]]]:
        """(label, classes best first) of each image that is stored or unreadable."""
        stored = self.store.read(self._runs[name])
        for index in self.indices:
            prediction = stored.get(self._image.get(index, -1))
            if prediction is not None:
                yield self.images.labels[index], prediction.top
            elif index in self.unreadable:
                yield self.images.labels[index], ()
