"""What a trunk shows of its fourth and fifth stage, and that every method stands on every trunk."""

import pytest
import torch
from torch import nn

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from backend.networks.backbones import backbone_names, build_backbone
from backend.networks.classifier import CamClassifier
from backend.networks.ecsnet import EcsNet
from backend.networks.seenet import SeeNet

# isort: split
from torchvision import models
from torchvision.models import vgg


@pytest.mark.parametrize("name", backbone_names())
def test_taps_have_the_promised_channels_and_end_in_the_features(name: str) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name)
        images = torch.zeros(2, 3, 64, 96)
        fourth, fifth, last = backbone.taps(images)
        assert last.shape == backbone(images).shape
    assert (fourth.shape[1], fifth.shape[1]) == backbone.tap_channels
    assert last.shape[1] == backbone.channels
    assert fifth.shape[2:] == last.shape[2:]
    assert fourth.shape[2] >= fifth.shape[2]


@pytest.mark.parametrize("name", ["slim", "squeezenet1_1", "mobilenet_v2"])
def test_the_last_tap_is_what_the_trunk_gives(name: str) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(name).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(backbone.taps(images)[2], backbone(images))


# name -> torchvision's layers, and how many of them lead to the end of conv4, of fire5 and of the
# last block 96 channels wide.
FOURTH = {
    "vgg16": (lambda: vgg.make_layers(vgg.cfgs["D"], batch_norm=False), 23),
    "squeezenet1_1": (lambda: models.squeezenet1_1(weights=None).features, 8),
    "mobilenet_v2": (lambda: models.mobilenet_v2(weights=None).features, 14),
}


@pytest.mark.parametrize("name", FOURTH)
def test_the_fourth_stage_is_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    build, layers = FOURTH[name]
    published = build().eval()
    backbone = build_backbone(name, stride=16).eval()
    values = published.state_dict()
    backbone.features.load_state_dict({key: values[key] for key in backbone.features.state_dict()})
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = published[:layers](images)
        torch.testing.assert_close(backbone.taps(images)[0], expected, atol=1e-5, rtol=1e-4)


def test_the_fourth_stage_of_a_residual_network_is_its_third_layer() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet50").eval()
    seen = []
    backbone.layer3.register_forward_hook(lambda module, given, out: seen.append(out))
    with torch.no_grad():
        fourth, fifth, last = backbone.taps(torch.randn(1, 3, 32, 32))
    assert torch.equal(fourth, seen[0])
    assert torch.equal(fifth, last)


@pytest.mark.parametrize("name", backbone_names())
def test_every_method_stands_on_every_trunk(name: str) -> None:
    with torch.device("meta"):
        images, tags = torch.zeros(2, 3, 64, 64), torch.ones(2, 5)
        seenet, ecsnet = SeeNet(name, 5, head_channels=8), EcsNet(name, 5)
        grid = seenet.backbone(images).shape[2:]
        for network in (seenet, ecsnet):
            scores, maps = network.attend(images, tags)
            assert scores.shape == (2, 5)
            assert maps.shape == (2, 5, *grid)
        third = seenet(images, tags).scores_c
        assert third is not None
        assert third.shape == (2, 5)
        assert ecsnet(images, overlaid=True).refined.shape == (2, 5, *grid)


@pytest.mark.parametrize("build", [CamClassifier, SeeNet, EcsNet])
def test_frozen_statistics_stay_as_loaded_in_every_method(build: type[nn.Module]) -> None:
    network = build("slim", 3, frozen_norm=True).train()
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    assert norms
    assert not any(each.training or each.weight.requires_grad for each in norms)
