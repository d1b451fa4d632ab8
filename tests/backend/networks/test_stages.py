"""The five stages of a trunk: their promised channels, finest first, ending in its own features."""

import pytest
import torch

from backend.errors import WeightsError
from backend.networks.backbone import Backbone
from backend.networks.backbones import backbone_names, backbone_strides, build_backbone
from backend.networks.stages import stage_channels, stage_features


@pytest.mark.parametrize("name", backbone_names())
def test_every_trunk_shows_five_stages_of_the_promised_channels(name: str) -> None:
    for stride in backbone_strides(name):
        with torch.device("meta"):
            backbone = build_backbone(name, stride=stride)
            images = torch.zeros(2, 3, 64, 96)
            seen = stage_features(backbone, images)
            assert seen[-1].shape == backbone(images).shape
            fourth, fifth, _ = backbone.taps(images)
        assert tuple(each.shape[1] for each in seen) == stage_channels(backbone)
        heights = [each.shape[2] for each in seen]
        assert heights == sorted(heights, reverse=True)
        assert heights[0] >= 31
        # What `taps` calls the fourth and fifth stage is among them.
        shapes = [each.shape for each in seen]
        assert fourth.shape in shapes
        assert fifth.shape in shapes


@pytest.mark.parametrize("name", ["slim", "squeezenet1_1", "mobilenet_v2", "vgg16", "resnet50"])
def test_the_last_stage_is_what_the_trunk_gives_and_no_layer_spoils_an_earlier_one(
    name: str,
) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(name).eval()
    images = torch.randn(1, 3, 48, 48)
    with torch.no_grad():
        seen = stage_features(backbone, images)
        torch.testing.assert_close(seen[-1], backbone(images))
        kept = [each.clone() for each in seen]
        again = stage_features(backbone, images)
    for first, second, now in zip(kept, again, seen, strict=True):
        assert torch.equal(first, second)
        assert torch.equal(first, now)


def test_gradients_reach_the_first_layer_from_every_stage() -> None:
    backbone = build_backbone("slim").train()
    first = next(backbone.parameters())
    for number in range(5):
        backbone.zero_grad()
        stage_features(backbone, torch.randn(2, 3, 32, 32))[number].square().sum().backward()
        assert first.grad is not None
        assert first.grad.abs().sum() > 0


def test_a_trunk_whose_stages_are_not_known_is_named() -> None:
    stranger = Backbone("stranger", 8, 8)
    for ask in (lambda: stage_channels(stranger), lambda: stage_features(stranger, torch.ones(1))):
        with pytest.raises(WeightsError, match=r"stranger.*known are vgg16"):
            ask()
