"""OpenVINO as a runtime: nothing is sent, whatever the library does by itself."""

import os
import subprocess
import sys

WATCH = """
import os, sys
def watch(event, _):
    if event.startswith("socket.") or event == "os.fork":
        os.write(1, (event + "\\n").encode())
sys.addaudithook(watch)
"""

COMPUTE = """
import torch
from vanbench.model.architecture import Architecture
from vanbench.model.build import random_weights
from vanbench.runtimes.interface import Setting
from vanbench.runtimes.registry import RUNTIMES
model = random_weights(Architecture((8, 16, 24, 40), (1, 1, 1, 1), (2, 2, 2, 2), 10))
setting = Setting(torch.device("cpu"), resolution=32)
print(tuple(RUNTIMES["openvino"].prepare(model, setting)(torch.zeros(3, 3, 32, 32)).shape))
"""


def output(code, home):
    """What a new program prints, in a home folder without any consent to telemetry."""
    env = {
        "HOME": str(home),
        "LOCALAPPDATA": str(home),
        "PATH": "",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    ).stdout


def test_computing_opens_no_connection_and_forks_no_process(tmp_path):
    assert output(WATCH + COMPUTE, tmp_path) == "(3, 10)\n"
    assert not any(tmp_path.rglob("*telemetry*")), "not even a file for consent"


def test_the_watch_would_see_a_connection(tmp_path):
    code = "import socket\nsocket.getaddrinfo('localhost', 80)"
    assert output(WATCH + code, tmp_path) == "socket.getaddrinfo\n"


def test_the_module_for_telemetry_can_be_imported_afterwards(tmp_path):
    code = (
        "import sys\nfrom vanbench.runtimes.open_vino import without_telemetry\n"
        "print(without_telemetry().__name__, 'openvino_telemetry' in sys.modules)"
    )
    assert output(code, tmp_path) == "openvino False\n"
