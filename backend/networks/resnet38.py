"""ResNet-38: the wide network of Wu et al. (Wider or Deeper, 2016) of AffinityNet and ECS-Net.

Layers carry the names of the converted weights in circulation (conv1a, b2.conv_branch2a, ..., bn7).
`layer_name` turns the names of the original MXNet file into them, so a file made by

    arrays = {key: value.asnumpy() for key, value in mxnet.nd.load(FILE).items()}
    numpy.savez("resnet38.npz", **arrays)

loads as it is. The network takes torchvision's normalisation.
"""

import re

import torch
from torch import nn
from torch.nn import functional

from backend.networks.backbone import Backbone

STATISTICS = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}


def layer_name(original: str) -> str | None:
    """The name here of a tensor of the MXNet file, None for its classifier.

    arg:res3b1_branch2a_weight -> b3_1.conv_branch2a.weight; aux:bn2a_branch2a_moving_var ->
    b2.bn_branch2a.running_var; any other name stays.
    """
    name = original.removeprefix("arg:").removeprefix("aux:")
    last = name.rsplit("_", 1)[-1]
    if name.startswith("linear"):
        return None
    if name == "conv1a_weight":
        return "conv1a.weight"
    if re.fullmatch(r"bn7_(gamma|beta|moving_mean|moving_var)", name):
        return f"bn7.{STATISTICS[last]}"
    found = re.fullmatch(r"(res|bn)(\d)(?:a|b(\d))_(branch\w+?)_(\w+)", name)
    if not found:
        return original
    kind, stage, unit, branch, _ = found.groups()
    block = f"b{stage}" if unit is None else f"b{stage}_{unit}"
    if kind == "res":
        return f"{block}.conv_{branch}.weight"
    return f"{block}.bn_{branch}.{STATISTICS.get(last, last)}"


def convolution(
    inputs: int, outputs: int, size: int, *, stride: int = 1, dilation: int = 1
) -> nn.Conv2d:
    padding = dilation * (size // 2)
    return nn.Conv2d(inputs, outputs, size, stride, padding, dilation, bias=False)


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation and ReLU in front; a 1x1 shortcut where the
    shape changes.
    """

    def __init__(
        self,
        inputs: int,
        middle: int,
        outputs: int,
        *,
        stride: int = 1,
        first_dilation: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.bn_branch2a = nn.BatchNorm2d(inputs)
        self.conv_branch2a = convolution(inputs, middle, 3, stride=stride, dilation=first_dilation)
        self.bn_branch2b1 = nn.BatchNorm2d(middle)
        self.conv_branch2b1 = convolution(middle, outputs, 3, dilation=dilation)
        self.conv_branch1 = (
            convolution(inputs, outputs, 1, stride=stride)
            if inputs != outputs or stride != 1
            else None
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        active = functional.relu(self.bn_branch2a(features))
        shortcut = features if self.conv_branch1 is None else self.conv_branch1(active)
        inner = self.conv_branch2a(active)
        inner = self.conv_branch2b1(functional.relu(self.bn_branch2b1(inner)))
        return shortcut + inner


class Bottleneck(nn.Module):
    """1x1, dilated 3x3, 1x1 with batch normalisation and ReLU in front, dropout inside, a 1x1
    shortcut.
    """

    def __init__(
        self, inputs: int, first: int, second: int, outputs: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.bn_branch2a = nn.BatchNorm2d(inputs)
        self.conv_branch2a = convolution(inputs, first, 1)
        self.bn_branch2b1 = nn.BatchNorm2d(first)
        self.conv_branch2b1 = convolution(first, second, 3, dilation=dilation)
        self.bn_branch2b2 = nn.BatchNorm2d(second)
        self.conv_branch2b2 = convolution(second, outputs, 1)
        self.conv_branch1 = convolution(inputs, outputs, 1)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        active = functional.relu(self.bn_branch2a(features))
        inner = self.conv_branch2a(active)
        inner = self.conv_branch2b1(self.dropout(functional.relu(self.bn_branch2b1(inner))))
        inner = self.conv_branch2b2(self.dropout(functional.relu(self.bn_branch2b2(inner))))
        return self.conv_branch1(active) + inner


class ResNet38(Backbone):
    """Stride 8: stages of 3, 3 and 6 blocks with stride 2, then 3 dilated blocks and two dilated
    bottlenecks.
    """

    def __init__(self, *, frozen_norm: bool = False) -> None:
        super().__init__("resnet38", 4096, 8, frozen_norm=frozen_norm)
        self.conv1a = convolution(3, 64, 3)
        inputs = 64
        names = []
        for stage, width, units in ((2, 128, 3), (3, 256, 3), (4, 512, 6)):
            for unit in range(units):
                names.append(f"b{stage}_{unit}" if unit else f"b{stage}")
                stride = 1 if unit else 2
                self.add_module(names[-1], Block(inputs, width, width, stride=stride))
                inputs = width
        self.b5 = Block(512, 512, 1024, first_dilation=1, dilation=2)
        self.b5_1 = Block(1024, 512, 1024, first_dilation=2, dilation=2)
        self.b5_2 = Block(1024, 512, 1024, first_dilation=2, dilation=2)
        self.b6 = Bottleneck(1024, 512, 1024, 2048, dilation=4, dropout=0.3)
        self.b7 = Bottleneck(2048, 1024, 2048, 4096, dilation=4, dropout=0.5)
        self.bn7 = nn.BatchNorm2d(4096)
        self.tap_channels = (512, 1024)
        self.blocks = (*names, "b5", "b5_1", "b5_2", "b6", "b7")
        self.train()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.taps(images)[2]

    def taps(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features = self.conv1a(images)
        ends = {}
        for name in self.blocks:
            features = self.get_submodule(name)(features)
            ends[name] = features
        return ends["b4_5"], ends["b5_2"], functional.relu(self.bn7(features))
