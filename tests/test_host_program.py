"""A program that imports vanbench and calls it stays as it was: no global state is changed.

Each test gives everything that is global an unusual value, calls one function, and compares. The
unusual values must not change the result either: they are those of another program.
"""

import contextlib
import decimal
import gc
import json
import locale
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest
import torch
from PIL import Image

import vanbench
from tests import test_devices
from tests.support.command_line import DEMO_IMAGES, ROOT, demo_checkpoint
from tests.support.models import TINY
from vanbench.benchmark.bench import bench, bench_options
from vanbench.checkpoints.load import open_checkpoint
from vanbench.devices import choose_device
from vanbench.diagnosis.ranking import diagnose
from vanbench.diagnosis.trial import run_trial
from vanbench.download.obtain import Sources
from vanbench.evaluation.plan import Candidate, RunOptions
from vanbench.evaluation.validate import validate_candidates
from vanbench.flops import count
from vanbench.inference.autotune import tune
from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.model.build import random_weights
from vanbench.verification import verify
from vanbench.zoo.reader import load_zoo


@dataclass(frozen=True)
class Setting:
    """Something global: how to read it, how to set it, and an unusual value."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], Any]
    unusual: Any


def attribute(place, name, unusual):
    """A Setting that is the attribute of a module or object."""
    label = f"{getattr(place, '__name__', place)}.{name}"
    return Setting(label, partial(getattr, place, name), partial(setattr, place, name), unusual)


def set_deterministic(mode):
    enabled, warn_only = mode
    torch.use_deterministic_algorithms(enabled, warn_only=warn_only)


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def show_warning(*_, **__):
    """What a host program puts in place of ``warnings.showwarning``."""


def handle(number, frame):
    """A signal handler of a host program."""


SIGNALS = [
    number
    for number in signal.valid_signals()
    if number not in {getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP")}
    and number < getattr(signal, "SIGRTMIN", 64)
]
SET_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGUSR1")
    if hasattr(signal, name)
]  # fmt: skip

SETTINGS = [
    Setting("default dtype", torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    Setting(
        "default device",
        torch.get_default_device,
        lambda device: torch.set_default_device(None if device.type == "cpu" else device),
        torch.device("meta"),
    ),
    Setting("threads", torch.get_num_threads, torch.set_num_threads, 3),
    Setting(
        "deterministic algorithms",
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        set_deterministic,
        (True, True),
    ),
    attribute(torch.utils.deterministic, "fill_uninitialized_memory", False),
    attribute(torch.backends.cudnn, "benchmark", True),
    attribute(torch.backends.cudnn, "deterministic", True),
    attribute(torch.backends.cudnn, "enabled", False),
    Setting(
        "sharing strategy",
        torch.multiprocessing.get_sharing_strategy,
        torch.multiprocessing.set_sharing_strategy,
        "file_system",
    ),
    Setting("socket timeout", socket.getdefaulttimeout, socket.setdefaulttimeout, 77.0),
    Setting("switch interval", sys.getswitchinterval, sys.setswitchinterval, 0.0123),
    Setting("garbage collection", gc.get_threshold, lambda v: gc.set_threshold(*v), (701, 11, 12)),
    Setting("umask", umask, os.umask, 0o027),
    Setting("logging level", lambda: logging.root.level, logging.root.setLevel, 7),
    Setting(
        "logging handlers",
        lambda: list(logging.root.handlers),
        lambda handlers: logging.root.handlers.__setitem__(slice(None), handlers),
        [logging.NullHandler()],
    ),
    Setting("numpy's errors", np.geterr, lambda v: np.seterr(**v), dict.fromkeys(np.geterr(), "ignore")),
    Setting("locale", lambda: locale.setlocale(locale.LC_ALL), lambda v: locale.setlocale(locale.LC_ALL, v), "C"),
    attribute(warnings, "showwarning", show_warning),
    attribute(PIL.Image, "MAX_IMAGE_PIXELS", 1_234_567),
    attribute(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", True),
    attribute(tempfile, "tempdir", tempfile.gettempdir()),
    attribute(sys, "excepthook", lambda *_: None),
    attribute(threading, "excepthook", lambda *_: None),
    *(
        Setting(
            signal.Signals(number).name,
            partial(signal.getsignal, number),
            partial(signal.signal, number),
            handle,
        )
        for number in SET_SIGNALS
    ),
]  # fmt: skip

READ_ONLY = {
    "grad mode": torch.is_grad_enabled,
    "inference mode": torch.is_inference_mode_enabled,
    "autocast": lambda: (
        torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"),
        torch.is_autocast_enabled("cuda"),
        torch.is_autocast_cache_enabled(),
    ),
    "anomaly mode": torch.is_anomaly_enabled,
    "interop threads": torch.get_num_interop_threads,
    "threads of a new thread": lambda: _in_new_thread(torch.get_num_threads),
    "grad mode of a new thread": lambda: _in_new_thread(torch.is_grad_enabled),
    "float32 precision": test_devices.state,
    "torch's random numbers": lambda: torch.get_rng_state().tolist(),
    "Python's random numbers": random.getstate,
    "numpy's random numbers": lambda: repr(np.random.get_state()),
    "environment": lambda: dict(os.environ),
    "folder": os.getcwd,
    "sys.path": lambda: list(sys.path),
    "argv": lambda: list(sys.argv),
    "streams": lambda: (sys.stdin, sys.stdout, sys.stderr),
    "signal handlers": lambda: {number: signal.getsignal(number) for number in SIGNALS},
    "warning filters": lambda: list(warnings.filters),
    "decimal context": lambda: repr(decimal.getcontext()),
    "start method": lambda: torch.multiprocessing.get_start_method(allow_none=True),
    "loggers": lambda: {
        name: (logger.level, list(logger.handlers), logger.propagate, logger.disabled)
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    },
}


def _in_new_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def snapshot():
    read = {setting.name: setting.read for setting in SETTINGS} | READ_ONLY
    return {name: function() for name, function in read.items()}


def changes(before, after):
    """What differs; loggers that a library has made since are no change of the host's."""
    known = {name: after["loggers"].get(name) for name in before["loggers"]}
    after = after | {"loggers": known}
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


