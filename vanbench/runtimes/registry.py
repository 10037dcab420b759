"""All runtimes by name, in the order in which they are shown."""

from vanbench.runtimes.in_torch import Compiled, Optimized, Reference
from vanbench.runtimes.interface import Runtime
from vanbench.runtimes.onnx_runtime import OnnxRuntime
from vanbench.runtimes.open_vino import OpenVino

RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (Reference(), Optimized(), Compiled(), OnnxRuntime(), OpenVino())
}
"""As many as there are in ``names.NAMES``."""
