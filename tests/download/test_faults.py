"""Downloads from a server that misbehaves: the right file under its name, or the right reason.

``make faults`` runs all of it and prints the tally.
"""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.support.faultserver import BEHAVIOURS, FaultServer
from vanbench.download.cache import Wanted, fetch
from vanbench.download.partial import Origin, Part
from vanbench.download.retry_policy import RetryPolicy
from vanbench.errors import FetchError

CONTENT = random.Random(1).randbytes(40_000)
EARLIER = random.Random(2).randbytes(40_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = f"weights-{SHA256[:8]}.pth"

QUICK = RetryPolicy(
    connect_timeout=5,
    read_timeout=1.0,
    answer_timeout=2.0,
    stall_timeout=2.5,
    attempts=3,
    backoff=0.005,
    longest_wait=5,
    largest=200_000,
)
HARMLESS = [name for name, b in BEHAVIOURS.items() if not b.causes]
HARMFUL = [name for name, b in BEHAVIOURS.items() if b.causes]
SLOW = [
    name
    for name, b in BEHAVIOURS.items()
    if "timeout" in b.causes or name.startswith("slow_") or name.endswith(("_trailers", "_second"))
]
LEFTOVERS = ("nothing", "half", "half of the earlier file", "damaged half", "half without note")


@dataclass(frozen=True)
class Scenario:
    """What an earlier run left, and what each source does from then on."""

    leftover: str
    scripts: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return f"{self.leftover}; " + " | ".join(" → ".join(s) for s in self.scripts)


@dataclass
class Outcome:
    """``problem`` is what is wrong with it, empty if nothing is."""

    problem: str = ""
    causes: tuple[str, ...] = ()


def single_scenarios() -> list[Scenario]:
    """Every behaviour, never ending, on every leftover."""
    some = ("nothing", "half")
    return [
        Scenario(leftover, ((name,),))
        for name in BEHAVIOURS
        for leftover in (some if name in SLOW else LEFTOVERS)
    ]


def combined_scenarios(count: int, seed: int) -> list[Scenario]:
    """Successions of random behaviours from one or two sources."""
    rng = random.Random(seed)
    fast = [name for name in BEHAVIOURS if name not in SLOW]
    scenarios = []
    for _ in range(count):
        scripts = [
            (*rng.choices(fast, k=rng.randint(0, 3)), rng.choice((*HARMLESS, "right", *fast)))
            for _ in range(rng.choice((1, 1, 2)))
        ]
        scenarios.append(Scenario(rng.choice(LEFTOVERS), tuple(scripts)))
    return scenarios


def leave(cache: Path, leftover: str, url: str) -> None:
    """What a killed run would have left in the cache."""
    part = Part(cache / ".vanbench", NAME)
    part.path.parent.mkdir(parents=True)
    half = len(CONTENT) // 2
    note = Origin(url, '"right"', formatdate(1_650_000_000, usegmt=True), len(CONTENT))
    earlier = Origin(url, '"earlier"', formatdate(1, usegmt=True), len(EARLIER))
    data, origin = {
        "nothing": (None, None),
        "half": (CONTENT[:half], note),
        "half of the earlier file": (EARLIER[:half], earlier),
        "damaged half": (bytes(100) + CONTENT[100:half], note),
        "half without note": (CONTENT[:half], None),
    }[leftover]
    if data:
        part.path.write_bytes(data)
    if origin:
        part.note.write_text(json.dumps(asdict(origin)))


def play(server: FaultServer, scenario: Scenario, number: int, cache: Path) -> Outcome:
    """Run one scenario and judge how it ends."""
    urls = []
    for i, script in enumerate(scenario.scripts):
        path = f"/{number}/{i}/{NAME}"
        urls.append(server.put(path, CONTENT, script, earlier=EARLIER))
    leave(cache, scenario.leftover, urls[0])
    outcome = Outcome()
    try:
        fetched = fetch(Wanted(NAME, tuple(urls)), cache, policy=QUICK)
        outcome.problem = wrong_success(fetched.path, cache)
    except FetchError as error:
        outcome.causes = error.kinds
        outcome.problem = wrong_failure(scenario, error, cache)
    except Exception as error:  # a traceback is one of the outcomes that must not be
        outcome.problem = f"a traceback: {error!r}"
    return outcome


def wrong_success(path: Path, cache: Path) -> str:
    if path != cache / NAME or path.read_bytes() != CONTENT:
        return "a wrong file"
    left = list((cache / ".vanbench").glob("*.part*"))
    return f"left over: {left}" if left else ""


def wrong_failure(scenario: Scenario, error: FetchError, cache: Path) -> str:
    if (cache / NAME).exists():
        return "a failure, and yet a file under the name"
    if any(all(step in HARMLESS for step in script) for script in scenario.scripts):
        return f"a failure although a source has the file: {error}"
    for script, cause in zip(scenario.scripts, error.kinds, strict=True):
        if cause not in possible_causes(script):
            return f"the wrong cause {cause}: {error}"
    return ""


def possible_causes(script: Sequence[str]) -> set[str]:
    causes = set().union(*(BEHAVIOURS[step].causes for step in script))
    return causes if len(script) == 1 else causes | {"changed"}


def play_all(scenarios: Sequence[Scenario], tmp_path: Path) -> list[Outcome]:
    """All scenarios, several at a time: most of their time is waiting."""
    with FaultServer() as server, ThreadPoolExecutor(12) as pool:
        jobs = [
            pool.submit(play, server, scenario, i, tmp_path / str(i))
            for i, scenario in enumerate(scenarios)
        ]
        return [job.result(timeout=60) for job in jobs]


def report(title: str, scenarios: Sequence[Scenario], outcomes: Sequence[Outcome]) -> None:
    """Print the tally, and fail with every scenario that ended wrongly."""
    ends = Counter(" + ".join(o.causes) or "the right file" for o in outcomes)
    wrong = [f"{s}: {o.problem}" for s, o in zip(scenarios, outcomes, strict=True) if o.problem]
    print(f"\n{title}: {len(scenarios)} scenarios, {len(wrong)} ended wrongly")
    for end, count in ends.most_common(12):
        print(f"  {count:4d}  {end}")
    assert not wrong, "\n".join(wrong)


def test_each_behaviour_alone(tmp_path):
    scenarios = single_scenarios()
    outcomes = play_all(scenarios, tmp_path)
    report("Each behaviour alone", scenarios, outcomes)
    for scenario, outcome in zip(scenarios, outcomes, strict=True):
        if scenario.scripts[0][0] in HARMFUL:
            assert outcome.causes, f"{scenario}: expected a failure"


def test_behaviours_combined(tmp_path):
    scenarios = combined_scenarios(200, seed=20220501)
    report("Combined at random", scenarios, play_all(scenarios, tmp_path))


@pytest.mark.slow
def test_more_behaviours_combined(tmp_path):
    scenarios = combined_scenarios(2000, seed=20220909)
    report("Combined at random, long form", scenarios, play_all(scenarios, tmp_path))


DOWNLOADER = """
import sys
from pathlib import Path
from vanbench.download.cache import Wanted, fetch

url, cache = sys.argv[1:]
fetched = fetch(Wanted(url.rsplit("/", 1)[-1], (url,)), Path(cache))
print("cache" if fetched.url is None else "transfer")
"""


def download(url: str, cache: Path) -> subprocess.Popen:
    """A process of its own that fetches ``url``."""
    command = [sys.executable, "-c", DOWNLOADER, url, str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()


def kill_and_resume(server: FaultServer, path: str, cache: Path, after: int) -> None:
    """Kill a download once ``after`` bytes are there; the next one must only fetch the rest."""
    url = server.put(path, CONTENT, ["waits_midway", "right"], pause_at=after)
    part = Part(cache / ".vanbench", NAME)
    process = download(url, cache)
    while part.size < after and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert not (cache / NAME).exists()
    kept = part.size

    fetched = fetch(Wanted(NAME, (url,)), cache, policy=QUICK)

    assert fetched.path.read_bytes() == CONTENT
    last = server.requests_for(path)[-1]
    assert kept >= after
    assert last.sent == len(CONTENT) - kept
    assert last.headers.get("range") == f"bytes={kept}-"


def killed_at(moments: Sequence[int], tmp_path: Path) -> None:
    with FaultServer() as server, ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(kill_and_resume, server, f"/{i}/{NAME}", tmp_path / str(i), moment)
            for i, moment in enumerate(moments)
        ]
        for job in jobs:
            job.result(timeout=120)
    print(f"\nKilled: {len(moments)} downloads, all finished by the next run")


def test_a_killed_download_is_continued(tmp_path):
    killed_at([600, 12_345, 39_999], tmp_path)


@pytest.mark.slow
def test_downloads_killed_at_thirty_moments_are_continued(tmp_path):
    killed_at(random.Random(3).sample(range(600, len(CONTENT)), 30), tmp_path)


@pytest.mark.slow
def test_downloads_killed_at_any_time_leave_nothing_wrong(tmp_path):
    """Killed by the clock, so also before, after and between the writes of part and note."""
    rng, killed = random.Random(4), 0
    with FaultServer() as server:
        for i in range(30):
            path, cache = f"/{i}/{NAME}", tmp_path / str(i)
            url = server.put(path, CONTENT, ["in_pieces"])
            process = download(url, cache)
            time.sleep(rng.uniform(0.1, 0.35))
            process.kill()
            process.communicate(timeout=60)
            killed += process.returncode == -signal.SIGKILL
            assert fetch(Wanted(NAME, (url,)), cache, policy=QUICK).status == "verified"
            assert (cache / NAME).read_bytes() == CONTENT
    print(f"\nKilled by the clock: {killed} of 30 before they were done")
    assert killed


def test_two_processes_make_one_transfer(tmp_path):
    with FaultServer() as server:
        path = f"/{NAME}"
        url = server.put(path, CONTENT, ["in_pieces"])
        processes = [download(url, tmp_path) for _ in range(2)]
        assert sorted(finish(process) for process in processes) == ["cache", "transfer"]
        assert server.sent(path) == len(CONTENT)
        assert len(server.requests_for(path)) == 1


def test_threads_make_one_transfer_per_file(tmp_path):
    with FaultServer() as server, ThreadPoolExecutor(6) as pool:
        urls = [server.put(f"/{i}/{NAME}", CONTENT, ["in_pieces"]) for i in range(2)]
        caches = [tmp_path / str(i) for i in range(2)]
        jobs = [
            pool.submit(fetch, Wanted(NAME, (url,)), cache)
            for url, cache in [*zip(urls, caches, strict=True)] * 3
        ]
        assert {job.result(timeout=60).status for job in jobs} == {"verified"}
        assert [len(server.requests_for(f"/{i}/{NAME}")) for i in range(2)] == [1, 1]


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    with FaultServer() as server:
        path = f"/{NAME}"
        url = server.put(path, CONTENT, ["waits_midway", "right"], pause_at=5000)
        first = download(url, tmp_path)
        while not Part(tmp_path / ".vanbench", NAME).size and first.poll() is None:
            time.sleep(0.002)
        second = download(url, tmp_path)  # waits for the first one's lock
        first.kill()
        first.communicate(timeout=60)
        assert finish(second) == "transfer"
        assert (tmp_path / NAME).read_bytes() == CONTENT


ZOO = """
schema = 1
name = "mine"
title = "Mine"
source = "here"
"""
ENTRY = """
[models."van_b{number}.x"]
architecture = "van_b{number}"
url = "{url}"
"""


def test_two_commands_that_download_all_make_one_transfer_per_file(tmp_path):
    with FaultServer() as server:
        zoo, paths = ZOO, []
        for number in range(3):
            content = CONTENT + bytes([number])
            path = f"/weights-{hashlib.sha256(content).hexdigest()[:8]}.pth"
            zoo += ENTRY.format(number=number, url=server.put(path, content, ["in_pieces"]))
            paths.append(path)
        (tmp_path / "zoo.toml").write_text(zoo)
        command = [sys.executable, "-m", "vanbench", "download", "--all", "--zoo", "zoo.toml",
                   "--cache", "cache"]  # fmt: skip
        processes = [
            subprocess.Popen(
                command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for process in processes:
            assert finish(process).count("  verified  ") == 3
        assert [len(server.requests_for(path)) for path in paths] == [1, 1, 1]
