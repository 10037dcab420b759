"""docs/scaling.md: the model of a run's time, its measured parts, and the tables made of them."""

import json
import pickle
from dataclasses import asdict, replace

import pytest
from torch.distributed import HashStore

from benchmarks import parts as measuring
from benchmarks import scaling
from benchmarks.material import photographs
from benchmarks.scaling import Cluster, Parts, agreement_s, local, on_gpus
from tests.benchmark.test_figures import RESULTS
from tests.support.command_line import run
from vanbench.data.open import open_images
from vanbench.distributed import Processes, Team
from vanbench.evaluation.crops import PIECE, CropsOf, load
from vanbench.report import markers
from vanbench.zoo.class_ids import imagenet_1k
from vanbench.zoo.entries import EvaluationProtocol

PARTS = Parts(
    start=2.0,
    opening={"a": 1.0, "b": 3.0},
    launch=1.5,
    trial=0.5,
    counting={"a": 2.0, "b": 4.0},
    inspecting=0.001,
    decoding=0.004,
    cached=0.0005,
    forward={"a": 0.010, "b": 0.020},
    storing=0.0005,
    request=0.0001,
)
EACH = 0.001 + 0.004 + 0.030 + 2 * 0.0005  # of an image


@pytest.mark.parametrize(
    ("processes", "seconds", "core_s"),
    [
        (1, 6 + 6.5 + 1000 * EACH / 2, 6 + 6.5 + 1000 * EACH),
        (2, 1.5 + 6 + 6.5 + 1000 * EACH / 2, 1.5 + 12 + 6.5 + 1000 * EACH),
        (4, 1.5 + 12 + 6.5 + 1000 * EACH / 2, 1.5 + 24 + 6.5 + 1000 * EACH),
    ],
)
def test_processes_on_two_cores(processes, seconds, core_s):
    found = local(PARTS, 1000, processes, cores=2)
    assert (found.seconds, found.core_s) == pytest.approx((seconds, core_s))


def test_more_processes_than_cores_gain_nothing():
    taken = [local(PARTS, 1000, processes, cores=2).seconds for processes in (1, 2, 3, 4)]
    assert taken == sorted(taken)


@pytest.mark.parametrize(
    ("cluster", "cached", "seconds", "limit"),
    [
        (Cluster(1, 8, 100), False, 1000 / 100, "GPUs"),
        (Cluster(8, 1, 100), False, 1000 / 800, "GPUs"),
        (Cluster(1, 1, 800), False, 1000 * 0.004, "decoding"),
        (Cluster(1, 1, 800), True, 1000 / 800, "GPUs"),
        (Cluster(8, 1, 1000), True, 1000 * 2 * 0.0005, "storing"),
        (Cluster(8, 8, 100), False, 8 * 64 / 100, "claims"),
        (Cluster(8, 99, 100), False, 1000 / 100, "claims"),
    ],
)
def test_a_pass_takes_as_long_as_its_slowest_part(cluster, cached, seconds, limit):
    found = on_gpus(PARTS, 1000, cluster, cached=cached)
    assert found.limit == limit
    assert found.pass_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("cluster", "more"),
    [
        (Cluster(1, 4, 100), 1000 * 0.001 / 4),
        (Cluster(8, 1, 100), 1.5 + 1000 * 0.001 / 8 + 2 * 3 * (4 * 8 * 0.0001)),
        (Cluster(64, 8, 100), 1.5 + 1000 * 0.001 / 16 + 2 * 3 * (4 * 64 * 0.0001)),
    ],
)
def test_the_start_up(cluster, more):
    assert on_gpus(PARTS, 1000, cluster).start_s == pytest.approx(2 + 4 + 0.5 + 6 + more)


def test_a_zoo_of_many_models():
    many = PARTS.repeated(1000)
    assert [len(many.opening), len(many.counting), len(many.forward)] == [1000] * 3
    assert sum(many.counting.values()) == pytest.approx(3000)
    assert PARTS.of("b").forward == {"b": 0.020}


