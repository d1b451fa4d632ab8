"""GradCAM, GradCAM++ and LayerCAM: maps from how a score hangs on the last features."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch

from backend import gradients
from backend.inspection.methods.cam import plain
from backend.inspection.methods.method import CLASSIFIER, OUR_KINDS, Method, seen_at
from backend.inspection.stages import Stage, StageMap


class Gradient(Method):
    """What the three have in common: the network runs once and goes back once a tag for all."""

    kinds = (*OUR_KINDS, CLASSIFIER)

    def make(self, stage: str) -> Iterator[StageMap]:
        found = self._look()
        scores = [float(p) for p in probabilities(found.scores, exclusive=self._exclusive)]
        scores = [scores[output] for output in self.scene.outputs]
        captions = [
            seen_at(score, heat, tag)
            for score, heat, (_, tag) in zip(scores, self.attention, self.scene.tags, strict=True)
        ]
        yield from self.heats(stage, self.attention, captions, [{"score": s} for s in scores])

    def final_maps(self) -> np.ndarray:
        return self._look().maps(self.name)

    @property
    def _exclusive(self) -> bool:
        return self.scene.card.kind == CLASSIFIER

    def _look(self) -> gradients.GradientLook:
        scene = self.scene
        return scene.caches.weights.keep(
            "gradients", scene.made_for,
            lambda: scene.run(lambda n: gradients.look(plain(n), scene.batch, scene.outputs)),
        )  # fmt: skip


class GradCam(Gradient):
    name = "gradcam"
    title = "GradCAM"
    about = "The last features, each channel weighted by the mean of its gradient"
    stages: ClassVar[dict[str, Stage]] = {"gradcam": Stage(("image",), per_tag=True)}
    final = "gradcam"


class GradCamPlusPlus(Gradient):
    name = "gradcampp"
    title = "GradCAM++"
    about = "The last features, each channel weighted by its rising gradients"
    stages: ClassVar[dict[str, Stage]] = {"gradcampp": Stage(("image",), per_tag=True)}
    final = "gradcampp"


class LayerCam(Gradient):
    name = "layercam"
    title = "LayerCAM"
    about = "The last features, each place weighted by its own gradient"
    stages: ClassVar[dict[str, Stage]] = {"layercam": Stage(("image",), per_tag=True)}
    final = "layercam"


def probabilities(scores: np.ndarray, *, exclusive: bool) -> np.ndarray:
    """Logits (C,) as probabilities: of classes that exclude each other, else each by itself."""
    logits = torch.from_numpy(scores)
    return (logits.softmax(dim=0) if exclusive else logits.sigmoid()).numpy()
