"""The classification network whose last layer is its class maps (OAA, section 3)."""

from typing import Any, NamedTuple

import torch
from torch import nn

from backend.networks.backbones import build_backbone


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
        layers: list[nn.Module] = []
        inputs = self.backbone.channels
        for _ in range(head_layers):
            layers += [nn.Conv2d(inputs, head_channels, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = head_channels
        layers += [nn.Dropout(dropout), nn.Conv2d(inputs, num_classes, 1)]
        self.head = nn.Sequential(*layers)
        for module in self.head:
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                if head_start == "he":
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                else:
                    nn.init.normal_(module.weight, 0.0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, images: torch.Tensor) -> ClassifierOutput:
        """Class scores and class maps of normalised images (N,3,H,W)."""
        maps = self.head(self.backbone(images))
        return ClassifierOutput(maps.mean(dim=(2, 3)), maps)

    def parameter_groups(
        self, base_rate: float, decay: float, *, new_factor: float = 10.0
    ) -> list[dict[str, Any]]:
        """Optimiser groups: backbone at base_rate, new layers new_factor times it, biases double.

        Weight decay falls on convolution weights only, as in the Caffe networks these rates come
        from. Parameters that take no gradient are left out, and so is a group that would be empty.
        """
        groups = []
        for name, module, factor in (
            ("backbone", self.backbone, 1.0),
            ("new", self.head, new_factor),
        ):
            parameters = [p for p in module.named_parameters() if p[1].requires_grad]
            weights = [p for _, p in parameters if p.ndim > 1]
            norms = [p for n, p in parameters if p.ndim == 1 and not n.endswith("bias")]
            biases = [p for n, p in parameters if p.ndim == 1 and n.endswith("bias")]
            for kind, members, times, weight_decay in (
                ("weights", weights, 1.0, decay),
                ("norms", norms, 1.0, 0.0),
                ("biases", biases, 2.0, 0.0),
            ):
                if members:
                    rate = base_rate * factor * times
                    groups.append(
                        {
                            "params": members,
                            "lr": rate,
                            "weight_decay": weight_decay,
                            "name": f"{name} {kind}",
                        }
                    )
        return groups
