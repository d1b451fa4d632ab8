"""SeeNet: three branches on one trunk, the second and third shown what the first leaves over."""

from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from backend.maps.zones import (
    batch_zones,
    conditional_relu,
    in_unit_range,
    strongest_attention,
)
from backend.networks.backbones import build_backbone
from backend.networks.classifier import ClassifierOutput
from backend.networks.head import new_head

Erasing = Literal["seenet", "zero", "acol"]
ERASING = ("seenet", "zero", "acol")


class SeeNetOutput(NamedTuple):
    """Scores (N,C) logits of each branch and the raw class maps (N,C,h,w) of A and B; scores_c is
    None where there is no third branch. zones (N,1,h,w) in {-1,0,1}: what was kept from B.
    """

    scores_a: torch.Tensor
    scores_b: torch.Tensor
    scores_c: torch.Tensor | None
    maps_a: torch.Tensor
    maps_b: torch.Tensor
    zones: torch.Tensor


class SeeNet(nn.Module):
    """S_A finds an initial attention; S_B looks for the object in what it erases, with the sign of
    the background flipped; S_C learns that the background alone is no object.

    erasing "seenet" is the paper's; "zero" (its setting 2) zeroes the background of S_B instead of
    flipping it; "acol" (its setting 1) erases the attention at `acol` of its maximum and has
    neither background nor S_C. shared_head: S_B and S_C share their layers. outside: the attention
    under which S_C takes a pixel for background, 0 for the middle of high and low.
    Source: SeeNet, sections 3.2, 3.3 and 5.1.
    """

    def __init__(
        self,
        backbone_name: str,
        num_classes: int,
        *,
        stride: int | None = None,
        head_channels: int = 512,
        head_layers: int = 3,
        dropout: float = 0.5,
        frozen_norm: bool = False,
        head_start: str = "gauss",
        erasing: Erasing = "seenet",
        shared_head: bool = False,
        high: float = 0.7,
        low: float = 0.05,
        acol: float = 0.6,
        outside: float = 0.0,
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f"A classifier has at least one class; {num_classes} were asked for.")
        if erasing not in ERASING:
            raise ValueError(f"erasing is {erasing!r}; it can be {', '.join(ERASING)}.")
        self.backbone = build_backbone(backbone_name, stride=stride, frozen_norm=frozen_norm)
        self.num_classes = num_classes
        self.erasing = erasing
        self.high, self.low, self.acol = high, low, acol
        self.outside = outside or (high + low) / 2
        self.settings: dict[str, Any] = {
            "backbone_name": backbone_name,
            "num_classes": num_classes,
            "stride": self.backbone.stride,
            "head_channels": head_channels,
            "head_layers": head_layers,
            "dropout": dropout,
            "frozen_norm": frozen_norm,
            "erasing": erasing,
            "shared_head": shared_head,
            "high": high,
            "low": low,
            "acol": acol,
            "outside": outside,
        }

        def head(dropout: float) -> nn.Sequential:
            return new_head(
                self.backbone.channels,
                num_classes,
                channels=head_channels,
                layers=head_layers,
                dropout=dropout,
                start=head_start,
            )

        self.head_a = head(dropout)
        self.head_b = head(0.0)
        own_head = erasing != "acol" and not shared_head
        self.head_c = head(0.0) if own_head else None

    def forward(self, images: torch.Tensor, tags: torch.Tensor) -> SeeNetOutput:
        """All branches of normalised images (N,3,H,W) with tags (N,C) of 0 and 1."""
        features, attention, seen = self._without_third(images, tags)
        if self.erasing == "acol":
            return seen
        # S_C sees the background alone, and nothing where no attention tells it apart.
        known = attention.amax(dim=(2, 3), keepdim=True) > 0
        is_background = (attention < self.outside) & known
        head = self.head_b if self.head_c is None else self.head_c
        scores = head(conditional_relu(features, is_background)).mean(dim=(2, 3))
        return seen._replace(scores_c=scores)

    def look(self, images: torch.Tensor, tags: torch.Tensor) -> SeeNetOutput:
        """A and B alone, as at test time."""
        return self._without_third(images, tags)[2]

    def attend(self, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        """The fused map M_F of each tag: the larger of both branches' maps, each first in 0..1."""
        seen = self.look(images, tags)
        fused = torch.maximum(in_unit_range(seen.maps_a), in_unit_range(seen.maps_b))
        return ClassifierOutput(seen.scores_a, fused)

    def _without_third(
        self, images: torch.Tensor, tags: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, SeeNetOutput]:
        """The trunk's features, the attention that the zones are cut from, and A's and B's part."""
        features = self.backbone(images)
        maps_a = self.head_a(features)
        attention = strongest_attention(maps_a, tags)
        zones, maps_b = self.second(features, attention, self.high, self.low)
        scores_a, scores_b = maps_a.mean(dim=(2, 3)), maps_b.mean(dim=(2, 3))
        return (
            features,
            attention,
            SeeNetOutput(scores_a, scores_b, None, maps_a, maps_b, zones),
        )

    def second(
        self, features: torch.Tensor, attention: torch.Tensor, high: float, low: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The zones (N,1,h,w) of an attention in 0..1 and B's raw maps of what they leave."""
        if self.erasing == "acol":
            zones = (attention < self.acol).to(features.dtype)
        else:
            zones = batch_zones(attention, high, low)
            if self.erasing == "zero":
                zones = zones.clamp(min=0)
        return zones, self.head_b(conditional_relu(features, zones))
