"""The names of the runtimes. No torch here: the command line offers them."""

REFERENCE, OPTIMIZED, COMPILED, ONNXRUNTIME, OPENVINO = NAMES = (
    "reference",
    "optimized",
    "compiled",
    "onnxruntime",
    "openvino",
)

QUANTISED = (ONNXRUNTIME, OPENVINO)
"""Those that compute in int8."""

AUTO = "auto"
"""The fastest runtime that agrees with the reference; see ``runtimes.choose``."""
