"""AffinityNet: features in which neighbours of one class are near, whatever the class is.

Ahn and Kwak, Learning Pixel-level Semantic Affinity (CVPR 2018), section 4.2 and its code.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from backend.maps import walk
from backend.networks.backbones import build_backbone
from backend.networks.stages import stage_channels, stage_features

TAP_WIDTHS = (64, 128, 256)
WIDTH = sum(TAP_WIDTHS)


class AffinityNet(nn.Module):
    """Three taps of a trunk by 1x1 to 64, 128 and 256 channels, side by side through a 1x1 layer of
    448, ELU after each.

    The taps are the trunk's last three stages; on ResNet-38 those are the paper's (conv4, conv5,
    the last). All are brought to one grid of the trunk's stride, whose cells are those of
    `backend.maps.walk`.
    """

    def __init__(
        self, backbone_name: str, *, stride: int | None = None, frozen_norm: bool = False
    ) -> None:
        super().__init__()
        self.backbone = build_backbone(backbone_name, stride=stride, frozen_norm=frozen_norm)
        self.settings: dict[str, Any] = {
            "backbone_name": backbone_name,
            "stride": self.backbone.stride,
            "frozen_norm": frozen_norm,
        }
        channels = stage_channels(self.backbone)[-len(TAP_WIDTHS) :]
        taps = [
            nn.Conv2d(inputs, width, 1, bias=False)
            for inputs, width in zip(channels, TAP_WIDTHS, strict=True)
        ]
        self.taps = nn.ModuleList(taps)
        self.joined = nn.Conv2d(WIDTH, WIDTH, 1, bias=False)
        for layer in taps:
            nn.init.kaiming_normal_(layer.weight)
        nn.init.xavier_uniform_(self.joined.weight, gain=4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Normalised images (N,3,H,W) -> features (N,448, *walk.grid_of((H,W), stride))."""
        size = walk.grid_of((images.shape[2], images.shape[3]), self.backbone.stride)
        seen = stage_features(self.backbone, images)[-len(TAP_WIDTHS) :]
        narrow = [
            functional.elu(sized(tap(features), size))
            for tap, features in zip(self.taps, seen, strict=True)
        ]
        return functional.elu(self.joined(torch.cat(narrow, dim=1)))

    def affinities(self, images: torch.Tensor, radius: int = walk.RADIUS) -> torch.Tensor:
        """Normalised images (N,3,H,W) -> float32 (N,offsets,h,w) in 0..1, as
        `walk.affinities` has them: 0 where a neighbour lies outside.
        """
        return (-pair_distances(self(images), radius)).exp()


def sized(features: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Features (N,C,h,w) at another size: finer ones averaged, coarser ones interpolated."""
    if tuple(features.shape[2:]) == size:
        return features
    if features.shape[2] >= size[0] and features.shape[3] >= size[1]:
        return functional.adaptive_avg_pool2d(features, size)
    return functional.interpolate(features, size=size, mode="bilinear", align_corners=False)


def pair_distances(features: torch.Tensor, radius: int = walk.RADIUS) -> torch.Tensor:
    """mean |f_i - f_j| of each cell and its neighbour at each of `walk.offsets`: (N,D,h,w) ->
    float32 (N,offsets,h,w), infinite where the neighbour lies outside.
    """
    distances: torch.Tensor = _PairDistances.apply(features.float(), radius)
    return distances


class _PairDistances(torch.autograd.Function):
    """Keeps the features alone for the way back: autograd would keep every one of the 34
    differences, 0.8 GB for a batch of 16 at 224 pixels.
    """

    @staticmethod
    def forward(ctx: Any, features: torch.Tensor, radius: int) -> torch.Tensor:
        ctx.save_for_backward(features)
        ctx.radius = radius
        count, depth, *size = features.shape
        steps = list(walk.pairs((size[0], size[1]), radius))
        distances = features.new_full((count, len(steps), *size), torch.inf)
        for number, (here, there) in enumerate(steps):
            apart = features[:, :, *here] - features[:, :, *there]
            distances[:, number, *here] = apart.abs_().sum(dim=1) / depth
        return distances

    @staticmethod
    def backward(ctx: Any, *outputs: torch.Tensor) -> tuple[torch.Tensor, None]:
        (features,) = ctx.saved_tensors
        steep = outputs[0] / features.shape[1]
        size = features.shape[2:]
        gradient = torch.zeros_like(features)
        for number, (here, there) in enumerate(walk.pairs((size[0], size[1]), ctx.radius)):
            pull = (features[:, :, *here] - features[:, :, *there]).sign_()
            pull *= steep[:, number, *here].unsqueeze(1)
            gradient[:, :, *here] += pull
            gradient[:, :, *there] -= pull
        return gradient, None
