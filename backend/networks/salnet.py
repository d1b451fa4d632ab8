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
    0 for none; most of what dilated layers cost goes by their input. Raises ValueError for another
    sum or a dilation below 1. Source: SAL, section III-C; the squeeze is ours.
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
        each = [_score(branch, pooled) for branch in self.attention]
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


def _score(branch: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """The mean over the image (N,C) of what a branch makes of features (N,channels,h,w).

    The mean of a convolution alone is a product with the means of the features under each of its
    taps: the same numbers for a small part of the work.
    """
    if not (isinstance(branch, nn.Sequential) and len(branch) == 1):
        scores: torch.Tensor = branch(features).mean(dim=(2, 3))
        return scores
    layer = branch[0]
    assert isinstance(layer, nn.Conv2d)
    means = _means_under_taps(features, layer.dilation[0])
    return functional.linear(means.flatten(1), layer.weight.flatten(1), layer.bias)


def _means_under_taps(features: torch.Tensor, rate: int) -> torch.Tensor:
    """(N,channels,3,3): what each tap of a 3x3 layer of this dilation sees on average, zeros beyond
    the border included.
    """
    images, channels, height, width = features.shape
    # As matrices: sums of slices would each pass over the features, and again on the way back.
    lines = features.permute(0, 2, 3, 1).reshape(images, height, width * channels)
    rows = torch.matmul(_seen(height, rate, lines), lines)
    cells = torch.matmul(_seen(width, rate, lines), rows.reshape(images, 3, width, channels))
    return cells.permute(0, 3, 1, 2) / (height * width)


def _seen(length: int, rate: int, like: torch.Tensor) -> torch.Tensor:
    """(3,length) of 0 and 1: the places `rate` before some place, at one, `rate` behind one."""
    places = torch.arange(length, device=like.device)
    return torch.stack([places < length - rate, places >= 0, places >= rate]).to(like.dtype)


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
