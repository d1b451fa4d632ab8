"""Tiny networks of every kind, saved and loaded as a run's weights are, ready to look."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backend.inspection import Inspector, StageMap
from backend.networks import Normalisation
from backend.saliency import SaliencySource
from backend.weights import KINDS, WeightsCard, load, save

PLAIN = Normalisation("rgb", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
CLASSES = ("cat", "dog", "cow")
IDS = (8, 12, 10)
CAT, DOG, HORSE = (8, "cat"), (12, "dog"), (13, "horse")
SIDE = 48

Make = Callable[..., Inspector]


def middle(image: np.ndarray) -> np.ndarray:
    """A detector for which the middle half of the columns stands out."""
    heat = np.zeros(image.shape[:2], np.float32)
    width = image.shape[1]
    heat[:, width // 4 : width - width // 4] = 1
    return heat


@pytest.fixture
def image() -> np.ndarray:
    """48 x 64 of smooth colours, so that maps differ from place to place."""
    small = np.random.default_rng(1).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.kron(small, np.ones((8, 8, 1), np.uint8))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A loaded inspector of a kind of weights; `nothing` biases its scores far below zero."""

    def made(kind: str, *, nothing: bool = False, **arguments: Any) -> Inspector:
        torch.manual_seed(0)
        given = {"head_start": "he", **arguments}
        if kind not in ("ecsnet", "dcsp"):
            given = {"head_channels": 8, "head_layers": 1, **given}
        network: Any = KINDS[kind]("slim", len(CLASSES), **given)
        if nothing:
            with torch.no_grad():
                for name, parameter in network.named_parameters():
                    if name.endswith("bias") and len(parameter) == len(CLASSES):
                        parameter -= 100
        card = WeightsCard(
            name="tiny", kind=kind, backbone="slim", stride=network.backbone.stride,
            classes=CLASSES, class_ids=IDS, normalisation=PLAIN, input_size=SIDE,
            architecture=network.settings,
        )  # fmt: skip
        save(tmp_path / "weights.safetensors", network.eval(), card)
        loaded, card = load(tmp_path / "weights.safetensors")
        source = SaliencySource("middle", "test", detector=middle)
        return Inspector(loaded, card, source, folder=tmp_path)

    return made


class Counted:
    """How often modules ran, until `clear`."""

    def __init__(self, **modules: nn.Module) -> None:
        self.runs = dict.fromkeys(modules, 0)
        for name, module in modules.items():
            module.register_forward_hook(lambda *_, name=name: self._add(name))

    def _add(self, name: str) -> None:
        self.runs[name] += 1

    def clear(self) -> None:
        self.runs = dict.fromkeys(self.runs, 0)


def by_stage(stages: Iterator[StageMap]) -> dict[str, StageMap]:
    return {f"{made.stage}:{made.tag}" if made.tag else made.stage: made for made in stages}


def input_of(inspector: Inspector, image: np.ndarray) -> torch.Tensor:
    """What the network is shown of an image that has its input size already."""
    assert min(image.shape[:2]) == inspector.card.input_size
    return inspector.card.normalisation.tensor(image)[None]
