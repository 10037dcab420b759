"""The command line as tests call it."""

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from vanbench.cli.group import main

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "vanbench/zoos/demo"
DEMO_IMAGES = DEMO / "images"


def demo_checkpoint() -> Path:
    """The file of the demo zoo's smallest model."""
    (found,) = DEMO.glob("van-nano*.pth")
    return found


def run(*arguments: Any, code: int = 0, env: dict[str, str] | None = None) -> Result:
    """Run vanbench in this process; the exit code must be ``code``, without a traceback."""
    outcome = CliRunner().invoke(main, [str(argument) for argument in arguments], env=env)
    assert outcome.exit_code == code, outcome.output
    assert "Traceback" not in outcome.output
    return outcome
