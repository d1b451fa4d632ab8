"""DeepLab: a trunk at stride 8 under dilated 3x3 layers, one (LargeFOV) or four that are summed.

Chen et al., DeepLab (PAMI 2018): LargeFOV is one 3x3 layer with dilation 12, ASPP has four with 6,
12, 18 and 24. On VGG16 each is followed by two 1x1 layers (fc6, fc7, fc8 of 1024 channels); on
ResNet it classifies by itself.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from backend.networks.backbones import build_backbone
from backend.networks.head import start_layers

HEADS: dict[str, tuple[int, ...]] = {"largefov": (12,), "aspp": (6, 12, 18, 24)}


def branch(inputs: int, outputs: int, rate: int, channels: int, dropout: float) -> nn.Sequential:
    """fc6 (3x3, dilated by `rate`), fc7 and fc8 (1x1); with 0 channels the 3x3 layer alone."""
    if not channels:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=rate, dilation=rate))
    return nn.Sequential(
        nn.Conv2d(inputs, channels, 3, padding=rate, dilation=rate),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Conv2d(channels, channels, 1),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Conv2d(channels, outputs, 1),
    )


class DeepLab(nn.Module):
    """A backbone and dilated branches whose logits are summed: background, then the classes.

    rates: the dilation of each branch (HEADS has the papers'). channels: of fc6 and fc7; 0 for the
    ResNet variant, a plain 3x3 classifier a branch. On VGG16 a 3x3 pool of stride 1 stands before
    them, as in DeepLab. Raises ValueError for no class, no branch or a rate below 1.
    """

    def __init__(
        self,
        backbone_name: str,
        num_classes: int,
        *,
        stride: int | None = None,
        rates: Sequence[int] = HEADS["largefov"],
        channels: int = 1024,
        dropout: float = 0.5,
        frozen_norm: bool = False,
        head_start: str = "gauss",
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f"A segmenter has at least one class; {num_classes} were asked for.")
        if not rates or min(rates) < 1:
            raise ValueError(f"DeepLab's rates are whole numbers from 1 on, but are {list(rates)}.")
        self.backbone = build_backbone(backbone_name, stride=stride, frozen_norm=frozen_norm)
        self.num_classes = num_classes
        self.settings: dict[str, Any] = {
            "backbone_name": backbone_name,
            "num_classes": num_classes,
            "stride": self.backbone.stride,
            "rates": list(rates),
            "channels": channels,
            "dropout": dropout,
            "frozen_norm": frozen_norm,
        }
        self.pool = nn.MaxPool2d(3, 1, padding=1) if backbone_name == "vgg16" else nn.Identity()
        self.branches = nn.ModuleList(
            branch(self.backbone.channels, num_classes + 1, rate, channels, dropout)
            for rate in rates
        )
        start_layers(self.branches, head_start)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """As `segment`."""
        return self.segment(images)

    def segment(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N,C+1,h,w) of normalised images (N,3,H,W): channel 0 is the background."""
        return self.classify(self.backbone(images))

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """The logits (N,C+1,h,w) of the trunk's features (N,channels,h,w)."""
        pooled = self.pool(features)
        logits: torch.Tensor = self.branches[0](pooled)
        for each in list(self.branches)[1:]:
            logits = logits + each(pooled)
        return logits
