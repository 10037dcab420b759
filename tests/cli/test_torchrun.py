"""torchrun starts the same command in several processes: one output, one record, one exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.support.command_line import DEMO, ROOT, run
from vanbench.prediction_store.store import Store

LAUNCHER = [sys.executable, "-m", "torch.distributed.run"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TORCHELASTIC_LOG_LEVEL": "ERROR"}


def start(*arguments, processes=2, launcher=()):
    """torchrun with vanbench and these arguments, in a process group of its own."""
    command = [*LAUNCHER, "--nproc-per-node", str(processes), *launcher]
    return subprocess.Popen(
        [*command, "-m", "vanbench", *map(str, arguments)],
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finished(process):
    """Exit code, stdout and stderr; all processes are gone."""
    try:
        stdout, stderr = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, stdout, stderr


def figures(document):
    """What does not depend on how long it took, or in how many processes."""
    return [
        [m["name"], m["checkpoint"]["sha256"], m["verdict"], *(m[k] for k in ("top1", "top5"))]
        for m in document["models"]
    ]


def test_verify_in_two_processes_gives_one_document_and_the_same_records(tmp_path):
    arguments = ["verify", "--all", "--zoo", "demo", "--json", "--workers", 0, "--results"]
    code, stdout, stderr = finished(start(*arguments, tmp_path / "two"))
    assert code == 0, stderr
    alone = json.loads(run(*arguments, tmp_path / "one").stdout)
    assert figures(json.loads(stdout)) == figures(alone)
    for name in ("van_nano.digits", "van_micro.digits"):
        one, two = (
            json.loads((tmp_path / folder / "demo" / f"{name}.json").read_text(encoding="utf-8"))
            for folder in ("one", "two")
        )
        assert len(one["accuracy"].pop("processes")) == 1
        processes = two["accuracy"].pop("processes")
        assert len(processes) == 2
        assert all(spent["forward"] > 0 for spent in processes)
        for key in ("images", "correct1", "correct5", "data", "protocol", "sha256", "evidence"):
            assert one["accuracy"][key] == two["accuracy"][key]
        assert two["accuracy"]["numerics"]["trial"]["seconds"]  # the first process has chosen
        assert one["counts"]["flops"] == two["counts"]["flops"]


def test_a_command_that_is_not_shared_runs_once():
    code, stdout, stderr = finished(start("list", "--zoo", "demo", "--json"))
    assert code == 0, stderr
    assert [model["name"] for model in json.loads(stdout)["models"]] == [
        "van_nano.digits",
        "van_micro.digits",
    ]


def test_a_usage_error_is_printed_once():
    code, stdout, stderr = finished(start("validate", "van_nano", "--zoo", "demo", "--frsh"))
    assert code == 1  # torchrun's, whatever the command's
    assert not stdout
    assert stderr.count("No such option '--frsh'") == 1
    assert "exitcode  : 2" in stderr


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_the_same_command_goes_on(tmp_path):
    """The other process ends at once, and says what is kept."""
    arguments = ["validate", "van_micro", "--zoo", "demo", "--workers", 0, "--batch-size", 1]
    arguments += ["--results", tmp_path, "--json"]
    process = start(*arguments)
    victim = rank_of(process, 1)
    wait_for_predictions(tmp_path / "predictions.sqlite", victim)
    victim.kill()
    code, _, stderr = finished(process)
    assert code == 1
    assert re.search(r"Interrupted\. \d+ predictions of van_micro\.digits are kept", stderr)
    assert "Signal 9 (SIGKILL)" in stderr
    (before,) = stored(tmp_path / "predictions.sqlite")
    assert 0 < before < 360
    found = json.loads(run(*arguments).stdout)["models"][0]
    assert (found["images"], found["correct1"]) == (360, 350)


@pytest.mark.slow
def test_ctrl_c_says_once_what_is_kept(tmp_path):
    arguments = ["validate", "van_micro", "--zoo", "demo", "--workers", 0, "--batch-size", 1]
    process = start(*arguments, "--results", tmp_path)
    wait_for_predictions(tmp_path / "predictions.sqlite", rank_of(process, 0))
    os.killpg(process.pid, signal.SIGINT)
    _, _, stderr = finished(process)
    assert stderr.count("Interrupted.") == 1


@pytest.mark.slow
def test_two_nodes_with_a_cache_each(tmp_path):
    """Two launchers on this machine play two nodes; each downloads the file once."""
    arguments = ["validate", "van_nano", "--zoo", "demo", "--workers", 0, "--json"]
    arguments += ["--mirror", DEMO, "--results", tmp_path / "results", "--cache"]
    port = free_port()
    launchers = [
        start(
            *arguments,
            tmp_path / f"cache{node}",
            launcher=[
                *("--nnodes", "2", "--node-rank", str(node)),
                *("--master-addr", "127.0.0.1", "--master-port", str(port)),
            ],
        )
        for node in range(2)
    ]
    (code, stdout, stderr), (other, nothing, _) = map(finished, launchers)
    assert (code, other) == (0, 0), stderr
    assert json.loads(stdout)["models"][0]["correct1"] == 345
    assert nothing == ""
    assert all(list((tmp_path / f"cache{node}").glob("van-nano*.pth")) for node in range(2))


def free_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def rank_of(process, rank):
    """The process of a rank, once it runs."""
    for _ in range(600):
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                if child.environ().get("RANK") == str(rank):
                    return child
            except psutil.Error:
                continue
        time.sleep(0.1)
    raise AssertionError(f"no process of rank {rank}")


def wait_for_predictions(path, process):
    for _ in range(6000):
        if path.exists() and sum(stored(path)):
            return
        assert process.is_running(), "it ended before it stored anything"
        time.sleep(0.01)


def stored(path):
    with Store(path, create=False) as store:
        return [found.images for found in store.runs()]
