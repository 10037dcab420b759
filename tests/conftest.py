"""One thread per test process: the networks are tiny, and the suite runs in parallel."""

import os

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start, too


@pytest.fixture(autouse=True)
def no_options_from_the_shell(monkeypatch):
    """Options that a developer's shell sets are not the tests'."""
    for name in os.environ:
        if name.startswith("VANBENCH_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def no_files_in_the_developers_cache(tmp_path_factory):
    """Downloads and outcomes of trials go to a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
