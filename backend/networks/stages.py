"""What a trunk shows on its way: the features at the end of each of its five stages.

A backbone gives its last features, or its last two stages (`taps`); networks that join coarse and
fine (saliency, affinity) want all five. The trunk is gone through in pieces, without hooks, so it
stays usable from many threads and nothing is left behind after an exception.
"""

import torch
from torch import nn
from torch.nn import functional

from backend.errors import WeightsError
from backend.networks.backbone import Backbone, PlainBackbone
from backend.networks.backbones import ResNet
from backend.networks.resnet38 import ResNet38

# name -> how many layers lead to the end of each stage but the last, and the channels of all five.
PLAIN: dict[str, tuple[tuple[int, int, int, int], tuple[int, int, int, int, int]]] = {
    "vgg16": ((4, 9, 16, 23), (64, 128, 256, 512, 512)),
    "squeezenet1_1": ((2, 5, 8, 11), (64, 128, 256, 384, 512)),
    "mobilenet_v2": ((2, 4, 7, 14), (16, 24, 32, 96, 1280)),
    "slim": ((3, 6, 10, 13), (24, 48, 96, 96, 128)),
}
RESNET_CHANNELS = (64, 256, 512, 1024, 2048)
RESNET_LAYERS = (
    ("conv1", "bn1", "relu"),
    ("maxpool", "layer1"),
    ("layer2",),
    ("layer3",),
    ("layer4",),
)
RESNET38_ENDS = ("b2_2", "b3_2", "b4_5", "b5_2")
RESNET38_CHANNELS = (128, 256, 512, 1024, 4096)


def stage_channels(backbone: Backbone) -> tuple[int, int, int, int, int]:
    """The channels of the five feature maps that `stage_features` gives, the finest first."""
    if isinstance(backbone, ResNet):
        return RESNET_CHANNELS
    if isinstance(backbone, ResNet38):
        return RESNET38_CHANNELS
    return _plain(backbone)[1]


def stage_features(backbone: Backbone, images: torch.Tensor) -> list[torch.Tensor]:
    """Images (N,3,H,W) -> five feature maps (N,C,h,w), each at its own resolution, from the finest
    to the last, which is what the backbone itself gives.

    Raises WeightsError for a trunk whose stages are not known.
    """
    seen: list[torch.Tensor] = []
    features = images
    if isinstance(backbone, ResNet):
        for names in RESNET_LAYERS:
            for name in names:
                features = backbone.get_submodule(name)(features)
            seen.append(features)
        return seen
    if isinstance(backbone, ResNet38):
        features = backbone.conv1a(features)
        for name in backbone.blocks:
            features = backbone.get_submodule(name)(features)
            if name in RESNET38_ENDS:
                seen.append(features)
        return [*seen, functional.relu(backbone.bn7(features))]
    ends, _ = _plain(backbone)
    layers = backbone.get_submodule("features")
    assert isinstance(layers, nn.Sequential)
    for start, end in zip((0, *ends), (*ends, len(layers)), strict=True):
        features = layers[start:end](features)
        seen.append(features)
    return seen


def _plain(backbone: Backbone) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int, int]]:
    if not isinstance(backbone, PlainBackbone) or backbone.name not in PLAIN:
        known = ", ".join((*PLAIN, "resnet50", "resnet101", "resnet38"))
        raise WeightsError(f"The stages of {backbone.name} are not known; known are {known}.")
    return PLAIN[backbone.name]
