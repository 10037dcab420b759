"""A CUDA device without a GPU: these tests are skipped where torch cannot pretend to have one."""

import pytest
import torch

from tests.fake_cuda.trace import why_not


def pytest_collection_modifyitems(items):
    here = [item for item in items if "fake_cuda" in item.path.parts]
    reason = why_not() if here else ""
    for item in here:
        item.add_marker(
            pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
        )
        if reason:
            item.add_marker(pytest.mark.skip(reason=f"no fake CUDA device: {reason}"))


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """The same where there is a GPU; autocast works as on one that has bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: None)
