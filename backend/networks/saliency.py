"""A saliency network with short connections: every stage says what stands out, the deep help the
shallow.

Hou et al., Deeply Supervised Salient Object Detection with Short Connections (CVPR 2017, DSS).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from backend.networks.backbones import build_backbone
from backend.networks.head import start_layers
from backend.networks.stages import stage_channels, stage_features

# A backbone's five stages, and what is pooled of the last.
SIDES = 6


class SaliencyOutput(NamedTuple):
    """Logits (N,1,h,w) at the finest stage's size: fused, and each side's, the finest first."""

    fused: torch.Tensor
    sides: tuple[torch.Tensor, ...]


class SideOutput(nn.Module):
    """A stage's say: layers on its features, then, with what deeper sides said, one map.

    `carried` maps come from every deeper side; what this side carries to shallower ones is made
    here, too. Source: DSS, section 3.2.
    """

    def __init__(
        self, inputs: int, channels: int, layers: int, kernel: int, given: int, carried: int
    ) -> None:
        super().__init__()
        own: list[nn.Module] = []
        for _ in range(layers):
            own += [
                nn.Conv2d(inputs, channels, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            ]
            inputs = channels
        self.own = nn.Sequential(*own)
        # DSS carries scores alone, so nothing is left to mix but scores.
        self.joined = (
            nn.Sequential(
                nn.Conv2d(channels + given, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
            if carried > 1 and given
            else None
        )
        self.carry = nn.Conv2d(channels, carried, 1) if carried > 1 else None
        self.score = nn.Conv2d(channels, 1, 1)
        self.mix = nn.Conv2d(1 + given, 1, 1) if carried == 1 and given else None

    def forward(
        self, features: torch.Tensor, deeper: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The side's logits (N,1,h,w), and what it carries to shallower sides (N,carried,h,w)."""
        seen = self.own(features)
        size = seen.shape[2:]
        helped = [enlarged(each, size) for each in deeper]
        if self.joined is not None:
            seen = self.joined(torch.cat([seen, *helped], dim=1))
        logits = self.score(seen)
        if self.mix is not None:
            logits = self.mix(torch.cat([logits, *helped], dim=1))
        return logits, logits if self.carry is None else self.carry(seen)


class SaliencyNetwork(nn.Module):
    """A side output at each of a backbone's five stages and one on its pooled last features; short
    connections from deeper to shallower sides; a fused output. All are taught.

    Sides go in pairs from the finest on, and each is helped by every side of a deeper pair, as in
    DSS. `carried` is how many maps a short connection carries: 1 is DSS's, its score; more are
    features, which a 3x3 layer joins with the side's own. `side_layers` layers of
    `side_channels` stand on each stage (DSS: two, of 128 to 512); `kernels` are their sizes, odd,
    of each side from the finest on: the deep ones see far. `scales` and `flip` say how
    whole images are looked at (`backend.saliency_network`), so that weights carry it with them.
    """

    def __init__(
        self,
        backbone_name: str,
        *,
        stride: int | None = None,
        side_channels: int = 128,
        side_layers: int = 2,
        kernels: Sequence[int] = (3,) * SIDES,
        carried: int = 1,
        frozen_norm: bool = False,
        head_start: str = "gauss",
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
    ) -> None:
        super().__init__()
        if min(side_channels, side_layers, carried) < 1:
            raise ValueError("A side output has at least one layer, channel and carried map.")
        if len(kernels) != SIDES or any(each < 1 or each % 2 == 0 for each in kernels):
            raise ValueError(f"{SIDES} sides want as many odd kernels, not {list(kernels)}.")
        if not scales or min(scales) <= 0:
            raise ValueError(f"Images are looked at in sizes above 0, not in {list(scales)}.")
        self.backbone = build_backbone(backbone_name, stride=stride, frozen_norm=frozen_norm)
        self.scales = tuple(float(scale) for scale in scales)
        self.flip = flip
        self.settings: dict[str, Any] = {
            "backbone_name": backbone_name,
            "stride": self.backbone.stride,
            "side_channels": side_channels,
            "side_layers": side_layers,
            "kernels": [int(each) for each in kernels],
            "carried": carried,
            "frozen_norm": frozen_norm,
            "scales": list(self.scales),
            "flip": flip,
        }
        inputs = [*stage_channels(self.backbone), self.backbone.channels]
        self.helpers = tuple(helping(side, len(inputs)) for side in range(len(inputs)))
        self.sides = nn.ModuleList(
            SideOutput(each, side_channels, side_layers, kernel, carried * len(helpers), carried)
            for each, kernel, helpers in zip(inputs, kernels, self.helpers, strict=True)
        )
        start_layers(self.sides, head_start)
        self.fuse = nn.Conv2d(len(inputs), 1, 1)
        nn.init.constant_(self.fuse.weight, 1 / len(inputs))
        assert self.fuse.bias is not None
        nn.init.zeros_(self.fuse.bias)

    def forward(self, images: torch.Tensor) -> SaliencyOutput:
        """What every side and all together find in normalised images (N,3,H,W)."""
        features = stage_features(self.backbone, images)
        pooled = functional.avg_pool2d(features[-1], 3, 2, 1, count_include_pad=False)
        features.append(pooled)
        logits: dict[int, torch.Tensor] = {}
        carried: dict[int, torch.Tensor] = {}
        for side in reversed(range(len(features))):
            deeper = [carried[each] for each in self.helpers[side]]
            logits[side], carried[side] = self.sides[side](features[side], deeper)
        size = logits[0].shape[2:]
        sides = tuple(enlarged(logits[side], size) for side in range(len(features)))
        return SaliencyOutput(self.fuse(torch.cat(sides, dim=1)), sides)

    def saliency(self, images: torch.Tensor) -> torch.Tensor:
        """The saliency (N,1,h,w) of normalised images (N,3,H,W), float32 in 0..1."""
        return self(images).fused.float().sigmoid()


def helping(side: int, sides: int) -> tuple[int, ...]:
    """The sides that help one, all counted from the finest: those of deeper pairs."""
    return tuple(range(side // 2 * 2 + 2, sides))


def enlarged(maps: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Maps (N,C,h,w) smoothly at another size."""
    if maps.shape[2:] == size:
        return maps
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
