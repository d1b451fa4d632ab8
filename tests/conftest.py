"""Fixtures that every test folder shares."""

import os
from pathlib import Path

import pytest
import torch

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Processes that tests start have one thread as well: last digits hang on their number.
os.environ.setdefault("OMP_NUM_THREADS", "1")
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


@pytest.fixture
def saliency_weights(tmp_path: Path) -> Path:
    """The file of an untrained saliency network on the slim trunk, that looks mirrored, too."""
    from backend.networks import TORCHVISION
    from backend.networks.saliency import SaliencyNetwork
    from backend.weights import WeightsCard, save

    torch.manual_seed(0)
    network = SaliencyNetwork("slim", side_channels=4, carried=2, head_start="he", flip=True)
    card = WeightsCard(
        name="sal", kind="saliency", backbone="slim", stride=network.backbone.stride, classes=(),
        class_ids=(), normalisation=TORCHVISION, input_size=48, origin={"text": "for a test"},
        architecture=network.settings,
    )  # fmt: skip
    save(tmp_path / "sal.safetensors", network.eval(), card)
    return tmp_path / "sal.safetensors"
