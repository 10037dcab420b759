"""A bug in what is done for one model is that model's failure; the other models are done."""

import json

import pytest
from click.testing import CliRunner

import vanbench.benchmark.bench
import vanbench.evaluation.ready
import vanbench.flops
import vanbench.verification
from tests.support.arranged import arrange, write_zoo
from tests.support.faultserver import FaultServer
from tests.support.models import randomized
from tests.support.verifying import Shell, claim
from vanbench.checkpoints.key_names import OFFICIAL
from vanbench.cli.group import main
from vanbench.model.van import VAN

CLASSES = [f"class-{i}" for i in range(10)]
BAD, GOOD = "van_bad.in1k", "van_good.in1k"


@pytest.fixture(scope="module")
def model():
    return randomized()


@pytest.fixture(scope="module")
def data(model, tmp_path_factory):
    return arrange(tmp_path_factory.mktemp("data"), model, CLASSES, 13, 6, 5)


@pytest.fixture
def shell(tmp_path, data, model):
    """A zoo of two models, of which the first is to fail."""
    with FaultServer() as server:
        shell = Shell(tmp_path, data)
        other = claim(server, model, BAD, OFFICIAL)
        write_zoo(shell.zoo, CLASSES, other, claim(server, model, GOOD))
        yield shell


@pytest.fixture
def plant(monkeypatch):
    """Makes a function raise an exception at its call with the number ``at``."""

    def plant_at(owner, name, error, at=1):
        function, calls = getattr(owner, name), []

        def fails(*args, **kwargs):
            calls.append(None)
            if len(calls) == at:
                raise error
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, fails)

    return plant_at


STAGES = {  # a function that runs once for each model, or which call is the first model's
    "old record": (vanbench.report.record_files, "_path", 1),
    "download": (vanbench.download.cache, "_sources", 1),
    "open": (vanbench.verification, "open_checkpoint", 1),
    "count": (vanbench.verification, "count_as_reported", 1),
    "prepare": (vanbench.runtimes.in_torch, "optimize", 1),
    "second batch": (VAN, "forward", 3),
    "judge": (vanbench.report.rows, "_judge_accuracy", 1),
    "write": (vanbench.report.records, "merge", 1),
}
MEASURED_WITHOUT = {"old record", "write"}  # where the figures are known whatever fails


@pytest.mark.parametrize("stage", STAGES)
def test_verify(stage, shell, plant):
    owner, name, at = STAGES[stage]
    extra = ["--reference", "--batch-size", "12"] if stage == "second batch" else []
    plant(owner, name, RuntimeError("planted\nsecond line"), at)
    document = shell.verify(*extra, code=70)
    bad, good = document["models"]
    assert good["verdict"] == "reproduced"
    assert shell.record(GOOD).exists()
    assert not shell.record(BAD).exists()
    failed = json.loads((shell.results / "test/failed" / f"{BAD}.json").read_text())
    assert failed["name"] == BAD
    if stage not in MEASURED_WITHOUT:
        assert bad["verdict"] == "not measured"
        assert "internal error: RuntimeError: planted" in json.dumps(bad)


@pytest.mark.parametrize(
    ("error", "code"), [(MemoryError(), 3), (RecursionError("too deep"), 70), (KeyError(1), 70)]
)
@pytest.mark.parametrize("stage", ["open", "prepare"])
def test_verify_without_memory_or_stack(stage, error, code, shell, plant):
    owner, name, at = STAGES[stage]
    plant(owner, name, error, at)
    bad, good = shell.verify(code=code)["models"]
    assert (bad["verdict"], good["verdict"]) == ("not measured", "reproduced")
    assert shell.record(GOOD).exists()


