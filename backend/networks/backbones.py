"""The backbones by name: torchvision's at a fine stride, the wide ResNet-38, the slim one.

Weights keep torchvision's names (features.INDEX..., layer1...), so its files load as they are.
torchvision itself is imported only where a network of it is built.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from backend.errors import WeightsError
from backend.networks.backbone import Backbone, PlainBackbone, dilate
from backend.networks.resnet38 import ResNet38

VGG16_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
SLIM_WIDTHS = ((24, 48), (96, 96, 128, 128))


def vgg16(stride: int, frozen_norm: bool) -> Backbone:
    """VGG16 to conv5_3, without pool5: at stride 8 pool4 is 3x3 with stride 1, conv5 is dilated."""
    layers: list[nn.Module] = []
    inputs = 3
    for width in VGG16_WIDTHS:
        if width == 0:
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)]
        inputs = width
    features = nn.Sequential(*layers)
    if stride == 8:
        features[23] = nn.MaxPool2d(3, 1, padding=1)
        dilate(features[24:], 2)
    for module in features:
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return PlainBackbone("vgg16", features, 512, stride, fourth=(23, 512), frozen_norm=frozen_norm)


class Fire(nn.Module):
    """SqueezeNet's unit: a 1x1 squeeze, then 1x1 and 3x3 beside each other."""

    def __init__(self, inputs: int, squeezed: int, each: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, each, 1)
        self.expand3x3 = nn.Conv2d(squeezed, each, 3, padding=1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        narrow = functional.relu(self.squeeze(features))
        wide = torch.cat([self.expand1x1(narrow), self.expand3x3(narrow)], dim=1)
        return functional.relu(wide)


def squeezenet1_1(stride: int, frozen_norm: bool) -> Backbone:
    """SqueezeNet 1.1 to fire9: at stride 8 the last pool keeps its size.

    Written out, since the light preset and the page would wait a second for torchvision's models.
    """
    last_pool = nn.MaxPool2d(3, 1, padding=1) if stride == 8 else nn.MaxPool2d(3, 2, ceil_mode=True)
    features = nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        last_pool,
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )
    for module in features.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return PlainBackbone(
        "squeezenet1_1", features, 512, stride, fourth=(8, 256), frozen_norm=frozen_norm
    )


def mobilenet_v2(stride: int, frozen_norm: bool) -> Backbone:
    """MobileNetV2 with its last 1x1: strides past the wanted one become dilation."""
    from torchvision.models import mobilenet_v2 as build

    features = build(weights=None).features
    dilation, reached = 1, 1
    for block in features:
        strided = [m for m in block.modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)]
        before = dilation
        if strided and reached < stride:
            reached *= 2
        elif strided:
            strided[0].stride = (1, 1)
            dilation *= 2
        if dilation > 1:
            dilate(block, before if strided else dilation)
    return PlainBackbone(
        "mobilenet_v2", features, 1280, stride, fourth=(14, 96), frozen_norm=frozen_norm
    )


class ResNet(Backbone):
    """torchvision's ResNet to its last block, late strides turned into dilation."""

    def __init__(self, name: str, stride: int, frozen_norm: bool) -> None:
        from torchvision import models

        super().__init__(name, 2048, stride, frozen_norm=frozen_norm)
        dilated = [False, stride <= 8, stride <= 16]
        whole = getattr(models, name)(weights=None, replace_stride_with_dilation=dilated)
        for child in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            self.add_module(child, getattr(whole, child))
        self.tap_channels = (1024, 2048)
        self.train()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.taps(images)[2]

    def taps(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        *before, fifth = self.children()
        fourth = images
        for child in before:
            fourth = child(fourth)
        features = fifth(fourth)
        return fourth, features, features


def slim(stride: int, frozen_norm: bool) -> Backbone:
    """The plain network of Scenes: six 3x3 layers with batch normalisation, for 96-pixel images."""
    layers: list[nn.Module] = []
    inputs = 3
    for index, width in enumerate(SLIM_WIDTHS[0] + SLIM_WIDTHS[1]):
        if index == len(SLIM_WIDTHS[0]):
            layers.append(nn.MaxPool2d(2, 2))
        step = 2 if index == 0 else 1
        layers += [
            nn.Conv2d(inputs, width, 3, step, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        if stride == 8 and index == 3:
            layers.append(nn.MaxPool2d(2, 2))
        inputs = width
    features = nn.Sequential(*layers)
    for module in features:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return PlainBackbone(
        "slim", features, inputs, stride, fourth=(13, SLIM_WIDTHS[1][1]), frozen_norm=frozen_norm
    )


def _resnet50(stride: int, frozen_norm: bool) -> Backbone:
    return ResNet("resnet50", stride, frozen_norm)


def _resnet101(stride: int, frozen_norm: bool) -> Backbone:
    return ResNet("resnet101", stride, frozen_norm)


def _resnet38(stride: int, frozen_norm: bool) -> Backbone:
    return ResNet38(frozen_norm=frozen_norm)


# name -> (how it is built, its strides, the first of them the default)
BACKBONES: dict[str, tuple[Callable[[int, bool], Backbone], tuple[int, ...]]] = {
    "vgg16": (vgg16, (8, 16)),
    "squeezenet1_1": (squeezenet1_1, (8, 16)),
    "mobilenet_v2": (mobilenet_v2, (8, 16, 32)),
    "resnet50": (_resnet50, (8, 16, 32)),
    "resnet101": (_resnet101, (8, 16, 32)),
    "resnet38": (_resnet38, (8,)),
    "slim": (slim, (4, 8)),
}


def backbone_names() -> tuple[str, ...]:
    """The names that build_backbone takes."""
    return tuple(BACKBONES)


def backbone_strides(name: str) -> tuple[int, ...]:
    """The strides that a backbone offers, its default first."""
    if name not in BACKBONES:
        raise WeightsError(f"There is no backbone '{name}'; there are {', '.join(BACKBONES)}.")
    return BACKBONES[name][1]


def build_backbone(name: str, *, stride: int | None = None, frozen_norm: bool = False) -> Backbone:
    """A backbone with random weights: images (N,3,H,W) -> (N, .channels, H/.stride, W/.stride).

    frozen_norm keeps the statistics and the affine part of batch normalisation as loaded, in
    training too. Raises WeightsError for an unknown name or a stride that it does not offer.
    """
    strides = backbone_strides(name)
    chosen = strides[0] if stride is None else stride
    if chosen not in strides:
        offered = " or ".join(str(value) for value in strides)
        raise WeightsError(f"{name} has stride {offered}; {chosen} was asked for.")
    return BACKBONES[name][0](chosen, frozen_norm)
