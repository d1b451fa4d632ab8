"""Every attention method on every trunk: one step reaches the whole of it, and maps come out."""

import math
import shutil
from pathlib import Path

import pytest
import torch

from backend.exchange.sources import open_source
from backend.labels import read_heat
from backend.weights import load
from training import checkpoints
from training.recipes import BACKBONES

from .conftest import events_of, train

METHODS = ("oaa", "oaaplus", "seenet", "ecsnet")
# Many seconds each: only in the long sweep.
LARGE = ("vgg16", "resnet101", "resnet38")


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", METHODS)
def test_one_step_reaches_every_layer_and_gives_maps(
    scenes: Path, oaa_run: Path, tmp_path: Path, name: str, backbone: str, long_sweep: bool
):
    if backbone in LARGE and not long_sweep:
        pytest.skip(f"{backbone} is in the long sweep (make test-long)")
    run = tmp_path / "run"
    rates = ["--optimiser", "sgd", "--learning-rate", "1e-3", "--weight-decay", "0"]
    how = ["--steps", "1", "--watch-every", "-1", "--backbone", backbone, *rates]
    more = ["--from", str(oaa_run)] if name == "oaaplus" else []
    try:
        assert train(name, scenes, run, *how, *more) == 0
        (loss,) = [e["loss"] for e in events_of(run) if e["kind"] == "progress" and "loss" in e]
        assert loss["total"] > 0
        assert all(math.isfinite(part) for part in loss.values())

        network, card = load(run)
        assert card.backbone == backbone
        kept = torch.load(checkpoints.newest(run), weights_only=True)["kept"]
        assert kept["network"].keys() == network.state_dict().keys()
        maps = {str(path.relative_to(run / "maps")) for path in (run / "maps").rglob("*.png")}
        source = open_source(scenes)
        assert maps == {
            f"{item.name}/{source.classes[tag]}.png" for item in source.items for tag in item.tags
        }
        heats = [read_heat(run / "maps" / path) for path in maps]
        assert all(0 <= heat.min() <= heat.max() <= 1 for heat in heats)
        assert any(heat.max() == 1 for heat in heats)

        # After one step from rest the optimiser's momentum is the gradient.
        learnt = [state["momentum_buffer"] for state in kept["optimiser"]["state"].values()]
        assert len(learnt) == len(list(network.parameters()))
        assert all(bool(each.isfinite().all()) for each in learnt)
        without = [tuple(each.shape) for each in learnt if not each.any()]
        assert not without
    finally:
        # A large trunk's checkpoint takes hundreds of megabytes.
        shutil.rmtree(run, ignore_errors=True)
