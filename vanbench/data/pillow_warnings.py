"""Pillow's warnings about the content of images, sent to the log.

Nothing calls this on import: it changes the warnings of the process. Only the command line, which
restores them, and the processes that decode images use it.
"""

import logging
import warnings
from pathlib import Path
from typing import Any

from vanbench.outside.safe_text import for_terminal

_LOG = logging.getLogger(__name__)


def log_pillow_warnings() -> None:
    """From now on, log Pillow's warnings; show the others as before.

    They are not raised as errors either. ``warnings.catch_warnings`` undoes it.
    """
    show_others = warnings.showwarning

    def show(
        message: Warning | str, category: type[Warning], filename: str, *place: Any, **more: Any
    ) -> None:
        if "PIL" in Path(filename).parts:
            _LOG.info("Pillow: %s", for_terminal(str(message), most=200))
        else:
            show_others(message, category, filename, *place, **more)

    warnings.filterwarnings("always", module=r"PIL\.")
    warnings.showwarning = show
