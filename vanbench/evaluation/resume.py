"""What is done and what is left of a validation: images, models and the stored predictions.

A pass asks the ledger for its work, enters each batch as it comes, and takes the final counts from
what is stored, so that a pass that was cut off goes on where it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vanbench.data.inspect import DataReport
from vanbench.data.open import ImageSet
from vanbench.evaluation.predict import Predictions, Tally
from vanbench.prediction_store.store import Member, Prediction, RunKey, Store


@dataclass(frozen=True)
class Work:
    """Images that the same models still have to see, in the order in which to read them."""

    models: tuple[str, ...]
    indices: list[int]


class Ledger:
    """The images at ``indices`` and the runs of some models over them."""

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
        """Write down which images, under which labels and names, the runs are applied to."""
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

    def add(self, batch: Predictions, names: Iterable[str]) -> None:
        """Store what these models said about a batch, and remember what was unreadable."""
        self.unreadable |= batch.unreadable
        rows = []
        for name in names:
            top, logits = batch.top[name].tolist(), batch.logits[name].tolist()
            for position, index in enumerate(batch.indices):
                if index not in batch.unreadable:
                    prediction = Prediction(tuple(top[position]), tuple(logits[position]))
                    rows.append((self._runs[name], self._image[index], prediction))
        self.store.add(rows)

    def tally(self, name: str, *, whole: bool = True) -> Tally:
        """The counts of one model from what is stored, each image once; unreadable ones are wrong.

        ``whole`` asserts that no image is without a prediction.
        """
        stored = self.store.read(self._runs[name])
        tally = Tally()
        for index in self.indices:
            prediction = stored.get(self._image.get(index, -1))
            if prediction is None and index not in self.unreadable:
                assert not whole, f"no prediction for {self.images.names[index]}"
                continue
            top = prediction.top if prediction else ()
            label = self.images.labels[index]
            tally.images += 1
            tally.correct1 += label in top[:1]
            tally.correct5 += label in top[:5]
            tally.seen.add(index)
        return tally
