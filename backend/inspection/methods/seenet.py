"""SeeNet: what the first branch sees, what is erased of it, and what the second then finds."""

from collections.abc import Iterator
from typing import ClassVar, NamedTuple, cast

import numpy as np
import torch
from torch import nn

from backend.inspection.methods.method import Method, seen_at
from backend.inspection.stages import Stage, StageMap
from backend.maps import zones
from backend.networks.seenet import SeeNet as Network

TREATED = {
    "seenet": "",
    "zero": "; this network zeroes the background where SeeNet turns its sign",
    "acol": "; this network erases at its own threshold (ACoL), whatever the sliders say",
}


class Initial(NamedTuple):
    """What no threshold moves: features (1,D,h,w) and branch A's raw maps (1,C,h,w)."""

    features: torch.Tensor
    maps: torch.Tensor


class Looked(NamedTuple):
    """Maps of the image's tags float32 (K,h,w) in 0..1 of both branches, the scores of the second,
    zones int8 (h,w).
    """

    initial: np.ndarray
    erased: np.ndarray
    scores: list[float]
    zones: np.ndarray


class SeeNet(Method):
    """Both branches on the image and on its mirror image, fused by maximum.

    Source: SeeNet, sections 3.2 and 3.3.
    """

    name = "seenet"
    title = "SeeNet"
    about = "Erases the attention, flips the background's sign, and looks again for what is left"
    kinds = ("seenet",)
    stages: ClassVar[dict[str, Stage]] = {
        "seenet.initial": Stage(("image",), per_tag=True),
        "seenet.zones": Stage(("seenet.initial",), ("high", "low"), "zones"),
        "seenet.erased": Stage(("seenet.zones",), per_tag=True),
        "seenet.fused": Stage(("seenet.erased",), per_tag=True),
        "seenet.flipfused": Stage(("seenet.fused",), per_tag=True),
    }
    final = "seenet.flipfused"
    has_zones = True

    def make(self, stage: str) -> Iterator[StageMap]:
        if stage == "seenet.zones":
            yield self._zones()
        elif stage == "seenet.initial":
            first = self._initial(mirrored=False).maps
            own = first[:, list(self.scene.outputs)]
            yield from self._branch(stage, unit(own), likely(own))
        elif stage == "seenet.erased":
            looked = self._looked(mirrored=False)
            yield from self._branch(stage, looked.erased, looked.scores)
        elif stage == "seenet.fused":
            yield from self._fused(stage, self.scene.resized(self._pair(mirrored=False)))
        else:
            yield from self._fused(stage, self.attention)

    def final_maps(self) -> np.ndarray:
        return np.maximum(self._pair(mirrored=False), self._pair(mirrored=True)[:, :, ::-1])

    def _branch(self, stage: str, maps: np.ndarray, scores: list[float]) -> Iterator[StageMap]:
        captions = [
            seen_at(score, heat, tag)
            for score, heat, (_, tag) in zip(scores, maps, self.scene.tags, strict=True)
        ]
        resized = self.scene.resized(maps)
        yield from self.heats(stage, resized, captions, [{"score": score} for score in scores])

    def _fused(self, stage: str, maps: np.ndarray) -> Iterator[StageMap]:
        """The maps of a fusion, and how much of it is new: strong there, weak in branch A."""
        high = self.scene.settings.high
        first = self.scene.resized(self._looked(mirrored=False).initial)
        more = [
            float(((heat >= high) & (a < high)).mean()) for heat, a in zip(maps, first, strict=True)
        ]
        said = "both branches" if stage == "seenet.fused" else "both branches, also mirrored"
        captions = [f"{said}: {share:.0%} more of the image at {high:g}" for share in more]
        yield from self.heats(stage, maps, captions, [{"more": share} for share in more])

    def _zones(self) -> StageMap:
        looked = self._looked(mirrored=False)
        mask = self.scene.spread(looked.zones)
        shares = zones.shares(mask)
        erasing = self._erasing
        caption = ", ".join(f"{zone} {share:.0%}" for zone, share in shares.items())
        if not looked.initial.any():
            caption = "all zero attention: no zone can be told from another"
        return StageMap(
            "seenet.zones", "zones", mask, caption=caption + TREATED[erasing], numbers=shares,
            details={"erasing": erasing},
        )  # fmt: skip

    @property
    def _erasing(self) -> str:
        return str(self.scene.card.architecture.get("erasing", "seenet"))

    def _pair(self, *, mirrored: bool) -> np.ndarray:
        looked = self._looked(mirrored=mirrored)
        return np.maximum(looked.initial, looked.erased)

    def _initial(self, *, mirrored: bool) -> Initial:
        """The trunk and the first branch, which run once an image, however the sliders move."""
        scene = self.scene

        def look(network: nn.Module) -> Initial:
            found = cast(Network, network)
            features = found.backbone(scene.batch.flip(-1) if mirrored else scene.batch)
            return Initial(features, found.head_a(features))

        name = "seenet features, mirrored" if mirrored else "seenet features"
        return scene.caches.weights.keep(name, scene.card.digest, lambda: scene.run(look))

    def _looked(self, *, mirrored: bool) -> Looked:
        """Both branches with the thresholds as they stand."""
        scene = self.scene
        high, low = scene.settings.high, scene.settings.low
        first = self._initial(mirrored=mirrored)
        chosen = list(scene.outputs)

        def look(network: nn.Module) -> Looked:
            found = cast(Network, network)
            attention = zones.strongest_attention(first.maps, scene.tag_row)
            kept, second = found.second(first.features, attention, high, low)
            shown = kept if found.erasing == "acol" else zones.batch_zones(attention, high, low)
            own = second[:, chosen]
            return Looked(
                unit(first.maps[:, chosen]),
                unit(own),
                likely(own),
                shown[0, 0].cpu().numpy().astype(np.int8),
            )

        name = "seenet branches, mirrored" if mirrored else "seenet branches"
        made_from = (scene.made_for, high, low)
        return scene.caches.method.keep(name, made_from, lambda: scene.run(look))


def unit(maps: torch.Tensor) -> np.ndarray:
    """Raw maps (1,K,h,w) each from its minimum to its maximum, as float32 (K,h,w)."""
    return zones.in_unit_range(maps)[0].float().cpu().numpy()


def likely(maps: torch.Tensor) -> list[float]:
    """The scores of raw maps (1,K,h,w) as probabilities."""
    return [float(score) for score in maps[0].float().mean(dim=(1, 2)).sigmoid()]
