"""The classification network whose last layer is its class maps (OAA, section 3)."""

from typing import Any, NamedTuple

import torch
from torch import nn

from backend.networks.backbones import build_backbone
from backend.networks.head import new_head


class ClassifierOutput(NamedTuple):
    """scores (N,C) logits, the spatial mean of maps (N,C,h,w), raw."""

    scores: torch.Tensor
    maps: torch.Tensor


class CamClassifier(nn.Module):
    """A backbone, head_layers times (3x3, ReLU), a 1x1 layer to the classes, and global average.

    The maps before pooling are the CAMs: no second pass, no weights to multiply in afterwards.
    Dropout stands before the 1x1 layer. New layers start from N(0, 0.01) with zero bias.
    """

    def __init__(
        self,
        backbone_name: str,
        num_classes: int,
        *,
        stride: int | None = None,
        head_channels: int = 512,
        head_layers: int = 3,
        dropout: float = 0.0,
        frozen_norm: bool = False,
        head_start: str = "gauss",
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f"A classifier has at least one class; {num_classes} were asked for.")
        self.backbone = build_backbone(backbone_name, stride=stride, frozen_norm=frozen_norm)
        self.num_classes = num_classes
        self.settings: dict[str, Any] = {
            "backbone_name": backbone_name,
            "num_classes": num_classes,
            "stride": self.backbone.stride,
            "head_channels": head_channels,
            "head_layers": head_layers,
            "dropout": dropout,
            "frozen_norm": frozen_norm,
        }
        self.head = new_head(
            self.backbone.channels,
            num_classes,
            channels=head_channels,
            layers=head_layers,
            dropout=dropout,
            start=head_start,
        )

    def forward(self, images: torch.Tensor) -> ClassifierOutput:
        """Class scores and class maps of normalised images (N,3,H,W)."""
        maps = self.head(self.backbone(images))
        return ClassifierOutput(maps.mean(dim=(2, 3)), maps)

    def attend(self, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        """As forward: a CAM does not depend on which tags are asked for. tags (N,C) of 0 and 1."""
        return self(images)


class IntegralModel(CamClassifier):
    """The same network without its pooling, taught pixel by pixel: its maps are probabilities.

    Source: OAA, section 3.3: q = sigmoid(F).
    """

    def attend(self, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        """Maps (N,C,h,w) in 0..1, and as scores their largest logits, for want of a pooling."""
        maps = self(images).maps
        return ClassifierOutput(maps.amax(dim=(2, 3)), maps.float().sigmoid())
