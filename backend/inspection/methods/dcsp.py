"""DCSP: one network's attention, what it segments itself, and its cues with saliency."""

from collections.abc import Iterator
from typing import ClassVar, NamedTuple, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from backend.inspection.methods.method import Method, seen_at
from backend.inspection.settings import ERASING
from backend.inspection.stages import Stage, StageMap
from backend.maps.fusion import harmonic_mean
from backend.networks.fcan import Fcan

SCALES = (1.0, 0.75, 0.5)
"""At which the network looks at an image (DCSP 5.1); the largest value of the three counts."""


class Looked(NamedTuple):
    """What all scales came to: scores (C,) as probabilities, of the image at scale 1; the image's
    attention maps (K,h,w) in 0..1; segmentation logits (C+1,h,w).
    """

    scores: np.ndarray
    attention: np.ndarray
    segmentation: torch.Tensor


class Dcsp(Method):
    """Attention from the last layer, and the segmentation from the one before it. The labels of the
    cues are the fusion "dcsp".

    Source: DCSP, sections 4.1 to 4.3.
    """

    name = "dcsp"
    title = "DCSP"
    about = "One network learns tags and pixels: its attention, with saliency, marks class pixels"
    kinds = ("dcsp",)
    stages: ClassVar[dict[str, Stage]] = {
        "dcsp.cam": Stage(("image",), per_tag=True),
        "dcsp.cues": Stage(("dcsp.cam",), ("saliency", "gamma", *ERASING), per_tag=True),
        "dcsp.segmentation": Stage(("image",), (), "labels"),
    }
    final = "dcsp.cam"

    def make(self, stage: str) -> Iterator[StageMap]:
        if stage == "dcsp.segmentation":
            yield self._segmentation()
            return
        if stage == "dcsp.cues":
            yield from self._cues()
            return
        own = list(self.scene.outputs)
        scores = [float(score) for score in self._looked().scores[own]]
        captions = [
            seen_at(score, heat, tag)
            for score, heat, (_, tag) in zip(scores, self.attention, self.scene.tags, strict=True)
        ]
        yield from self.heats(stage, self.attention, captions, [{"score": s} for s in scores])

    def final_maps(self) -> np.ndarray:
        return self._looked().attention

    def _cues(self) -> Iterator[StageMap]:
        # Not at the head of the file: what makes masks knows every method.
        from backend.inspection.masks import Masks

        gamma, masks = self.scene.settings.gamma, Masks(self.scene, self)
        means = harmonic_mean(masks.minmax, masks.salient)
        shares = [float((mean >= gamma).mean()) for mean in means]
        captions = [f"{share:.0%} of the image reaches gamma {gamma:g}" for share in shares]
        yield from self.heats("dcsp.cues", means, captions, [{"cues": s} for s in shares])

    def _segmentation(self) -> StageMap:
        scene = self.scene
        if not scene.card.architecture.get("segments", True):
            return StageMap(
                "dcsp.segmentation", "note", None,
                caption="This network learnt the tags alone, before any joint training: it has "
                "attention maps and no segmentation.",
            )  # fmt: skip
        channels = [0, *(output + 1 for output in scene.outputs)]
        logits = self._looked().segmentation[channels]
        large = functional.interpolate(logits[None], scene.size, mode="bilinear")[0]
        labels = np.array((0, *scene.ids), np.uint8)[large.argmax(dim=0).cpu().numpy()]
        caption = "the strongest of background and tags at each pixel"
        return StageMap("dcsp.segmentation", "labels", labels, caption=caption)

    def _looked(self) -> Looked:
        """One run at each scale, however the settings move."""
        scene = self.scene

        def look(network: nn.Module) -> Looked:
            found = cast(Fcan, network)
            views = [scene.batch]
            for scale in SCALES[1:]:
                views.append(
                    functional.interpolate(
                        scene.batch, scale_factor=scale, mode="bilinear", antialias=True
                    )
                )
            seen = [found(view) for view in views]
            maps = largest([each.maps for each in seen])
            scores = seen[0].scores[0].float().sigmoid().cpu().numpy()
            attention = found.stretched(maps[list(scene.outputs)]).cpu().numpy()
            return Looked(scores, attention, largest([each.segmentation for each in seen]))

        return scene.caches.weights.keep("dcsp", scene.made_for, lambda: scene.run(look))


def largest(maps: list[torch.Tensor]) -> torch.Tensor:
    """The maximum (C,h,w) of maps (1,C,h,w) of several scales, on the grid of the first."""
    size = maps[0].shape[2:]
    aligned = [
        functional.interpolate(each.float(), size, mode="bilinear", align_corners=False)
        for each in maps
    ]
    return torch.cat(aligned).amax(dim=0)