@contextlib.contextmanager
def unusual(tmp_path, monkeypatch):
    """Everything global has an unusual value, and what it had before is restored."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOST_PROGRAM", "1")
    monkeypatch.syspath_prepend(tmp_path)
    with ExitStack() as stack:
        float32 = test_devices.devices._read_settings(cuda=True)
        test_devices.devices._write(float32)
        stack.callback(test_devices.devices._write, float32)
        for setting in SETTINGS:
            stack.callback(setting.write, setting.read())
            setting.write(setting.unusual)
        for read, write in (
            (random.getstate, random.setstate),
            (np.random.get_state, np.random.set_state),
            (torch.get_rng_state, torch.set_rng_state),
        ):
            stack.callback(write, read())
        random.seed(5)
        np.random.seed(6)
        torch.manual_seed(7)
        test_devices.set_older("high", True)
        if test_devices.NEWER:
            torch.backends.cudnn.rnn.fp32_precision = "ieee"
            torch.backends.mkldnn.conv.fp32_precision = "bf16"
        stack.enter_context(
            decimal.localcontext(decimal.Context(prec=9, rounding=decimal.ROUND_UP))
        )
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", "a message of the host", RuntimeWarning)
        yield


MODES = {
    "no grad": torch.no_grad,
    "grad": torch.enable_grad,
    "inference": torch.inference_mode,
    "autocast": partial(torch.autocast, "cpu", torch.bfloat16, cache_enabled=False),
}


class Watch:
    """A Progress that compares the state at each update, while the caller's code runs."""

    def __init__(self):
        self.before, self.changes, self.updates = snapshot(), {}, 0

    @contextlib.contextmanager
    def __call__(self, label, unit):
        yield self.update

    def update(self, done, total, note=""):
        self.updates += 1
        found = changes(self.before, snapshot())
        found.pop("SIGCHLD", None)  # torch's DataLoader watches its workers while they run
        found.pop("signal handlers", None)
        self.changes |= found


def call_optimize(tmp_path, watch):
    model = random_weights(TINY)
    fast = vanbench.optimize(model)
    x = torch.full((5, 3, 64, 64), 0.5, dtype=torch.float32, device="cpu")
    torch.testing.assert_close(fast(x).float(), model(x).float(), rtol=2e-2, atol=2e-2)


def call_tune(tmp_path, watch):
    tune(choose_device("cpu"))


def call_load_model(tmp_path, watch):
    model = vanbench.load_model(demo_checkpoint())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def call_preprocess(tmp_path, watch):
    assert vanbench.preprocess(Image.new("RGB", (300, 280), "red")).dtype == torch.float32


def call_count(tmp_path, watch):
    assert count(TINY, 64).params > 0


def demo():
    zoo = load_zoo("demo")
    entry = zoo.find("van_nano")
    take = partial(open_checkpoint, demo_checkpoint(), layer_norm_eps=entry.layer_norm_eps)
    return zoo, Candidate(entry.name, entry.protocol, take)


def options(tmp_path, **changes):
    values = {"device": "cpu", "batch_size": 7, "workers": 0, "limit": 20}
    return RunOptions(**values | {"store": tmp_path / "predictions.sqlite"} | changes)


def call_validate(tmp_path, watch, **changes):
    _, candidate = demo()
    run = options(tmp_path, **changes)
    passes, errors = validate_candidates([candidate], DEMO_IMAGES, run, watch)
    assert not errors
    assert passes[candidate.name].tallies[candidate.name].images == 20
    assert watch.updates > 3


call_validate_with_workers = partial(call_validate, workers=1)
call_validate_bf16 = partial(call_validate, precision="bf16")
call_validate_fp16 = partial(call_validate, precision="fp16")


