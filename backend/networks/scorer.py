"""The network that says how good a mask of an image is, whatever its class.

Zhou et al., SAL: Selection and Attention Losses for Weakly Supervised Semantic Segmentation (TMM
2020), Table I.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from backend.networks.gdn import GDN

# Pixels a cell of the last feature map.
STRIDE = 8
# Between 0 and 1 of a mask, in a normalised image's deviations.
MASK_RANGE = 4.0


class ResidualBlock(nn.Module):
    """Two 3x3 layers beside a skip, a 1x1 layer where channels change, and GDN on their sum."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.norm = GDN(outputs)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        inner = self.second(functional.relu(self.first(features)))
        return self.norm(inner + self.skip(features))


class ScorerNetwork(nn.Module):
    """Nine layers from an image and its binary mask to one number, P, near 0..1.

    channels: of the first layer and of the one before the last (the paper: 128); width: of the six
    between (192). Images of any size are seen; the paper's are 256 x 256. Nothing holds the output
    within 0..1 here: a ReLU at the end dies for good where the first steps push all scores below 0,
    so that whoever reads a score clamps it.
    """

    def __init__(self, channels: int = 128, width: int = 192) -> None:
        super().__init__()
        if min(channels, width) < 1:
            raise ValueError(
                f"A scorer's layers have at least one channel, not {channels} and {width}."
            )
        self.settings: dict[str, Any] = {"channels": channels, "width": width}
        self.layer1 = nn.Conv2d(4, channels, 3, padding=1)
        self.layer2 = ResidualBlock(channels, width)
        self.layer3 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.layer4 = ResidualBlock(width, width)
        self.layer5 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.layer6 = ResidualBlock(width, width)
        self.layer7 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.layer8 = nn.Linear(width, channels)
        self.norm8 = GDN(channels)
        self.layer9 = nn.Linear(channels, 1)
        self._start()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """P (N,), not clamped, of inputs (N,4,H,W): a normalised image and its mask of 0 and 1."""
        # As far apart as the darkest and the brightest of an image: a mask is seen from the start.
        inputs = torch.cat([inputs[:, :3], MASK_RANGE * (inputs[:, 3:] - 0.5)], dim=1)
        seen = self.layer2(functional.relu(self.layer1(inputs)))
        seen = self.layer4(functional.relu(self.layer3(seen)))
        seen = self.layer6(functional.relu(self.layer5(seen)))
        seen = functional.relu(self.layer7(seen)).mean(dim=(2, 3))
        # bfloat16 has 128 steps between 1/2 and 1: too few to order masks by.
        with in_float32(seen.device.type):
            return self.layer9(self.norm8(self.layer8(seen.float())))[:, 0]

    def score(self, images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """P (N,), not clamped, of normalised images (N,3,H,W) and masks (N,1,H,W) of 0 and 1."""
        return self(torch.cat([images, masks.to(images.dtype)], dim=1))

    def _start(self) -> None:
        """Layers as wide as their input asks; scores begin in the middle of 0..1."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.layer9.weight, std=0.01)
        nn.init.constant_(self.layer9.bias, 0.5)


def in_float32(device: str) -> AbstractContextManager[object]:
    """Within it, layers on a kind of device compute as precisely as their inputs are."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, enabled=False)
