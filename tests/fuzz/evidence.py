"""Files of evidence, read alone and in an audit of the record that names them."""

import random
from pathlib import Path
from typing import Any

from tests.fuzz.kind import Kind
from tests.fuzz.mutators import json_value
from tests.support.evidence import record_with_evidence
from tests.support.recorded import NAME, entry_in, full_record
from vanbench.errors import RecordError
from vanbench.evidence import labels_file, top5_file
from vanbench.evidence.audit import audit
from vanbench.evidence.rows_file import UnexpectedError
from vanbench.zoo.reader import load_zoo


def _make(suffix: str) -> Any:
    def make(folder: Path) -> list[Path]:
        record_with_evidence(folder, full_record(entry_in(folder)))
        return list(folder.glob(f"evidence/*/*.{suffix}"))

    return make


def _read(folder: Path, path: Path) -> Any:
    """The audit must find every change, and decoding give the content or say what is wrong."""
    found = audit(folder / "zoo" / f"{NAME}.json", [load_zoo(str(folder / "zoo.toml"))])
    module = top5_file if path.suffix == ".top5" else labels_file
    content = path.read_bytes()
    try:
        decoded: Any = module.decode(content)
        assert module.encode(decoded) == content
    except UnexpectedError as error:
        raise RecordError(f"{error}", where=path) from error
    return [str(finding) for finding in found.findings], repr(decoded)


def _not_found(original: Any, found: Any) -> str:
    """A change that an audit does not find."""
    same = found[1] == original[1]
    return "" if same or found[0] else "other content, and the audit found nothing"


def header_value(data: bytes, chance: random.Random) -> bytes:
    """A value of the header becomes an odd one."""
    header, _, rows = data.partition(b"\n")
    return json_value(header, chance).replace(b" ", b"") + b"\n" + rows


KINDS = {
    "evidence-top5": Kind(_make("top5"), _read, (header_value,), _not_found),
    "evidence-labels": Kind(_make("labels"), _read, (header_value,), _not_found),
}
