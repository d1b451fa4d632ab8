"""OAA+: the score maps of the integral attention model."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch

from backend.inspection.methods.cam import class_maps
from backend.inspection.methods.method import Method
from backend.inspection.stages import Stage, StageMap


class OaaPlus(Method):
    """What a network gives that learnt accumulated attention pixel by pixel.

    Source: OAA, section 3.3.
    """

    name = "oaaplus"
    title = "OAA+"
    about = "Integral attention: a network that learnt the accumulated maps, pixel by pixel"
    kinds = ("oaaplus",)
    stages: ClassVar[dict[str, Stage]] = {"oaaplus": Stage(("image",), per_tag=True)}
    final = "oaaplus"

    def make(self, stage: str) -> Iterator[StageMap]:
        captions, numbers = [], []
        for heat, (_, tag) in zip(self._probabilities(), self.scene.tags, strict=True):
            # The model was taught a probability a pixel; its mean over the image says little.
            peak = float(heat.max())
            numbers.append({"score": peak})
            captions.append(
                f"strongest pixel {peak:.2f}"
                if peak > 0.5
                else f"No pixel is likelier '{tag}' than not: the strongest, {peak:.2f}, is shown "
                "as 1. Check the tag, or try other weights."
            )
        yield from self.heats(stage, self.attention, captions, numbers)

    def final_maps(self) -> np.ndarray:
        return self._probabilities()

    def _probabilities(self) -> np.ndarray:
        raw = class_maps(self.scene)[1][list(self.scene.outputs)]
        return torch.from_numpy(raw).sigmoid().numpy()
