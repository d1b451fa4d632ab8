"""Maps made smooth within what looks alike: correlation of pixels by their features."""

import torch
from torch import nn
from torch.nn import functional

FOURTH_WIDTH, FIFTH_WIDTH = 64, 128
# A colour counts less than what stands there: the trunk's features tell objects apart.
COLOUR_WEIGHT = 0.3
# The entries of the affinity that are held at a time where no gradient is wanted: 64 MB.
STRIP = 1 << 24


class PixelCorrelation(nn.Module):
    """Each pixel takes the mean of a map over all pixels, weighted by how alike their features are.

    Features of the fourth stage as 64 and of the fifth as 128 channels (1x1, ReLU) and the image
    itself, side by side, through a 1x1 layer; the affinity is the positive part of their cosine,
    each row divided by its sum. All are taken relative to their mean over the image, without which
    nearly every cosine is near 1. The features take no gradient into the trunk.
    Source: ECS-Net's refine module, undefined there; SEAM's (Wang et al., CVPR 2020).
    """

    def __init__(self, fourth: int, fifth: int) -> None:
        super().__init__()
        self.fourth = nn.Conv2d(fourth, FOURTH_WIDTH, 1, bias=False)
        self.fifth = nn.Conv2d(fifth, FIFTH_WIDTH, 1, bias=False)
        width = FOURTH_WIDTH + FIFTH_WIDTH + 3
        self.embed = nn.Conv2d(width, FOURTH_WIDTH + FIFTH_WIDTH, 1, bias=False)
        for layer in (self.fourth, self.fifth):
            nn.init.kaiming_normal_(layer.weight)
        nn.init.xavier_uniform_(self.embed.weight, gain=4)

    def forward(
        self, maps: torch.Tensor, images: torch.Tensor, fourth: torch.Tensor, fifth: torch.Tensor
    ) -> torch.Tensor:
        """Refined maps (N,C,h,w) of the same range; images (N,3,H,W) normalised.

        Where nothing is learnt the affinity is made in strips of rows: that of an image at twice
        the paper's size has 157 million entries.
        """
        alike = self.embedded(images, fourth, fifth, maps.shape[2:])
        flat = maps.flatten(2).to(alike.dtype)
        cells = alike.shape[2]
        strip = cells if alike.requires_grad else max(1, STRIP // (cells * len(alike)))
        spread = [flat @ affinity(rows, alike).mT for rows in alike.split(strip, dim=2)]
        return torch.cat(spread, dim=2).view_as(maps)

    def embedded(
        self, images: torch.Tensor, fourth: torch.Tensor, fifth: torch.Tensor, size: torch.Size
    ) -> torch.Tensor:
        """What the P cells of `size` are compared by: unit vectors (N,D,P)."""

        def sized(features: torch.Tensor) -> torch.Tensor:
            if features.shape[2:] == size:
                return features
            return functional.interpolate(features, size=size, mode="bilinear", align_corners=False)

        colours = functional.adaptive_avg_pool2d(images, (size[0], size[1])).float()
        colours = centred(colours)
        spread = colours.std(dim=(1, 2, 3), keepdim=True)
        features = torch.cat(
            [
                # In units of their own spread: inputs come in 0..1 and in 0..255 alike.
                COLOUR_WEIGHT * colours / spread.clamp(min=1e-5),
                centred(sized(self.fourth(fourth.detach()).relu())),
                centred(sized(self.fifth(fifth.detach()).relu())),
            ],
            dim=1,
        )
        return functional.normalize(self.embed(features).flatten(2), dim=1)


def affinity(rows: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
    """How alike cells are: unit vectors (N,D,R) and (N,D,P) -> (N,R,P) >= 0, rows of sum 1."""
    cosine = (rows.mT @ alike).relu()
    return cosine / (cosine.sum(dim=2, keepdim=True) + 1e-5)


def centred(features: torch.Tensor) -> torch.Tensor:
    """Features (N,C,h,w) minus their mean over the image."""
    return features - features.mean(dim=(2, 3), keepdim=True)
