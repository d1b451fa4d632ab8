"""SAL-Net: a segmenter beside a classifier on the same trunk, whose scores gate its probabilities.

Zhou et al., SAL (section III-C and Fig. 7). The classifier is a row of 3x3 branches of different
dilation, each pooled over the image; their scores together are d_s.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from backend.networks.deeplab import HEADS, DeepLab
from backend.networks.head import start_layers

BRANCHES = (1, 3, 6, 9)
SUMS = ("sum", "mean")


class SalOutput(NamedTuple):
    """segmentation (N,C+1,h,w), raw logits with the background first, not gated yet; scores (N,C),
    d_s, raw, or None of a network without branches.
    """

    segmentation: torch.Tensor
    scores: torch.Tensor | None


class SalNet(DeepLab):
    """DeepLab with the attention subnetwork of SAL, or without it where there are no branches.

    attention_rates: the dilation of each branch. branch_sum "sum": d_s = d_1 + d_2 + ... (Eq. 10);
    "mean": d_1 and the mean of the others, as in the release. attention_channels: of each branch
    between its 3x3 layer and its 1x1 layer to the classes; 0 for one 3x3 layer that classifies by
    itself. attention_squeeze: channels that a 1x1 layer before all branches leaves of the trunk's,
    0 for none; most of what dilated layers cost goes by their input. gate_start: what d_s of every
    class begins with, so that a segmenter that is there already is not half shut at once. Raises ValueError for another
    sum or a dilation below 1. Source: SAL, section III-C; the squeeze and the start are ours.
    """

    def __init__(
        self,
        backbone_name: str,
        num_classes: int,
        *,
        stride: int | None = None,
        rates: Sequence[int] = HEADS["aspp"],
        channels: int = 1024,
        dropout: float = 0.5,
        frozen_norm: bool = False,
        head_start: str = "gauss",
        attention_rates: Sequence[int] = BRANCHES,
        branch_sum: str = "sum",
        attention_channels: int = 256,
        attention_squeeze: int = 0,
        gate_start: float = 0.0,
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
        if branch_sum not in SUMS:
            raise ValueError(f"branch_sum is {branch_sum!r}; it can be {', '.join(SUMS)}.")
        if attention_rates and min(attention_rates) < 1:
            raise ValueError(
                f"Dilations are whole numbers from 1 on, but are {list(attention_rates)}."
            )
        self.branch_sum = branch_sum
        self.settings |= {
            "attention_rates": list(attention_rates),
            "branch_sum": branch_sum,
            "attention_channels": attention_channels,
            "attention_squeeze": attention_squeeze,
        }
        inputs = self.backbone.channels
        self.squeeze: nn.Module = nn.Identity()
        if attention_squeeze and attention_rates:
            self.squeeze = nn.Sequential(
                nn.Conv2d(inputs, attention_squeeze, 1), nn.ReLU(inplace=True)
            )
            inputs = attention_squeeze
        self.attention = nn.ModuleList(
            _branch(inputs, num_classes, rate, attention_channels, dropout)
            for rate in attention_rates
        )
        start_layers(self.squeeze, head_start)
        start_layers(self.attention, head_start)
        summed = 2 if branch_sum == "mean" else len(self.attention)
        for branch in self.attention:
            nn.init.constant_(branch[-1].bias, gate_start / min(summed, len(self.attention)))  # type: ignore[index]

    def forward(self, images: torch.Tensor) -> SalOutput:  # type: ignore[override]
        """Logits and scores of normalised images (N,3,H,W), as the losses take them."""
        features = self.backbone(images)
        return SalOutput(self.classify(features), self.scores(features))

    def segment(self, images: torch.Tensor) -> torch.Tensor:
        """The logarithms of the gated, renormalised probabilities (N,C+1,h,w) of normalised images
        (N,3,H,W): their softmax are these probabilities. Source: SAL Eq. 11.
        """
        seen = self(images)
        return gated(seen.segmentation, seen.scores)

    def scores(self, features: torch.Tensor) -> torch.Tensor | None:
        """d_s (N,C), raw, of the trunk's features; None without branches."""
        if not len(self.attention):
            return None
        pooled = self.squeeze(self.pool(features))
        each = [branch(pooled).mean(dim=(2, 3)) for branch in self.attention]
        if self.branch_sum == "mean" and len(each) > 1:
            return each[0] + torch.stack(each[1:]).mean(dim=0)
        return torch.stack(each).sum(dim=0)


def gated(logits: torch.Tensor, scores: torch.Tensor | None) -> torch.Tensor:
    """log(p g / sum(p g)) for p = softmax(logits), logits (N,C+1,h,w), and g = sigmoid(scores),
    scores (N,C); the background's g is 1. Without scores log p. Source: SAL Eq. 11.
    """
    if scores is not None:
        # softmax(z) g, renormalised, is softmax(z + log g): one softmax, and no underflow.
        opened = functional.logsigmoid(scores.to(logits.dtype))
        logits = logits + functional.pad(opened, (1, 0))[:, :, None, None]
    return functional.log_softmax(logits, dim=1)


def _branch(inputs: int, outputs: int, rate: int, channels: int, dropout: float) -> nn.Sequential:
    """3x3 dilated by `rate`, ReLU, dropout, 1x1; with 0 channels the 3x3 layer alone."""
    if not channels:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=rate, dilation=rate))
    return nn.Sequential(
        nn.Conv2d(inputs, channels, 3, padding=rate, dilation=rate),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Conv2d(channels, outputs, 1),
    )
