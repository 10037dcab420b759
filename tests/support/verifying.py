"""``vanbench verify`` as its user runs it, with a zoo whose files a server on localhost has."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tests.support.arranged import Claim, checkpoint, published_name
from tests.support.faultserver import FaultServer
from vanbench.checkpoints.key_names import OFFICIAL, OPENMMLAB, Format
from vanbench.cli.group import main
from vanbench.model.van import VAN


class Shell:
    """The command line with a cache, a results folder and a zoo of its own."""

    def __init__(self, folder: Path, data: Path):
        self.folder, self.data = folder, data
        self.zoo = folder / "zoo.toml"
        self.results = folder / "results"

    def __call__(self, *args: Any, code: int = 0) -> Result:
        common = ["--zoo", self.zoo, "--cache", self.folder / "cache", "--results", self.results]
        outcome = CliRunner().invoke(main, [str(a) for a in (*args, *common)])
        assert outcome.exit_code == code, outcome.output
        assert "Traceback" not in outcome.output
        return outcome

    def verify(self, *args: Any, code: int = 0) -> dict[str, Any]:
        command = ("verify", "--all", "--data", self.data, "--workers", "0", "--json", *args)
        document: dict[str, Any] = json.loads(self(*command, code=code).stdout)
        assert document["schema"] == 1
        assert document["ok"] is (code == 0)
        return document

    def record(self, name: str = "van_test.in1k") -> Path:
        return self.results / "test" / f"{name}.json"


def claim(
    server: FaultServer,
    model: VAN,
    name: str = "van_test.in1k",
    fmt: Format = OPENMMLAB,
    **changes: str,
) -> Claim:
    """The claim of a model whose file is put on the server; ``changes`` are fields of it."""
    content = checkpoint(model, fmt, legacy=fmt is OPENMMLAB, nest=fmt is OFFICIAL)
    file = changes.pop("file", published_name(content))
    url = server.put(f"/{name}/{file}", content)
    return Claim(name, url, model, **{"top1": "54.17", "top5": "79.17"} | changes)
