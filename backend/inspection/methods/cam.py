"""CAM: the class maps whose mean is the network's score."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from backend.inspection.methods.method import OUR_KINDS, Method, seen_at
from backend.inspection.scene import Scene
from backend.inspection.stages import Stage, StageMap
from backend.networks import ClassifierOutput
from backend.networks.ecsnet import EcsNet
from backend.networks.seenet import SeeNet


class Cam(Method):
    """The class maps of any of our networks: of SeeNet its first branch's, of ECS-Net a look at the
    whole image at full size."""

    name = "cam"
    title = "CAM"
    about = "Class activation map: where the network sees a tag, divided by its maximum"
    kinds = OUR_KINDS
    stages: ClassVar[dict[str, Stage]] = {"cam": Stage(("image",), per_tag=True)}
    final = "cam"

    def make(self, stage: str) -> Iterator[StageMap]:
        probabilities, _ = class_maps(self.scene)
        scores = [float(probabilities[output]) for output in self.scene.outputs]
        captions = [
            seen_at(score, heat, tag)
            for score, heat, (_, tag) in zip(scores, self.attention, self.scene.tags, strict=True)
        ]
        yield from self.heats(stage, self.attention, captions, [{"score": s} for s in scores])

    def final_maps(self) -> np.ndarray:
        return class_maps(self.scene)[1][list(self.scene.outputs)]


def class_maps(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """The network's scores as probabilities float32 (C,) and its raw class maps (C,h,w)."""

    def look() -> tuple[np.ndarray, np.ndarray]:
        output = scene.run(lambda network: plain(network)(scene.batch))
        scores = output.scores[0].sigmoid()
        return scores.float().cpu().numpy(), output.maps[0].float().cpu().numpy()

    return scene.caches.weights.keep("class maps", scene.card.digest, look)


class OneBranch(nn.Module):
    """A trunk and one head of a larger network, as the classification network that they are."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: torch.Tensor) -> ClassifierOutput:
        maps = self.head(self.backbone(images))
        return ClassifierOutput(maps.mean(dim=(2, 3)), maps)


def plain(network: nn.Module) -> nn.Module:
    """The classification network in a network: images in, scores and class maps out."""
    if isinstance(network, SeeNet):
        return OneBranch(network.backbone, network.head_a).eval()
    if isinstance(network, EcsNet):
        return OneBranch(network.backbone, network.classifier).eval()
    return network
