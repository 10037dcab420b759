"""Several processes share a pass: the same counts and predictions as one, whatever happens."""

import os
import random
import shutil
import signal
import time
from dataclasses import replace

import pytest
import torch

from tests.support.arranged import checkpoint
from tests.support.drawing import jpeg
from tests.support.models import randomized
from tests.support.ranks import Ranks, on_ranks
from tests.support.runs import CLASSES, PROTOCOL, counts
from vanbench import distributed
from vanbench.checkpoints.load import open_checkpoint
from vanbench.errors import DataError, DeviceError, ProcessError
from vanbench.evaluation import sharing
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.evaluation.validate import validate_candidates
from vanbench.prediction_store.store import FILE, Store
from vanbench.progress import silent
from vanbench.runtimes.names import OPTIMIZED, REFERENCE

SEVERAL = (2, 3, 4)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory):
    """Two tiny models in files, as a command opens them."""
    folder, found = tmp_path_factory.mktemp("models"), []
    for seed, name in enumerate("ab"):
        path = folder / f"{name}.pth"
        path.write_bytes(checkpoint(randomized(seed=seed)))
        found.append(Candidate(name, PROTOCOL, lambda path=path: open_checkpoint(path)))
    return found


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Folders with so many images, whose labels mean nothing."""
    made = {}

    def draw(total):
        if total not in made:
            made[total] = tmp_path_factory.mktemp(f"images-{total}")
            for number in range(total):
                folder = made[total] / CLASSES[number % len(CLASSES)]
                folder.mkdir(exist_ok=True)
                (folder / f"{number:04d}.jpg").write_bytes(jpeg(number))
        return made[total]

    return draw


def validated(candidates, data, options):
    """A function for ranks: counts and failures in the first process, nothing in the others."""

    def run(team):
        passes, errors = validate_candidates(candidates, data, replace(options, team=team))
        found = next(iter(passes.values()), None)
        return (counts(found), found.times) if found else {n: str(e) for n, e in errors.items()}

    return run


def stored(path):
    """The predictions of each run by the SHA-256 of the image."""
    with Store(path) as store:
        hashes = store.hashes()
        return {
            run.model: {hashes[image]: p for image, p in store.read(run.id).items()}
            for run in store.runs()
        }


def assert_same(found, expected):
    """The same images, classes and their order, and logits but for rounding."""
    assert found.keys() == expected.keys()
    for name, predictions in expected.items():
        assert found[name].keys() == predictions.keys()
        for image, prediction in predictions.items():
            assert found[name][image].top == prediction.top
            assert found[name][image].logits == pytest.approx(prediction.logits, rel=1e-4, abs=1e-5)


@pytest.fixture
def options(tmp_path):
    return RunOptions(
        device="cpu", runtime=REFERENCE, batch_size=8, workers=0, store=tmp_path / FILE
    )


@pytest.fixture
def alone(candidates, options, tmp_path):
    """Counts and predictions of one process."""

    def run(data):
        how = replace(options, store=tmp_path / "alone.sqlite")
        passes, errors = validate_candidates(candidates, data, how)
        assert not errors
        return counts(passes["a"]), stored(how.store)

    return run


@pytest.mark.parametrize("total", [1, 7, 101, pytest.param(997, marks=pytest.mark.slow)])
def test_any_number_of_processes_gives_the_same(total, candidates, drawn, options, alone, tmp_path):
    data = drawn(total)
    expected, predictions = alone(data)
    for size in SEVERAL:
        how = replace(options, store=tmp_path / f"{size}.sqlite")
        (found, times), *others = on_ranks(size, validated(candidates, data, how))
        assert others == [{}] * (size - 1)
        assert found == expected
        assert len(times) == size
        assert_same(stored(how.store), predictions)


def test_the_rewrite_with_workers_in_two_processes(candidates, drawn, options, alone):
    data = drawn(101)
    expected, predictions = alone(data)
    how = replace(options, runtime=OPTIMIZED, workers=1)
    (found, _), _ = on_ranks(2, validated(candidates, data, how))
    assert found == expected
    assert {name: {i: p.top for i, p in of.items()} for name, of in stored(how.store).items()} == {
        name: {i: p.top for i, p in of.items()} for name, of in predictions.items()
    }


def test_what_is_stored_is_not_computed_again(candidates, drawn, options, alone):
    data = drawn(101)
    expected, _ = alone(data)
    on_ranks(2, validated(candidates, data, replace(options, limit=40)))
    (found, times), *_ = on_ranks(3, validated(candidates, data, options))
    assert found == expected
    (found, times), *_ = on_ranks(3, validated(candidates, data, options))
    assert found == expected
    assert all(spent.forward == 0 for spent in times)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_process_loses_nothing_that_was_stored(kills, candidates, drawn, options, alone):
    """The launcher ends the others then; the same command goes on, in any number of processes."""
    data, rng = drawn(101), random.Random(kills)
    expected, predictions = alone(data)
    how = replace(options, batch_size=2)
    in_the_middle = 0
    for _ in range(kills):
        size = rng.choice(SEVERAL)
        ranks = Ranks(size, validated(candidates, data, how))
        victim = ranks.processes[rng.randrange(size)]
        victim.join(rng.uniform(0.05, 0.3))
        if victim.is_alive():
            os.killpg(victim.pid, signal.SIGKILL)
        victim.join()
        for process in ranks.processes:
            process.join(0.2 if victim.exitcode else None)
            if process.is_alive():
                os.killpg(process.pid, signal.SIGKILL)
            process.join()
        if how.store.exists():
            done = {name: len(of) for name, of in stored(how.store).items()}
            assert len(set(done.values())) <= 1, "a batch is stored for all models or for none"
            in_the_middle += 0 < next(iter(done.values()), 0) < 101
    assert in_the_middle or kills < 20, "no process was killed in the middle"
    passes, _ = validate_candidates(candidates, data, replace(how, batch_size=5))
    assert counts(passes["a"]) == expected
    assert_same(stored(how.store), predictions)


def test_a_slow_process_gets_less_to_do(candidates, drawn, options, monkeypatch):
    """What a process predicts is seen in the images that it claims."""
    data, claimed = drawn(101), {}

    def run(team):
        claim = team.claim

        def slowed(name, indices, most):
            for piece in claim(name, indices, most):
                claimed[team.here.rank] = claimed.get(team.here.rank, 0) + len(piece)
                time.sleep(0.05 * len(piece) if team.here.rank == 1 else 0)
                yield piece

        monkeypatch.setattr(team, "claim", slowed)
        validated(candidates, data, options)(team)
        return claimed

    first, second = on_ranks(2, run)
    assert first[0] + second[1] == 101
    assert second[1] < 0.4 * 101


def test_an_image_that_changes_for_one_process_ends_the_run_of_all(candidates, drawn, options):
    """Each process checks the bytes of the images that it decodes."""
    data = drawn(101)

    def run(team):
        if team.here.rank == 1:
            content = sharing.Computation.batches

            def spoiled(self, name, work, models):
                self.content.update(dict.fromkeys(self.content, "00" * 32))
                return content(self, name, work, models)

            sharing.Computation.batches = spoiled
        return validated(candidates, data, options)(team)

    first, second = on_ranks(2, run)
    assert second == {}
    assert set(first) == {"a", "b"}
    assert all("changed after it was checked" in error for error in first.values())


def test_a_file_that_one_process_cannot_open_is_a_failure_of_its_model(candidates, drawn, options):
    def run(team):
        def fail():
            raise DataError("no such file")

        broken = replace(candidates[1], open=fail) if team.here.rank == 1 else candidates[1]
        passes, errors = validate_candidates(
            [candidates[0], broken], drawn(7), replace(options, team=team)
        )
        return list(passes), {name: str(error) for name, error in errors.items()}

    (first, errors), (_, others) = on_ranks(2, run)
    assert first == ["a"]
    assert errors == others == {"b": "no such file (in the process of rank 1)."}


def test_another_node_with_other_images_is_refused(candidates, drawn, options, tmp_path):
    data = tmp_path / "other"
    shutil.copytree(drawn(7), data)
    next(data.rglob("0003.jpg")).write_bytes(jpeg(99))

    def run(team):
        here = drawn(7) if team.here.is_first else data
        _, errors = validate_candidates(candidates, here, replace(options, team=team))
        return errors["a"]

    for error in on_ranks(2, run, local_size=1):
        assert isinstance(error, DataError)
        assert "the images that rank 1 finds here are not those of rank 0" in str(error)


def test_another_processor_is_refused(candidates, drawn, options, monkeypatch):
    """Its predictions would have another key."""

    def run(team):
        if team.here.rank == 1:
            monkeypatch.setattr("vanbench.environment.cpu_name", lambda: "Another CPU")
        _, errors = validate_candidates(candidates, drawn(7), replace(options, team=team))
        return errors["a"]

    for error in on_ranks(2, run):
        assert isinstance(error, DeviceError)
        assert "rank 1 computes otherwise than rank 0: cpu is Another CPU, not" in str(error)


def test_a_process_that_ends_on_another_machine_ends_the_run(
    candidates, drawn, options, monkeypatch
):
    """No launcher here notices it."""
    monkeypatch.setattr(distributed, "BEAT", 0.05)
    monkeypatch.setattr(distributed, "SILENT", 1.0)

    def run(team):
        team.show_life()
        if team.here.rank == 1:
            claim = team.claim

            def claim_and_end(name, indices, most):
                yield next(claim(name, indices, most))
                os.kill(os.getpid(), signal.SIGKILL)

            monkeypatch.setattr(team, "claim", claim_and_end)
        return validated(candidates, drawn(101), replace(options, batch_size=2))(team)

    ranks = Ranks(3, run, local_size=1)
    first = ranks.pipes[0][0].recv()
    third = ranks.pipes[2][0].recv()
    assert set(first) == {"a", "b"}
    for text in first.values():
        assert text.startswith("the process of rank 1 has given no sign of life for 1 s.")
    assert third == {} or isinstance(third, ProcessError)  # whether it waits for rank 0 or rank 1
    done = {name: len(found) for name, found in stored(options.store).items()}
    assert done["a"] == done["b"] > 0


def test_threads_are_shared_among_the_processes_of_a_machine(candidates, drawn, options):
    def run(team):
        found = set()

        def display(label, unit):
            found.add(torch.get_num_threads())
            return silent(label, unit)

        validate_candidates(candidates, drawn(1), replace(options, team=team), display)
        return found

    assert on_ranks(4, run) == [{max(1, len(os.sched_getaffinity(0)) // 4)}] * 4
