"""Devices, cores and threads; and that numerics() computes as it says and restores everything."""

import itertools
import os
import subprocess
import sys

import psutil
import pytest
import torch
from torch.backends import cuda, cudnn, mkldnn

from vanbench import devices
from vanbench.devices import PRECISIONS, numerics
from vanbench.errors import DeviceError

CPU, CUDA, MPS = (torch.device(name) for name in ("cpu", "cuda", "mps"))
NEWER = hasattr(torch.backends, "fp32_precision")
OLDER = {
    "matmul": torch.get_float32_matmul_precision,
    "cudnn": lambda: cudnn.allow_tf32,
    "cuda.matmul": lambda: cuda.matmul.allow_tf32,
}


def state():
    """What both interfaces of torch tell, also under another generic precision.

    An operator that follows the generic one reads the same as one that is set to it.
    """
    if not NEWER:
        return [_read(read) for read in OLDER.values()]
    found, before = [], torch.backends.fp32_precision
    try:
        for generic in (before, "none", "ieee", "tf32"):
            torch.backends.fp32_precision = generic
            found.append([_read(read) for read in OLDER.values()])
            found.append([(cudnn.fp32_precision, mkldnn.fp32_precision)])
            found.append([place.fp32_precision for place in operators()])
    finally:
        torch.backends.fp32_precision = before
    return found


def operators():
    """All objects that have an ``fp32_precision`` for one operator."""
    on_gpu, on_cpu = devices._float32_operators(cuda=True)
    return [*on_gpu, *on_cpu]


def _read(read):
    try:
        return read()
    except RuntimeError:  # the two interfaces disagree
        return "disagree"


@pytest.fixture(autouse=True)
def torch_as_before():
    before = devices._read_settings(cuda=True)
    devices._write(before)
    yield
    if NEWER:
        torch.backends.fp32_precision = cudnn.fp32_precision = "none"
    devices._write(before)


OLDER_SETTINGS = list(itertools.product(("highest", "high", "medium"), (True, False)))
NEWER_SETTINGS = list(
    itertools.product(
        ("none", "ieee", "tf32", "bf16"),  # generic
        ("none", "ieee", "tf32"),  # CUDA
        ("none", "ieee", "tf32"),  # CUDA, matrix products
        ("none", "ieee", "tf32"),  # CUDA, convolutions
        ("none", "bf16", "ieee"),  # CPU, matrix products
    )
)


def set_older(matmul, allow_tf32):
    torch.set_float32_matmul_precision(matmul)
    cudnn.allow_tf32 = allow_tf32


def set_newer(generic, on_cuda, matmul, conv, cpu_matmul):
    torch.backends.fp32_precision = generic
    cudnn.fp32_precision = on_cuda
    cuda.matmul.fp32_precision = matmul
    cudnn.conv.fp32_precision = conv
    mkldnn.matmul.fp32_precision = cpu_matmul


@pytest.mark.parametrize("older", OLDER_SETTINGS)
@pytest.mark.parametrize(
    ("device", "precision"),
    [*((CPU, precision) for precision in PRECISIONS), (CUDA, "fp32"), (CUDA, "tf32")],
)
def test_numerics_restores_the_older_interface(device, precision, older):
    set_older(*older)
    before = state()
    with numerics(device, precision):
        assert _read(OLDER["matmul"]) == ("high" if precision == "tf32" else "highest")
    assert state() == before


@pytest.mark.skipif(not NEWER, reason="needs torch 2.9")
@pytest.mark.parametrize("device", [CPU, CUDA])
@pytest.mark.parametrize("older", OLDER_SETTINGS)
def test_numerics_restores_both_interfaces_also_where_they_disagree(device, older):
    disagreed = 0
    for newer in NEWER_SETTINGS:
        set_older(*older)
        set_newer(*newer)
        before = state()
        disagreed += "disagree" in before[0]
        with numerics(device, "fp32"):
            check_no_reduced_precision(device)
        assert state() == before, newer
    assert disagreed


PRISTINE = """
import torch
from torch.backends import cudnn
from vanbench.devices import numerics

NEWER = hasattr(torch.backends, "fp32_precision")

def state():
    newer = [place.fp32_precision for place in (cudnn.conv, cudnn.rnn)] if NEWER else []
    return cudnn.allow_tf32, torch.get_float32_matmul_precision(), *newer

def followers():
    # Without the older setting, which cannot be read where the generic precision is another.
    torch.backends.fp32_precision = "ieee"
    found = [place.fp32_precision for place in (cudnn.conv, cudnn.rnn)]
    torch.backends.fp32_precision = "none"
    return found

before, following = state(), followers() if NEWER else None
for device in (torch.device("cpu"), torch.device("cuda")):
    for precision in ("fp32", "tf32"):
        with numerics(device, precision):
            cudnn.allow_tf32  # torch.export and torch.compile read it
        assert state() == before, (device, before, state())
        if NEWER and device.type == "cpu":
            assert followers() == following
"""


