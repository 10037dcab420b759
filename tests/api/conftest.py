"""One verification of the demo zoo by the API, which several tests look at."""

import pytest

import vanbench

OFFLINE = {"zoo": "demo", "workers": 0, "device": "cpu", "offline": True}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of the verification's records and predictions."""
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="session")
def verified(folder):
    """Both models of the demo zoo, verified over the shipped images."""
    return vanbench.verify("all", results=folder / "results", cache=folder / "cache", **OFFLINE)
