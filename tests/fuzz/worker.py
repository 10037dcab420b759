"""A process that runs cases: a line ``KIND SEED`` on stdin, a line of JSON on stdout for each.

Its address space is bounded, so that a case that takes much memory fails in it and nowhere else.
The program that started it ends it when a case takes too long.
"""

import json
import os
import resource
import sys
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.cases import Bench

ADDRESS_SPACE = 3_000_000_000  # bytes over what the process has at its first case of a kind


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    folder = Path(sys.argv[1])
    benches: dict[str, Bench] = {}
    for line in sys.stdin:
        name, seed = line.split()
        if name not in benches:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, _hard()))
            try:
                benches[name] = Bench(name, folder)
            except Exception as error:
                answers.write(f"useless: the valid files give {error!r:.300}\n")
                answers.flush()
                continue
            _limit()
        answers.write(json.dumps(asdict(benches[name].run(int(seed)))) + "\n")
        answers.flush()


def _hard() -> int:
    return resource.getrlimit(resource.RLIMIT_AS)[1]


def _limit() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, _hard()))


if __name__ == "__main__":
    main()
