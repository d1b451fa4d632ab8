"""What every backbone is: images in, one feature map out, batch normalisation frozen on request."""

from typing import Self

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class Backbone(nn.Module):
    """A trunk without its classifier: images (N,3,H,W) -> features (N,channels,H/stride,W/stride).

    Trunks that pad less than half a kernel give one row and column fewer.
    """

    name: str
    channels: int
    stride: int
    tap_channels: tuple[int, int]
    """Channels of the features that `taps` gives beside the last."""

    def __init__(self, name: str, channels: int, stride: int, *, frozen_norm: bool = False) -> None:
        super().__init__()
        self.name = name
        self.channels = channels
        self.stride = stride
        self.frozen_norm = frozen_norm

    def taps(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The features of the fourth stage (conv4), of the fifth (conv5) and the last, which are
        the fifth's but for ResNet-38: each (N,C,h,w) at its own resolution.
        """
        raise NotImplementedError

    def train(self, mode: bool = True) -> Self:
        """As torch's; with frozen_norm, batch normalisation stays as loaded."""
        super().train(mode)
        if self.frozen_norm:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
                    module.requires_grad_(False)
        return self


class PlainBackbone(Backbone):
    """A backbone that is one row of layers, its weights named features.INDEX as torchvision's."""

    def __init__(
        self,
        name: str,
        features: nn.Sequential,
        channels: int,
        stride: int,
        *,
        fourth: tuple[int, int],
        frozen_norm: bool = False,
    ) -> None:
        """`fourth` is the number of layers to the end of the fourth stage, and its channels."""
        super().__init__(name, channels, stride, frozen_norm=frozen_norm)
        self.features = features
        self.fourth = fourth[0]
        self.tap_channels = (fourth[1], channels)
        self.train()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.features(images)

    def taps(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        fourth = self.features[: self.fourth](images)
        last = self.features[self.fourth :](fourth)
        return fourth, last, last


def dilate(modules: nn.Module, dilation: int) -> None:
    """Spreads these layers' 3x3 kernels, so that they see as far as with the stride they lost."""
    for module in modules.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.dilation = (dilation, dilation)
            module.padding = (dilation, dilation)
