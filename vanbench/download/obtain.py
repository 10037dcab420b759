"""The file of a zoo entry, checked against the published hash and the recorded one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vanbench.distributed import ALONE, Team
from vanbench.download.cache import Fetched, fetch
from vanbench.download.outcome_json import OutcomeJson
from vanbench.download.transfer import local_path
from vanbench.download.wanted import Wanted
from vanbench.errors import (
    FetchError,
    NoFileError,
    VanbenchError,
    error_json,
    unexpected_as_errors,
)
from vanbench.model.expected_counts import expected_params
from vanbench.model.torchvision_architecture import AnyArchitecture, TorchvisionArchitecture
from vanbench.progress import Progress, guarded_progress, raising_callers_errors, silent
from vanbench.report import record_files, records
from vanbench.report.records import Record
from vanbench.zoo.entries import Entry, Zoo

_COPIES = 8
_LEAST_LIMIT = 256 << 20
_TORCHVISION_LIMIT = 5 << 30  # twice the largest published file


@dataclass(frozen=True)
class Sources:
    """Where files may come from: the cache, mirrors before the published URLs, the network."""

    cache: Path
    mirrors: tuple[str, ...] = ()
    offline: bool = False

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of this machine among them, which a record must not name."""
        return (str(self.cache), *(m for m in self.mirrors if local_path(m) is not None))


@dataclass(frozen=True)
class Outcome:
    """A file, or why there is none."""

    entry: Entry
    fetched: Fetched | None
    error: VanbenchError | None

    @property
    def status(self) -> str:
        """The checkpoint status of the contract."""
        if self.fetched:
            return self.fetched.status
        return file_status(self.error) if self.error else "missing"

    @property
    def failure(self) -> VanbenchError | None:
        """The error, unless the claim has no file: then nothing went wrong."""
        return None if isinstance(self.error, NoFileError) else self.error

    def as_json(self) -> OutcomeJson:
        """The form of ``download --json`` for one model."""
        fetched = self.fetched
        return {
            "name": self.entry.name,
            "checkpoint": {
                "url": self.entry.public_url or None,
                "path": str(fetched.path) if fetched else None,
                "bytes": fetched.bytes if fetched else None,
                "sha256": fetched.sha256 if fetched else None,
                "status": self.status,
                "reason": str(self.error) if self.error else None,
            },
            "error": error_json(self.failure) if self.failure else None,
        }


def wanted_file(entry: Entry, recorded: Record | None = None) -> Wanted:
    """The entry's file; once a full hash is on record, it has to be that file."""
    known = recorded.checkpoint if recorded else None
    return Wanted(
        entry.filename,
        entry.urls,
        entry.sha256,
        recorded=known.sha256 if known and known.status == records.VERIFIED else None,
        shares_filename=entry.shares_filename,
        most=plausible_bytes(entry.architecture),
        no_file=entry.no_file,
    )


def plausible_bytes(architecture: AnyArchitecture) -> int:
    """How many bytes a training checkpoint of an architecture has at most, with a wide margin.

    AdamW keeps two values for each parameter, an averaged model one more: four copies of float32,
    here twice that. Small networks get a limit that does not depend on the width of the head.
    """
    if isinstance(architecture, TorchvisionArchitecture):
        return _TORCHVISION_LIMIT
    params, _ = expected_params(architecture)
    return max(_LEAST_LIMIT, 4 * _COPIES * params)


def obtain(
    entry: Entry, sources: Sources, recorded: Record | None = None, progress: Progress = silent
) -> Fetched:
    """The entry's file, hash-checked; FetchError otherwise.

    Once a full hash is on record, another file with the published prefix is a mismatch too.
    """
    with progress(entry.name, "B") as update:
        return fetch(
            wanted_file(entry, recorded),
            sources.cache,
            mirrors=sources.mirrors,
            offline=sources.offline,
            progress=update,
        )


@raising_callers_errors()
def obtain_all(
    zoo: Zoo,
    entries: Sequence[Entry],
    sources: Sources,
    results: Path,
    progress: Progress = silent,
    team: Team = ALONE,
) -> list[Outcome]:
    """Each entry's file, or the reason why there is none; one failure does not stop the others.

    One process of each node downloads and hashes it for all processes of the node.
    """
    progress = guarded_progress(progress)
    outcomes = []
    for entry in entries:
        recorded = record_files.read(results, zoo.name, entry)
        try:
            with unexpected_as_errors():
                once = partial(obtain, entry, sources, recorded, progress)
                fetched = team.agree(partial(team.on_each_node, once))
                outcomes.append(Outcome(entry, fetched, None))
        except VanbenchError as error:
            outcomes.append(Outcome(entry, None, error))
    return outcomes


def file_status(error: VanbenchError) -> str:
    """The checkpoint status of a record for a file that could not be obtained."""
    return error.status if isinstance(error, FetchError) else "missing"