def test_numerics_restores_what_no_program_has_set_yet():
    """torch's own defaults are another state than the same values when they are set."""
    subprocess.run([sys.executable, "-c", PRISTINE], check=True)


def check_no_reduced_precision(device=CPU):
    assert torch.get_float32_matmul_precision() == "highest"
    assert not cuda.matmul.allow_tf32
    if device == CUDA:
        assert not cudnn.allow_tf32
    on_gpu, on_cpu = devices._float32_operators(device == CUDA)
    for place in (*on_gpu, *on_cpu):
        assert place.fp32_precision == "ieee"
    if NEWER and device == CUDA:
        assert cudnn.conv.fp32_precision == cudnn.rnn.fp32_precision == "ieee"


@pytest.mark.skipif(not NEWER, reason="needs torch 2.9")
@pytest.mark.parametrize("newer", [("none",) * 5, ("ieee",) * 5, ("tf32", *["none"] * 4)])
def test_tf32_is_for_cuda_only(newer):
    set_newer(*newer)
    with numerics(CUDA, "tf32"):
        assert torch.get_float32_matmul_precision() == "high"
        assert cudnn.allow_tf32
        assert cuda.matmul.allow_tf32
        assert cuda.matmul.fp32_precision == cudnn.conv.fp32_precision == "tf32"
        assert mkldnn.matmul.fp32_precision == mkldnn.conv.fp32_precision == "ieee"
    conv = cudnn.conv.fp32_precision
    with numerics(CPU, "tf32"):
        assert mkldnn.matmul.fp32_precision == mkldnn.conv.fp32_precision == "ieee"
        assert cudnn.conv.fp32_precision == conv


def test_numerics_restores_after_an_exception():
    set_older("high", True)
    before = state()
    with pytest.raises(ZeroDivisionError), numerics(CPU, "bf16"):
        raise ZeroDivisionError
    assert state() == before
    assert not torch.is_autocast_enabled("cpu")


def test_numerics_restores_after_a_precision_that_does_not_exist():
    before = state()
    with pytest.raises(KeyError), numerics(CPU, "int4"):
        pass
    assert state() == before


def test_numerics_can_be_nested():
    set_older("medium", False)
    states = [state()]
    with numerics(CPU, "tf32"):
        states.append(state())
        with numerics(CPU, "fp32"):
            check_no_reduced_precision()
            with numerics(CPU, "bf16"):
                assert torch.is_autocast_enabled("cpu")
            assert not torch.is_autocast_enabled("cpu")
            check_no_reduced_precision()
        assert state() == states[1]
    assert state() == states[0]


def test_what_is_set_inside_is_undone():
    before = state()
    with numerics(CPU, "fp32"):
        set_older("medium", True)
    assert state() == before


@pytest.mark.skipif(NEWER is False, reason="has only the older interface anyway")
def test_numerics_without_the_newer_interface(monkeypatch):
    """As in torch 2.8."""
    monkeypatch.setattr(devices, "_float32_operators", lambda cuda: ([], []))
    set_older("high", True)
    before = _read(OLDER["matmul"]), _read(OLDER["cudnn"])
    with numerics(CUDA, "fp32"):
        assert torch.get_float32_matmul_precision() == "highest"
        assert not cudnn.allow_tf32
    assert (_read(OLDER["matmul"]), _read(OLDER["cudnn"])) == before


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("tf32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)  # fmt: skip
def test_numerics_decides_the_type_also_under_the_callers_autocast(precision, dtype):
    a = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        with numerics(CPU, precision):
            assert (a @ a).dtype == dtype
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16
        assert (a @ a).dtype == torch.bfloat16
    with numerics(CPU, precision):
        assert (a @ a).dtype == dtype
    assert (a @ a).dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("older", OLDER_SETTINGS)
def test_numerics_on_a_gpu(older):
    set_older(*older)
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(512, 512, generator=generator)
    exact, on_gpu = a.double() @ a.double(), a.cuda()
    errors = {}
    for precision in ("fp32", "tf32"):
        with numerics(CUDA, precision):
            errors[precision] = ((on_gpu @ on_gpu).cpu() - exact).abs().max().item()
    assert errors["fp32"] < 1e-3 < errors["tf32"]


def test_auto_is_cuda_or_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.choose_device("auto") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.choose_device("auto") == CUDA


def test_a_named_device():
    assert devices.choose_device("cpu") == CPU


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "meta", "", "cpu:x"])
def test_a_device_that_is_not_here(name):
    with pytest.raises(DeviceError) as caught:
        devices.choose_device(name)
    assert caught.value.problem.startswith(f"No device {name!r} here (")
    assert "\n" not in str(caught.value)
    assert caught.value.remedy == "Try --device auto."
    assert caught.value.exit_code == 2


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="has an mps device")
def test_no_mps_here():
    with pytest.raises(DeviceError, match=r"No device 'mps' here \(torch finds no Apple GPU\)"):
        devices.choose_device("mps")


@pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no mps device")
def test_mps_where_it_is_named():
    device = devices.choose_device("mps")
    with numerics(device, "fp32"):
        total = torch.ones(4, device=device).sum()
    devices.synchronize(device)
    assert total.item() == 4


def test_defaults_suit_the_device(monkeypatch):
    monkeypatch.setattr(devices, "available_cores", lambda: 7)
    assert [devices.default_batch_size(device) for device in (CPU, CUDA, MPS)] == [32, 256, 64]
    assert [devices.default_workers(device) for device in (CPU, CUDA, MPS)] == [3, 7, 7]
    monkeypatch.setattr(devices, "available_cores", lambda: 1)
    assert devices.default_workers(CPU) == 1


@pytest.mark.parametrize(("device", "module"), [(CUDA, torch.cuda), (MPS, torch.mps)])
def test_synchronize_waits_for_the_device(device, module, monkeypatch):
    calls = []
    monkeypatch.setattr(module, "synchronize", lambda *a: calls.append(a))
    devices.synchronize(CPU)
    assert calls == []
    devices.synchronize(device)
    assert len(calls) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_cores_are_those_that_the_process_may_use():
    code = (
        "import os\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from vanbench.devices import available_cores\n"
        "print(available_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_cores_without_affinity(monkeypatch):
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)
    assert devices.available_cores() == psutil.cpu_count()


@pytest.mark.parametrize("error", [psutil.NoSuchProcess(1), psutil.AccessDenied(1), OSError()])
def test_cores_where_the_process_cannot_be_asked(error, monkeypatch):
    def fail(self):
        raise error

    monkeypatch.setattr(psutil.Process, "cpu_affinity", fail, raising=False)
    assert devices.available_cores() == psutil.cpu_count()


def test_cores_where_nothing_is_known(monkeypatch):
    monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)
    monkeypatch.setattr(psutil, "cpu_count", lambda: None)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert devices.available_cores() == 1


def test_threads_are_as_before():
    before = torch.get_num_threads()
    with devices.cpu_threads(before + 2):
        assert torch.get_num_threads() == before + 2
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), devices.cpu_threads(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before
    with devices.cpu_threads(None):
        assert torch.get_num_threads() == before


VISIBLE = [
    ("cuda:1", 1, None, "only cuda:0 is visible"),
    ("cuda:8", 4, None, "only cuda:0 to cuda:3 are visible"),
    ("cuda:1", 1, "3", "only cuda:0 is visible, because CUDA_VISIBLE_DEVICES is '3'"),
    ("cuda", 0, "", "no GPU is visible, because CUDA_VISIBLE_DEVICES is ''"),
    ("cuda:0", 0, "\x1b[1m", r"no GPU is visible, because CUDA_VISIBLE_DEVICES is '\\x1b[1m'"),
]


@pytest.mark.parametrize(("name", "count", "variable", "reason"), VISIBLE)
def test_a_gpu_that_is_not_visible(name, count, variable, reason, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    with pytest.raises(DeviceError) as caught:
        devices.choose_device(name)
    assert caught.value.problem == f"No device {name!r} here ({reason})"


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
@pytest.mark.parametrize(("name", "count"), [("cuda", 0), ("cuda:0", 1), ("cuda:x", 1)])
def test_torch_says_why_another_gpu_cannot_be_used(name, count, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(DeviceError) as caught:
        devices.choose_device(name)
    assert "visible" not in caught.value.problem


VERIFY = ("verify", "--all", "--data", "my images")


def test_gpus_that_are_idle_are_pointed_out_with_the_command(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.idle_gpus_note(CUDA, VERIFY) == (
        "2 GPUs are visible and one is used. To use all: "
        "torchrun --nproc-per-node 2 -m vanbench verify --all --data 'my images'"
    )


@pytest.mark.parametrize(
    ("device", "count", "here"),
    [
        (CUDA, 1, devices.ONE),
        (torch.device("cuda:1"), 2, devices.ONE),  # chosen by its number
        (CUDA, 2, devices.Processes(0, 2, 0, 2)),
        (CPU, 2, devices.ONE),
        (MPS, 0, devices.ONE),
    ],
)
def test_no_gpu_is_idle(device, count, here, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert devices.idle_gpus_note(device, VERIFY, here) is None


def test_a_gpu_is_made_the_current_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device", lambda device: ("current", device))
    second = torch.device("cuda:1")
    assert devices.current_device(second) == ("current", second)
    with devices.current_device(CPU):
        pass
