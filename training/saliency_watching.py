"""Looking at a saliency network on its way: error and F on held-out images, and a film of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import nn

from backend.networks.classifier import ClassifierOutput
from backend.networks.normalisation import Normalisation
from training.averaging import Averaged, bare
from training.examples import Example
from training.run import Run
from training.saliency_measures import SaliencyScores
from training.salient_source import SALIENT, SalientSource
from training.watching import Watcher

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class SaliencyWatcher(Watcher):
    """A Watcher of held-out images, through the averaged weights where there are some."""

    def __init__(
        self,
        run: Run,
        fabric: "Fabric",
        source: SalientSource,
        normalisation: Normalisation,
        size: int,
        *,
        every: int = 0,
        images: int = 24,
        averaged: Averaged | None = None,
    ) -> None:
        def attend(
            network: nn.Module, images: torch.Tensor, tags: torch.Tensor
        ) -> ClassifierOutput:
            with fabric.autocast():
                maps = bare(network).saliency(images)  # type: ignore[operator]
            return ClassifierOutput(maps.amax(dim=(2, 3)), maps)

        super().__init__(
            run, fabric, source, [SALIENT], normalisation, size, attend, every=every, images=images
        )
        self.averaged = averaged

    def look(self, network: nn.Module, step: int) -> None:
        super().look(self.averaged.network if self.averaged else network, step)

    def _maps(
        self, network: nn.Module, examples: Sequence[Example]
    ) -> dict[str, tuple[list[int], np.ndarray]]:
        """For each image its map float32 (1,h,w) as it is: how sure it is is what is measured."""
        found = {}
        for batch, _, seen in self._seen(network, examples):
            for example, maps in zip(batch, seen.maps.cpu(), strict=True):
                found[example.item.name] = ([SALIENT], np.nan_to_num(maps.numpy()))
        return found

    def _measure(
        self, network: nn.Module, step: int, maps: dict[str, tuple[list[int], np.ndarray]]
    ) -> None:
        scores = SaliencyScores()
        for example in self._open():
            if example.truth is not None:
                height, width = example.truth.shape
                heat = cv2.resize(maps[example.item.name][1][0], (width, height))
                scores.add(heat, example.truth)
        found = scores.result()
        if not found:
            return
        said = {name: found[name] for name in ("mae", "max_f", "s_measure") if name in found}
        self.run.event("validation", step=step, **said, images=scores.images)
        words = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in said.items())
        self.run.say(f"step {step}: {words}")
