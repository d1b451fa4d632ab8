"""A recipe stopped where its training would begin: its own bench, network and step, to be timed."""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import cv2
import numpy as np
import torch
from torch import nn

from backend.exchange.sources import open_source
from backend.labels import write_heat
from training.bench import Bench
from training.events import EventWriter, Heartbeat
from training.loop import Kept, Step
from training.options import settle
from training.recipes import find_recipe
from training.run import Run, write_config

# Every part of a method at work from the first step on, and nothing that waits for a pass or a
# gate: the most that a step of each can cost.
BUSY: dict[str, dict[str, Any]] = {
    "oaa": {"warmup_passes": 0, "gate": "none"},
    "oaaplus": {"start": "trunk"},
    "ecsnet": {"patience": 0},
}

SPLIT = "train"


@dataclass
class Taken:
    """What a recipe hands to `Bench.fit`."""

    bench: Bench
    network: nn.Module
    step: Step
    keep: Mapping[str, Kept] | None

    def fit(self, step: Step, steps: int, watch_every: int = -1) -> None:
        """Trains through the recipe's own `Bench.fit`, with this step in place of its own."""
        bench = self.bench
        bench.settings = replace(bench.settings, steps=steps, epochs=1, watch_every=watch_every)
        with (
            contextlib.redirect_stderr(io.StringIO()),
            Heartbeat(bench.run.folder),
            contextlib.closing(EventWriter(bench.run.folder)) as events,
        ):
            bench.run.events = events
            bench.fit(self.network, step, keep=self.keep)
            bench.run.events = None


class _Reached(Exception):
    pass


def take(recipe: str, data: Path, folder: Path, split: str = SPLIT, **given: Any) -> Taken:
    """The light preset of a recipe as it stands before its first step, its images in memory as
    after a pass over them.
    """
    found = find_recipe(recipe)
    chosen = {"device": "cpu", **BUSY.get(recipe, {}), **given}
    if recipe == "oaaplus":
        chosen["from_"] = str(_attention(data, split, folder / "attention"))
    run = Run(recipe, folder / recipe, data=data, split=split, preset="light")
    run.folder.mkdir(parents=True)

    def reached(bench: Bench, network: nn.Module, step: Step, *, keep: Any = None) -> None:
        raise _Reached(Taken(bench, network, step, keep))

    with patch.object(Bench, "fit", reached), contextlib.redirect_stderr(io.StringIO()):
        try:
            found.run(settle(found.settings, "light", chosen), run)
        except _Reached as stopped:
            taken: Taken = stopped.args[0]
    for _ in taken.bench.batches.epoch(0):
        pass
    return taken


def in_channels_last(network: nn.Module) -> nn.Module:
    """The network with its weights as `fit` lays them out."""
    changed: nn.Module = cast(Any, network).to(memory_format=torch.channels_last)
    return changed


def _attention(data: Path, split: str, folder: Path) -> Path:
    """The folder of a run that gathered some attention for every image and tag."""
    source = open_source(data, split).tagged()
    random = np.random.default_rng(0)
    for item in source.items:
        for tag in item.tags:
            heat = cv2.GaussianBlur(random.random((28, 37), np.float32), (0, 0), 4)
            heat = (heat - heat.min()) / (heat.max() - heat.min())
            write_heat(folder / "maps" / item.name / f"{source.classes[tag]}.png", heat)
    write_config(folder, {"recipe": "oaa", "settings": {}})
    return folder
