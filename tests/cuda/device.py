"""The GPU of these tests, and their marks: ``pytest -m gpu`` runs them where there is one."""

import pytest
import torch

CUDA = torch.device("cuda")
MARKS = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