class Counted(HashStore):
    """A store that counts what is asked of it."""

    def __init__(self):
        super().__init__()
        self.requests = 0

    def check(self, keys):
        self.requests += 1
        return super().check(keys)

    def get(self, key):
        self.requests += 1
        return super().get(key)


def test_the_requests_of_an_agreement_are_those_of_the_code():
    """Where no process has to wait: one that does asks again."""
    store, size = Counted(), 5
    for rank in range(1, size):
        store.set(f"step/1/{rank}", pickle.dumps(None))
    for rank in range(size):
        Team(Processes(rank, size), store).gather(None)
    assert agreement_s(replace(PARTS, request=1), size) == store.requests


def test_the_agreements_of_a_model_are_those_of_the_code(tmp_path, monkeypatch):
    calls, agree = [], Team.agree
    monkeypatch.setattr(Team, "agree", lambda *given: calls.append(0) or agree(*given))

    def count(*models):
        calls.clear()
        run("verify", *models, "--zoo", "demo", "--limit", "4", "--workers", "0", "--reference",
            "--results", tmp_path, "--fresh")  # fmt: skip
        return len(calls)

    assert count("van_nano", "van_micro") - count("van_nano") == scaling.AGREEMENTS


def test_what_a_worker_claims_in_advance_is_as_in_the_code(tmp_path):
    images = open_images(photographs(tmp_path, 9), imagenet_1k())
    claimed, workers = [], 2
    pieces = (claimed.append(0) or [index] for index in range(9))
    crops = load(CropsOf(images, EvaluationProtocol()), pieces, workers)
    next(crops)
    assert len(claimed) - 1 == workers * scaling.AHEAD / PIECE
    assert len(list(crops)) == 8


def test_the_documented_tables_are_those_of_the_record():
    tables = scaling.tables(scaling.read(RESULTS / "project.json"), RESULTS)
    assert markers.difference(scaling.DOCUMENT, tables) == "", "python -m benchmarks.scaling"


def test_every_speed_of_a_gpu_says_whether_it_is_assumed():
    names = scaling.gpu_speeds(RESULTS, ("van_b0", "van_b1"))
    assert len(names) >= len(scaling.ASSUMED)
    assert all(name.endswith((" (assumed)", ", measured)")) for name in names)


def test_a_gpu_with_a_record_of_each_model_has_a_measured_speed(tmp_path):
    """Records of this CPU as if they were of a GPU."""
    seconds = 0.0
    for name in ("van_b0.in1k", "van_b1.in1k"):
        record = json.loads((RESULTS / f"{name}.json").read_text())
        record["device"] = "cuda"
        record["environment"] |= {"device": "cuda", "gpu": "Test GPU"}
        (tmp_path / f"{name}.cuda.json").write_text(json.dumps(record))
        seconds += 1 / record["optimized"]["images_per_s"]
    *_, (name, speed) = scaling.gpu_speeds(tmp_path, ("van_b0", "van_b1")).items()
    assert name == f"{1 / seconds:.0f} (Test GPU, measured)"
    assert speed == pytest.approx(1 / seconds)
    assert len(scaling.gpu_speeds(tmp_path, ("van_b0", "van_b1", "van_b2"))) == 3


def test_the_parts_of_an_image_are_measured(tmp_path):
    found = measuring.of_images(photographs(tmp_path / "images", 3), tmp_path / "crops")
    assert all(0 < seconds < 1 for seconds in found)
    assert found[2] < found[1]  # the crop is not decoded


def test_storing_is_measured(tmp_path):
    assert 0 < measuring.storing(tmp_path / "store", per_class=1, models=2) < 0.1


@pytest.mark.slow
def test_the_parts_and_the_runs_are_measured(tmp_path):
    record = measuring.scaling(tmp_path, ["van_b0"], ["van_b0"], 2, 1, processes=[1, 2])
    assert record["parts"].keys() == asdict(PARTS).keys()
    record |= {"environment": {"cpu": "", "cores": 2, "torch": ""}, "load": {"other_cores": 0.0}}
    assert "van_b0" in scaling.tables(record | {"date": ""}, RESULTS)
