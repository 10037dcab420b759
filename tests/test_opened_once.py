"""A checkpoint is opened, hashed, recognised, read and built once per command."""

import json
import sys
from collections import Counter
from functools import wraps

import pytest
from click.testing import CliRunner

import vanbench.diagnosis.ranking
import vanbench.verification  # noqa: F401 - so that all modules are there to be counted in
from tests.support.arranged import Claim, arrange, checkpoint, published_name, write_zoo
from tests.support.faultserver import FaultServer
from tests.support.models import randomized
from vanbench.checkpoints.key_names import OFFICIAL, OPENMMLAB, detect
from vanbench.checkpoints.load import _build
from vanbench.checkpoints.state_dict import read_state_dicts
from vanbench.cli.group import main
from vanbench.files import hash_file
from vanbench.model.build import read_architecture

CLASSES = [f"class-{i}" for i in range(10)]
STEPS = {
    "opened": read_state_dicts,
    "hashed": hash_file,
    "recognised": detect,
    "read": read_architecture,
    "built": _build,
}


@pytest.fixture
def calls(monkeypatch):
    """How often each step is called, from whichever module."""
    counter = Counter()

    def counted(name, function):
        @wraps(function)
        def wrapper(*args, **kwargs):
            counter[name] += 1
            return function(*args, **kwargs)

        return wrapper

    for name, function in STEPS.items():
        wrapper = counted(name, function)
        for module in [m for n, m in sys.modules.items() if n.startswith("vanbench")]:
            for attribute, value in list(vars(module).items()):
                if value is function:
                    monkeypatch.setattr(module, attribute, wrapper)
    return counter


@pytest.fixture
def command(tmp_path):
    """Runs a command on a zoo of two models in two namings, and a set with arranged counts."""
    model = randomized()
    data = arrange(tmp_path / "data", model, CLASSES, 5, 2, 1)
    with FaultServer() as server:
        claims = []
        for fmt in (OPENMMLAB, OFFICIAL):
            content = checkpoint(model, fmt, legacy=fmt is OPENMMLAB)
            url = server.put(f"/{fmt.name}/{published_name(content)}", content)
            claims.append(Claim(f"van_{fmt.name}.test", url, model, "62.50", "87.50"))
        zoo = write_zoo(tmp_path / "zoo.toml", CLASSES, *claims)

        def run(*words):
            common = [
                "--zoo",
                zoo,
                "--cache",
                tmp_path / "cache",
                "--results",
                tmp_path / "results",
            ]
            options = [*words, "--data", data, "--workers", "0", *common]
            outcome = CliRunner().invoke(main, [str(word) for word in options])
            assert outcome.exit_code == 0, outcome.output
            return outcome

        yield run


def test_verify_takes_each_step_once_per_model(command, calls):
    models = json.loads(command("verify", "--all", "--json").stdout)["models"]
    assert [model["verdict"] for model in models] == ["reproduced"] * 2
    assert calls == dict.fromkeys(STEPS, 2)
    calls.clear()
    command("verify", "--all")  # the files are in the cache
    assert calls == dict.fromkeys(STEPS, 2)


def test_validate_takes_each_step_once_per_model(command, calls):
    command("validate", "--all")
    assert calls == dict.fromkeys(STEPS, 2)


def test_diagnose_reads_the_file_once(command, calls):
    """It builds a second model, for the other epsilon, from the tensors that were read."""
    command("diagnose", "van_openmmlab", "--observed", "62.50")
    assert calls == {"opened": 1, "hashed": 1, "recognised": 2, "read": 2, "built": 2}