def test_verify_tells_what_a_bug_means_and_shows_its_traceback_when_asked(shell, plant):
    arguments = ["verify", "--all", "--zoo", shell.zoo, "--results", shell.results]
    arguments += ["--cache", shell.folder / "cache"]
    for verbose in ([], ["-v"]):
        plant(vanbench.verification, "open_checkpoint", RuntimeError("planted"))
        outcome = CliRunner().invoke(main, [*map(str, arguments), *verbose])
        assert outcome.exit_code == 70
        assert f"Error: {BAD}: internal error: RuntimeError: planted." in outcome.stderr
        assert "This is a bug in vanbench" in outcome.stderr
        assert ("Traceback" in outcome.stderr) == bool(verbose)
        assert ("in fails" in outcome.stderr) == bool(verbose)


def test_a_deviation_is_1_whatever_fails_beside_it(shell, plant, model):
    text = shell.zoo.read_text()
    start = text.index(GOOD)
    shell.zoo.write_text(text[:start] + text[start:].replace("54.17", "60.00"))
    plant(vanbench.verification, "open_checkpoint", RuntimeError("planted"))
    assert shell.verify(code=1)["models"][1]["verdict"] == "deviates"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(5)])
def test_an_interruption_ends_the_command(error, shell, plant):
    plant(vanbench.verification, "open_checkpoint", error)
    shell("verify", "--all", code=130 if isinstance(error, KeyboardInterrupt) else 5)


@pytest.mark.parametrize("stage", ["download", "prepare", "second batch"])
def test_validate(stage, shell, plant):
    owner, name, at = STAGES[stage]
    plant(owner, name, RuntimeError("planted"), at)
    options = ["--batch-size", 12, "--workers", 0, "--data", shell.data]
    options += ["--reference"] if stage == "second batch" else []
    outcome = shell("validate", "--all", "--json", *options, code=70)
    bad, good = json.loads(outcome.stdout)["models"]
    assert (bad["status"], good["status"]) == ("internal error", "measured")
    assert bad["reason"].startswith("internal error: RuntimeError: planted")
    assert good["correct1"] == 13
    assert outcome.stderr.count("This is a bug in vanbench") == 1


def test_where_every_model_fails_no_further_image_is_read(shell, monkeypatch):
    def fails(*_):
        raise RuntimeError("planted")

    monkeypatch.setattr(VAN, "forward", fails)
    arguments = ["validate", "--all", "--json", "--reference", "--workers", 0, "--data", shell.data]
    models = json.loads(shell(*arguments, code=70).stdout)["models"]
    assert [model["status"] for model in models] == ["internal error"] * 2


def test_download(shell, plant):
    plant(vanbench.download.cache, "_sources", RuntimeError("planted"))
    bad, good = json.loads(shell("download", "--all", "--json", code=70).stdout)["models"]
    assert (bad["checkpoint"]["status"], good["checkpoint"]["status"]) == ("missing", "verified")
    assert "internal error: RuntimeError: planted" in bad["checkpoint"]["reason"]


def test_flops(shell, plant):
    for extra in ([], ["--json"]):
        plant(vanbench.flops, "count", RuntimeError("planted"))
        outcome = shell("flops", "--all", *extra, code=70)
    bad, good = json.loads(outcome.stdout)["models"]
    assert bad["params"] is bad["flops"] is None
    assert bad["reason"] == "internal error: RuntimeError: planted."
    assert good["flops"]["fvcore"] > 0


def test_list(shell, plant):
    for extra in ([], ["--json"]):
        plant(vanbench.download.obtain, "wanted_file", RuntimeError("planted"))
        outcome = shell("list", *extra, code=70)
    bad, good = json.loads(outcome.stdout)["models"]
    assert (bad["in_cache"], good["in_cache"]) == (None, False)


def test_bench(shell, plant, monkeypatch):
    monkeypatch.setattr(vanbench.benchmark.bench, "peak_memory", lambda *_: None)
    for extra in ([], ["--json"]):
        plant(vanbench.benchmark.bench, "random_weights", RuntimeError("planted"))
        arguments = ["--seconds", 0, "--batch-size", 1, "--choices", "{}", *extra]
        outcome = shell("bench", "--all", *arguments, code=70)
    bad, good = json.loads(outcome.stdout)["models"]
    assert bad["speedup"] is None
    assert bad["reason"] == "internal error: RuntimeError: planted."
    assert good["speedup"] > 0
