"""DeepLab's heads: their shapes, what they see, and that a card's settings build them again."""

from typing import Any

import pytest
import torch
from torch import nn

from backend.networks.deeplab import HEADS, DeepLab
from backend.weights import KINDS

IMAGES = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(0))


def unfilled(*arguments: Any, **keywords: Any) -> DeepLab:
    """A network whose layers have shapes but no numbers, so that large ones are made at once."""
    with torch.device("meta"):
        return DeepLab(*arguments, **keywords)


def layers(network: nn.Module) -> list[tuple[int, int, int]]:
    """Channels in and out and the dilation of the head's layers."""
    return [
        (each.in_channels, each.out_channels, each.dilation[0])
        for each in network.modules()
        if isinstance(each, nn.Conv2d)
    ]


def test_logits_are_the_background_and_the_classes_at_the_trunks_stride():
    network = DeepLab("slim", 3, channels=8).eval()
    logits = network.segment(IMAGES)
    assert logits.shape == (2, 4, 12, 10)
    torch.testing.assert_close(network(IMAGES), logits)
    torch.testing.assert_close(network.classify(network.backbone(IMAGES)), logits)


def test_largefov_is_one_layer_of_dilation_12_and_two_of_1x1():
    network = unfilled("vgg16", 20)
    assert layers(network.branches) == [(512, 1024, 12), (1024, 1024, 1), (1024, 21, 1)]
    assert [each.p for each in network.branches.modules() if isinstance(each, nn.Dropout)] == [
        0.5,
        0.5,
    ]


def test_aspp_on_vgg16_has_four_branches_of_their_own():
    network = unfilled("vgg16", 20, rates=HEADS["aspp"])
    assert layers(network.branches) == [
        layer
        for rate in (6, 12, 18, 24)
        for layer in ((512, 1024, rate), (1024, 1024, 1), (1024, 21, 1))
    ]


def test_aspp_on_resnet_is_four_plain_classifiers_that_are_summed():
    network = unfilled("resnet101", 20, rates=HEADS["aspp"], channels=0)
    assert layers(network.branches) == [(2048, 21, rate) for rate in (6, 12, 18, 24)]
    network = DeepLab("slim", 2, rates=HEADS["aspp"], channels=0).eval()
    features = torch.rand(1, 128, 5, 5)
    summed = sum(branch(features) for branch in network.branches)
    torch.testing.assert_close(network.classify(features), summed)


def test_a_cell_sees_as_far_as_its_dilation_and_no_cell_between():
    network = DeepLab("slim", 1, rates=(3,), channels=0).eval()
    features = torch.zeros(1, 128, 9, 9)
    quiet = network.classify(features)
    features[0, :, 4, 4] = 1.0
    seen = (network.classify(features) != quiet).any(dim=1)[0]
    places = {tuple(place) for place in torch.nonzero(seen).tolist()}
    assert places == {(row, column) for row in (1, 4, 7) for column in (1, 4, 7)}


def test_vgg16_alone_pools_before_its_head():
    assert isinstance(unfilled("vgg16", 1, channels=4).pool, nn.MaxPool2d)
    assert isinstance(DeepLab("slim", 1, channels=4).pool, nn.Identity)


def test_new_layers_start_from_a_narrow_normal_with_zero_bias():
    torch.manual_seed(0)
    head = DeepLab("slim", 20, channels=256).branches
    weights = torch.cat([p.flatten() for name, p in head.named_parameters() if "weight" in name])
    assert weights.std().item() == pytest.approx(0.01, rel=0.05)
    assert all((p == 0).all() for name, p in head.named_parameters() if "bias" in name)


def test_the_settings_build_the_same_network_again():
    network = DeepLab("slim", 2, rates=(2, 4), channels=8, dropout=0.1, frozen_norm=True)
    again = KINDS["segment"](**network.settings)
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again.eval()(IMAGES), network.eval()(IMAGES))
    assert again.settings == network.settings
    assert again.backbone.frozen_norm


@pytest.mark.parametrize("rates", [(), (0,), (6, -1)])
def test_rates_that_are_none_are_refused(rates: tuple[int, ...]):
    with pytest.raises(ValueError, match="rates are whole numbers from 1 on"):
        DeepLab("slim", 2, rates=rates)


def test_a_segmenter_of_no_class_is_refused():
    with pytest.raises(ValueError, match="at least one class; 0 were asked for"):
        DeepLab("slim", 0)
