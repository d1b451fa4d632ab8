"""Fixtures that every test folder shares."""

import os
from pathlib import Path

import pytest
import torch

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the photographs of ../shared/data are not on this machine")
    return SHARED_DATA


@pytest.fixture
def long_sweep() -> bool:
    """True under `make test-long`, where sweeps run in full."""
    return os.environ.get("TAGMASK_LONG") == "1"