def call_validate_that_fails(tmp_path, watch):
    """An interruption between two batches."""
    _, candidate = demo()

    @contextlib.contextmanager
    def progress(label, unit):
        def update(done, total, note=""):
            if label == "validating" and done > 7:
                raise KeyboardInterrupt

        yield update

    with pytest.raises(KeyboardInterrupt) as watch.caught:  # keeps the traceback's frames alive
        validate_candidates([candidate], DEMO_IMAGES, options(tmp_path, workers=1), progress)


def call_verify(tmp_path, watch):
    zoo, _ = demo()
    sources = Sources(tmp_path / "cache", (), True)
    entries = [zoo.find("van_nano")]
    found = verify(
        zoo, entries, sources, tmp_path / "results", DEMO_IMAGES, options(tmp_path), watch
    )
    assert found.rows[0].params.verdict == "reproduced"
    assert found.passes


def call_diagnose(tmp_path, watch):
    zoo, candidate = demo()
    run = options(tmp_path, store=None)
    trial = run_trial(candidate, DEMO_IMAGES, run, watch)
    assert diagnose(trial, zoo.find("van_nano").claims.top1).explanations


def call_bench(tmp_path, watch):
    made = bench_options("cpu", "fp32", 2, 0, threads=1, rewrite=RewriteConfig())
    assert bench("tiny", TINY, made).max_relative_error < 1e-4


CALLS = {name.removeprefix("call_"): f for name, f in list(globals().items()) if name.startswith("call_")}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("call", CALLS)
def test_nothing_global_is_changed(call, mode, tmp_path, monkeypatch):
    if call == "bench":  # measured in processes of their own, which takes long
        monkeypatch.setattr("vanbench.benchmark.bench.peak_memory", lambda *_: None)
    with unusual(tmp_path, monkeypatch), MODES[mode]():
        watch = Watch()
        CALLS[call](tmp_path, watch)
        assert changes(watch.before, snapshot()) == {}
        assert watch.changes == {}
    assert os.getcwd() == str(tmp_path)


def test_a_change_would_be_noticed(tmp_path, monkeypatch):
    """Each setting, changed, shows in the snapshot."""
    with unusual(tmp_path, monkeypatch):
        before = snapshot()
        for setting in SETTINGS:
            assert before[setting.name] == setting.unusual, setting.name
        torch.rand(1, device="cpu")
        random.random()
        np.random.rand()
        os.environ["HOST_PROGRAM"] = "2"
        sys.path.insert(0, "elsewhere")
        warnings.simplefilter("always")
        decimal.Decimal(1) / decimal.Decimal(3)  # sets a flag
        found = changes(before, snapshot())
        del sys.path[0]
    assert found.keys() == {
        "torch's random numbers", "Python's random numbers", "numpy's random numbers",
        "environment", "sys.path", "warning filters", "decimal context",
    }  # fmt: skip


def test_importing_every_module_changes_nothing(tmp_path):
    """In a fresh interpreter: the libraries are imported first, then vanbench's modules."""
    code = (
        "import json, logging, os, signal, sys, warnings\n"
        "import click, filelock, numpy, pandas, PIL.Image, psutil, pydantic, requests, rich\n"
        "import torch, torch.utils.data, torchvision, warnings as w, urllib3, safetensors.torch\n"
        "with w.catch_warnings():\n"
        "    w.simplefilter('ignore')\n"
        "    import fvcore.nn\n"
        "def state():\n"
        "    return dict(\n"
        "        environ=dict(os.environ), path=list(sys.path), cwd=os.getcwd(),\n"
        "        filters=[str(f) for f in warnings.filters], show=str(warnings.showwarning),\n"
        "        signals=[str(signal.getsignal(n)) for n in signal.valid_signals()],\n"
        "        handlers=str(logging.root.handlers), level=logging.root.level,\n"
        "        rng=torch.get_rng_state().tolist(), threads=torch.get_num_threads(),\n"
        "        grad=torch.is_grad_enabled(), dtype=str(torch.get_default_dtype()),\n"
        "        pixels=PIL.Image.MAX_IMAGE_PIXELS, matmul=torch.get_float32_matmul_precision(),\n"
        "        hook=str(sys.excepthook), cudnn=torch.backends.cudnn.allow_tf32)\n"
        "before = state()\n"
        "import importlib, importlib.util, pkgutil, vanbench\n"
        "for module in pkgutil.walk_packages(vanbench.__path__, 'vanbench.'):\n"
        "    if 'triton' not in module.name or importlib.util.find_spec('triton'):\n"
        "        importlib.import_module(module.name)\n"
        "after = state()\n"
        "print(json.dumps({k: [before[k], after[k]] for k in before if before[k] != after[k]}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}


def test_create_model_changes_only_the_random_numbers(tmp_path, monkeypatch):
    """Its weights are random, as of any new module: torch.manual_seed decides them."""
    with unusual(tmp_path, monkeypatch):
        before = snapshot()
        with torch.device("cpu"):
            vanbench.create_model("van_b0", num_classes=10)
        assert changes(before, snapshot()).keys() == {"torch's random numbers"}
