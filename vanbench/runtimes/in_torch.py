"""The runtimes that need nothing but torch: the reference, its exact rewrite, the compiled one."""

from torch import nn

from vanbench.devices import TORCH_PRECISIONS
from vanbench.inference.optimized import compiled, optimize
from vanbench.model.van import VAN
from vanbench.runtimes import names
from vanbench.runtimes.interface import Runtime, Setting


class Reference(Runtime):
    """The reference model as it is."""

    name = names.REFERENCE
    distributions = ("torch",)
    precisions = TORCH_PRECISIONS

    def prepare(self, model: VAN, setting: Setting) -> nn.Module:
        """The model itself."""
        return model


class Optimized(Reference):
    """The exact rewrite (``inference.optimized``)."""

    name = names.OPTIMIZED

    def prepare(self, model: VAN, setting: Setting) -> nn.Module:
        """The rewrite of a copy of the model."""
        return optimize(model, config=setting.rewrite, precision=setting.precision)


class Compiled(Reference):
    """The exact rewrite, compiled by torch; its first batch takes minutes."""

    name = names.COMPILED

    def prepare(self, model: VAN, setting: Setting) -> nn.Module:
        """The rewrite of a copy of the model, which its first call compiles."""
        return compiled(model, config=setting.rewrite)
