"""FCAN: a segmenter whose logits a 1x1 layer turns into the maps of the classes, and their pooling.

One network for attention and segmentation: at test time the last layer is left out.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import nn

from backend.errors import WeightsError
from backend.networks.classifier import ClassifierOutput
from backend.networks.deeplab import HEADS, DeepLab
from backend.networks.head import start_layers

POOLINGS = ("average", "max")


class FcanOutput(NamedTuple):
    """segmentation (N,C+1,h,w) logits, the background first; scores (N,C) logits, pooled from maps
    (N,C,h,w), raw.
    """

    segmentation: torch.Tensor
    scores: torch.Tensor
    maps: torch.Tensor


class Fcan(DeepLab):
    """DeepLab with a further 1x1 layer from its C+1 logits to the C classes, and global pooling.

    pooling "average" is the paper's; "max" keeps the strongest pixel alone. segments: whether the
    logits were taught pixel by pixel; a network that learnt the tags alone gives attention maps and
    no segmentation. positive: in attention, what speaks against a class counts as nothing. Raises
    ValueError for another pooling. Source: DCSP, section 4.1 and Fig. 2.
    """

    def __init__(
        self,
        backbone_name: str,
        num_classes: int,
        *,
        stride: int | None = None,
        rates: Sequence[int] = HEADS["aspp"],
        channels: int = 0,
        dropout: float = 0.5,
        frozen_norm: bool = False,
        head_start: str = "gauss",
        pooling: str = "average",
        positive: bool = False,
        segments: bool = True,
    ) -> None:
        super().__init__(
            backbone_name,
            num_classes,
            stride=stride,
            rates=rates,
            channels=channels,
            dropout=dropout,
            frozen_norm=frozen_norm,
            head_start=head_start,
        )
        if pooling not in POOLINGS:
            raise ValueError(f"pooling is {pooling!r}; it can be {', '.join(POOLINGS)}.")
        self.pooling = pooling
        self.positive = positive
        self.settings |= {"pooling": pooling, "positive": positive, "segments": segments}
        self.attention = nn.Conv2d(num_classes + 1, num_classes, 1)
        start_layers(self.attention, head_start)

    @property
    def segments(self) -> bool:
        """Whether the logits were taught pixel by pixel."""
        return bool(self.settings["segments"])

    @segments.setter
    def segments(self, taught: bool) -> None:
        self.settings["segments"] = taught

    def forward(  # type: ignore[override]
        self, images: torch.Tensor, *, last_alone: bool = False
    ) -> FcanOutput:
        """Segmentation, scores and class maps of normalised images (N,3,H,W).

        last_alone: what is learnt from the scores reaches the last layer and nothing before it, as
        in the release.
        """
        logits = self.classify(self.backbone(images))
        maps = self.attention(logits.detach() if last_alone else logits)
        return FcanOutput(logits, self.pooled(maps), maps)

    def segment(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N,C+1,h,w) of normalised images (N,3,H,W): channel 0 is the background.

        Raises WeightsError for a network that learnt the tags alone.
        """
        if not self.segments:
            raise WeightsError(
                "These weights learnt the tags alone (--no-joint), so they give attention maps and "
                "no labels by themselves. Take a run of dcsp with joint training, or make labels "
                "of the maps with `python -m training labels`."
            )
        return super().segment(images)

    def attend(self, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        """The class maps, which do not depend on the tags (N,C) that are asked for."""
        seen = self(images)
        return ClassifierOutput(seen.scores, seen.maps)

    @torch.no_grad()
    def level(self, mean: torch.Tensor, covariance: torch.Tensor) -> None:
        """Rewrites the last layers so that logits of this mean (C+1,) and covariance (C+1,C+1) come
        to mean 0 and deviation 1, and the maps, all by one factor, to a mean variance of 1.

        Which scores are above 0 and how the maps look once they are stretched stays as it is. What
        is constant keeps its scale.
        """
        last = self.attention
        weight, bias = last.weight[:, :, 0, 0], cast(torch.Tensor, last.bias)
        mean, covariance = mean.to(weight), covariance.to(weight)
        spread = covariance.diagonal()
        scale = torch.where(spread > 0, spread, 1).sqrt()
        of_maps = torch.einsum("kc,cd,kd->k", weight, covariance, weight).mean()
        factor = torch.where(of_maps > 0, of_maps, 1).rsqrt()
        for number, branch in enumerate(self.branches):
            layer = cast(nn.Conv2d, cast(nn.Sequential, branch)[-1])
            own = cast(torch.Tensor, layer.bias)
            layer.weight /= scale[:, None, None, None]
            # The branches are summed, so one of them moves all.
            own -= 0 if number else mean
            own /= scale
        bias.add_(weight @ mean).mul_(factor)
        last.weight *= factor * scale[None, :, None, None]

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """Scores (N,C) of class maps (N,C,h,w)."""
        return maps.mean(dim=(2, 3)) if self.pooling == "average" else maps.amax(dim=(2, 3))

    def stretched(self, maps: torch.Tensor) -> torch.Tensor:
        """Raw class maps (K,h,w), each from its minimum to its maximum, float32 in 0..1; a constant
        one becomes zero. Source: DCSP, section 4.1; neither it nor its release clips them.
        """
        raw = maps.float().relu() if self.positive else maps.float()
        raw = raw - raw.amin(dim=(1, 2), keepdim=True)
        peak = raw.amax(dim=(1, 2), keepdim=True)
        return raw / peak.masked_fill(peak <= 0, 1)
