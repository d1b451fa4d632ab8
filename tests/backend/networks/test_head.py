"""New layers on a trunk: what they are made of, how they begin, and how fast each part learns."""

import pytest
import torch
from torch import nn

from backend.networks.classifier import CamClassifier
from backend.networks.ecsnet import EcsNet
from backend.networks.head import new_head, parameter_groups
from backend.networks.seenet import SeeNet

NETWORKS = {
    "cam": lambda **how: CamClassifier("slim", 4, head_channels=8, head_layers=2, **how),
    "seenet": lambda **how: SeeNet("slim", 4, head_channels=8, head_layers=2, **how),
    "shared": lambda **how: SeeNet("slim", 4, head_channels=8, shared_head=True, **how),
    "ecsnet": lambda **how: EcsNet("slim", 4, **how),
}


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [each for each in module.modules() if isinstance(each, nn.Conv2d)]


def test_new_layers_start_from_a_narrow_normal_with_zero_bias() -> None:
    torch.manual_seed(0)
    layers = convolutions(new_head(512, 20))
    assert [each.kernel_size for each in layers] == [(3, 3)] * 3 + [(1, 1)]
    assert [each.out_channels for each in layers] == [512, 512, 512, 20]
    for each in layers:
        assert each.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert not each.bias.any()


def test_layers_that_start_as_wide_as_asked_keep_the_variance() -> None:
    """He: the deviation is sqrt(2 / (outputs x 3 x 3)), and the features neither die nor grow."""
    torch.manual_seed(0)
    head = new_head(64, 4, channels=64, layers=6, start="he")
    first = convolutions(head)[0]
    assert first.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)
    features = torch.randn(2, 64, 24, 24)
    deep = head[:-1](features)
    assert 0.3 < deep.square().mean().item() / features.square().mean().item() < 3


def test_a_head_without_layers_is_one_linear_layer() -> None:
    head = new_head(8, 3, layers=0, dropout=0.5)
    assert [type(each) for each in head] == [nn.Dropout, nn.Conv2d]
    features = torch.randn(1, 8, 5, 5)
    weight = head[1].weight.flatten(1)
    expected = torch.einsum("oc,nchw->nohw", weight, features)
    torch.testing.assert_close(head.eval()(features), expected)


def test_learning_rates_are_1_2_10_and_20_and_only_weights_decay() -> None:
    groups = {g["name"]: g for g in parameter_groups(NETWORKS["cam"](), 0.001, 0.0002)}
    assert groups["backbone weights"]["lr"] == pytest.approx(0.001)
    assert groups["backbone biases"]["lr"] == pytest.approx(0.002)
    assert groups["new weights"]["lr"] == pytest.approx(0.01)
    assert groups["new biases"]["lr"] == pytest.approx(0.02)
    assert {n for n, g in groups.items() if g["weight_decay"]} == {
        "backbone weights",
        "new weights",
    }


def test_the_new_layers_factor_is_theirs_alone() -> None:
    groups = {g["name"]: g["lr"] for g in parameter_groups(NETWORKS["cam"](), 0.5, 0, new_factor=3)}
    assert groups["backbone weights"] == groups["backbone norms"] == 0.5
    assert groups["new weights"] == 1.5
    assert groups["new biases"] == 3.0


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_trained_parameter_is_in_one_group(name: str, frozen: bool) -> None:
    network = NETWORKS[name](frozen_norm=frozen)
    grouped = [id(p) for g in parameter_groups(network, 0.1, 0.0) for p in g["params"]]
    trained = [id(p) for p in network.parameters() if p.requires_grad]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == set(trained)


@pytest.mark.parametrize("name", NETWORKS)
def test_heads_and_refine_modules_count_as_new(name: str) -> None:
    """ECS-Net 4.2: the classifier and the refine module learn ten times as fast as the trunk."""
    network = NETWORKS[name]()
    trunk = {id(p) for p in network.backbone.parameters()}
    for group in parameter_groups(network, 1.0, 0.0):
        is_trunk = {id(p) in trunk for p in group["params"]}
        assert is_trunk == {group["name"].startswith("backbone")}
