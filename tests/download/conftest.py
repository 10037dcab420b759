"""A server that misbehaves as told, and an empty cache."""

import pytest

from tests.support.faultserver import FaultServer


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"
