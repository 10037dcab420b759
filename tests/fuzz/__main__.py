"""``python -m tests.fuzz``: about 10,000 changed files; ``python -m tests.fuzz KIND SEED``: one."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.cases import VIOLATION, Bench, all_kinds
from tests.fuzz.runner import keep, run_cases, tally


def main() -> int:
    """1 if a case broke the rule."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kind", nargs="?", help="run cases of this kind only")
    parser.add_argument(
        "seed", nargs="?", type=int, help="run this case only, and say what it gave"
    )
    parser.add_argument("--cases", type=int, default=10_000, help="how many in all")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="for violations")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return _one(arguments.kind, arguments.seed)
    names = [arguments.kind] if arguments.kind else sorted(all_kinds())
    return _many(names, arguments)


def _one(kind: str, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        result = Bench(kind, Path(folder)).run(seed)
    print(f"{result.outcome}: {result.seconds:.2f} s, {result.memory / 1e6:.0f} MB\n{result.note}")
    return int(result.outcome == VIOLATION)


def _many(names: list[str], arguments: argparse.Namespace) -> int:
    each = -(-arguments.cases // len(names))
    seeds = range(arguments.first, arguments.first + each)
    cases = [(name, seed) for name in names for seed in seeds]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for result in run_cases(cases, Path(folder), jobs=arguments.jobs):
            results.append(result)
            if result.outcome == VIOLATION:
                place = keep(result, arguments.folder)
                print(f"{place}: {result.note.strip().splitlines()[-1][:300]}", flush=True)
            elif len(results) % 1000 == 0:
                print(f"{len(results):,} of {len(cases):,}", file=sys.stderr)
    print(tally(results))
    return int(any(result.outcome == VIOLATION for result in results))


if __name__ == "__main__":
    sys.exit(main())
