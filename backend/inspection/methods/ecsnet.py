"""ECS-Net: two looks with the same weights, the second at an image without what the first found."""

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import torch
from torch import nn

from backend.inspection.methods.method import Method, seen_at
from backend.inspection.stages import Stage, StageMap
from backend.maps.erasing import blur_region
from backend.networks.ecsnet import (
    EcsMaps,
    EcsNet,
    Reliable,
    blurred_inside,
    class_attention,
    reliable_labels,
    scaled,
    to_erase,
)

BACKGROUND, ERASED, UNSURE = 0, 253, 254
"""What the reliable map says of pixels that no rule lets through; 1 to K: the tag that is kept."""


class Second(NamedTuple):
    """What F' looked at and saw: region bool (1,1,H,W), raw maps (1,C,h,w) of the erased image."""

    region: torch.Tensor
    maps: torch.Tensor


class Ecs(Method):
    """Every step between both looks, and the final map: the refined one of one look at the image at
    full size. A run's exported maps may fuse several looks.

    Source: ECS-Net, section 3.
    """

    name = "ecsnet"
    title = "ECS-Net"
    about = "The map of an image with its strongest parts blurred away supervises the whole one's"
    kinds = ("ecsnet",)
    stages: ClassVar[dict[str, Stage]] = {
        "ecsnet.cam": Stage(("image",), ("scale",), per_tag=True),
        "ecsnet.erased": Stage(("ecsnet.cam",), ("erase", "sigma"), "image"),
        "ecsnet.erasedcam": Stage(("ecsnet.erased",), per_tag=True),
        "ecsnet.reliable": Stage(("ecsnet.erasedcam",), ("reliable",), "reliable"),
        "ecsnet.refined": Stage(("image",), per_tag=True),
    }
    final = "ecsnet.refined"

    def make(self, stage: str) -> Iterator[StageMap]:
        if stage == "ecsnet.erased":
            yield self._erased()
        elif stage == "ecsnet.reliable":
            yield self._reliable()
        elif stage == "ecsnet.cam":
            yield from self._cam(stage, self._first().cam)
        elif stage == "ecsnet.erasedcam":
            yield from self._cam(stage, self._second().maps)
        else:
            refines = self.scene.card.architecture.get("refine", True)
            caption = "refined by what looks alike"
            if not refines:
                caption = "This network has no refine module, so that its map is the CAM."
            count = len(self.scene.tags)
            yield from self.heats(stage, self.attention, [caption] * count, [{}] * count)

    def final_maps(self) -> np.ndarray:
        scene = self.scene

        def look(network: nn.Module) -> torch.Tensor:
            return cast(EcsNet, network).attend(scene.batch, scene.tag_row).maps

        seen = scene.caches.weights.keep("ecsnet final", scene.card.digest, lambda: scene.run(look))
        return seen[0, list(scene.outputs)].float().relu().cpu().numpy()

    def _cam(self, stage: str, maps: torch.Tensor) -> Iterator[StageMap]:
        own = list(self.scene.outputs)
        heats = class_attention(maps, self.scene.tag_row)[0, own].cpu().numpy()
        scores = [float(s) for s in maps[0, own].float().mean(dim=(1, 2)).sigmoid()]
        captions = [
            seen_at(score, heat, tag)
            for score, heat, (_, tag) in zip(scores, heats, self.scene.tags, strict=True)
        ]
        numbers = [{"score": score} for score in scores]
        yield from self.heats(stage, self.scene.resized(heats), captions, numbers)

    def _erased(self) -> StageMap:
        scene = self.scene
        region = scene.spread(self._second().region[0, 0].cpu().numpy())
        sigma = scene.settings.sigma * min(scene.size)
        share = float(region.mean())
        caption = f"{share:.0%} of the image blurred away, sigma {sigma:.1f} pixels"
        if not share:
            caption = "Nothing was erased: no pixel's attention reaches the threshold."
        picture = blur_region(scene.image, region, sigma)
        numbers = {"share": share, "sigma": sigma}
        return StageMap("ecsnet.erased", "image", picture, caption=caption, numbers=numbers)

    def _reliable(self) -> StageMap:
        scene = self.scene
        found = self._noise_suppressed()
        codes = scene.spread(reliable_codes(found, scene.outputs))
        shares = np.bincount(codes.ravel(), minlength=256) / codes.size
        rules = {"erased": found.in_region, "background": found.background, "unsure": found.unsure}
        # Rules overlap: what one alone would remove is more than what it is the first to remove.
        alone = {name: float(rule.float().mean()) for name, rule in rules.items()}
        legend: list[dict[str, Any]] = [
            {"code": code, "what": "kept", "tag": tag, "id": id, "share": float(shares[code])}
            for code, (id, tag) in enumerate(scene.tags, start=1)
        ]
        for what, code in (("erased", ERASED), ("background", BACKGROUND), ("unsure", UNSURE)):
            legend.append({"code": code, "what": what, "share": float(shares[code])})
        kept = {each["tag"]: each["share"] for each in legend if each["what"] == "kept"}
        said = ", ".join(f"{tag} {share:.1%}" for tag, share in kept.items())
        if not any(kept.values()):
            said = "no pixel, so this image adds no segmentation loss"
        counted = {each["what"]: each["share"] for each in legend if each["what"] in rules}
        caption = f"kept {said}; removed, each pixel by the first rule: " + ", ".join(
            f"{name} {share:.0%}" for name, share in counted.items()
        )
        details = {"legend": legend, "alone": alone}
        numbers = {"kept": sum(kept.values())}
        return StageMap("ecsnet.reliable", "reliable", codes, None, caption, numbers, details)

    def _first(self) -> EcsMaps:
        """F's maps of the image at its scale: one run a scale."""
        scene = self.scene

        def look(network: nn.Module) -> EcsMaps:
            seen: EcsMaps = network(scaled(scene.batch, scene.settings.scale))
            return seen

        made_from = (scene.card.digest, scene.settings.scale)
        return scene.caches.weights.keep("ecsnet first", made_from, lambda: scene.run(look))

    def _second(self) -> Second:
        """F' on what erasing leaves: one run for each region and blur."""
        scene, settings = self.scene, self.scene.settings
        first = self._first()

        def look(network: nn.Module) -> Second:
            found = cast(EcsNet, network)
            region = to_erase(first.cam, scene.tag_row, settings.erase, scene.batch.shape[2:])
            erased = blurred_inside(scene.batch, region, settings.sigma)
            if found.label_source == "refined":
                return Second(region, found(erased).refined)
            # The class maps alone: without their affinity the second pass is the faster.
            return Second(region, found.classifier(found.backbone(erased)))

        made_from = (scene.made_for, settings.scale, settings.erase, settings.sigma)
        return scene.caches.method.keep("ecsnet second", made_from, lambda: scene.run(look))

    def _noise_suppressed(self) -> Reliable:
        second = self._second()
        return reliable_labels(
            second.maps, self.scene.tag_row, second.region, self.scene.settings.reliable
        )


def reliable_codes(found: Reliable, outputs: tuple[int, ...]) -> np.ndarray:
    """Which tag each cell is kept for, or the first rule that removed it: uint8 (h,w)."""
    labels = found.labels[0].cpu().numpy()
    codes = np.zeros(labels.shape, np.uint8)
    for place, output in enumerate(outputs, start=1):
        codes[labels == output + 1] = place
    codes[found.unsure[0].cpu().numpy()] = UNSURE
    codes[found.background[0].cpu().numpy()] = BACKGROUND
    codes[found.in_region[0].cpu().numpy()] = ERASED
    return codes
