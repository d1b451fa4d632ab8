"""The class-map network: maps, scores, new layers, learning rates."""

import pytest
import torch

from backend.networks.classifier import CamClassifier


def small(**changes: object) -> CamClassifier:
    torch.manual_seed(0)
    return CamClassifier("slim", 4, **{"head_channels": 16, "head_layers": 2, **changes})


def test_scores_are_the_mean_of_the_maps() -> None:
    network = small().eval()
    scores, maps = network(torch.randn(2, 3, 40, 56))
    assert maps.shape == (2, 4, 10, 14)
    assert torch.allclose(scores, maps.reshape(2, 4, -1).sum(2) / 140, atol=1e-6)


def test_new_layers_start_from_a_narrow_normal_with_zero_bias() -> None:
    network = CamClassifier("squeezenet1_1", 20)
    convolutions = [m for m in network.head if isinstance(m, torch.nn.Conv2d)]
    assert [m.kernel_size for m in convolutions] == [(3, 3)] * 3 + [(1, 1)]
    assert [m.out_channels for m in convolutions] == [512, 512, 512, 20]
    for module in convolutions:
        assert module.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert not module.bias.any()


def test_learning_rates_are_1_2_10_and_20_and_only_weights_decay() -> None:
    network = small()
    groups = {g["name"]: g for g in network.parameter_groups(0.001, 0.0002)}
    assert groups["backbone weights"]["lr"] == pytest.approx(0.001)
    assert groups["backbone biases"]["lr"] == pytest.approx(0.002)
    assert groups["new weights"]["lr"] == pytest.approx(0.01)
    assert groups["new biases"]["lr"] == pytest.approx(0.02)
    assert {n for n, g in groups.items() if g["weight_decay"]} == {
        "backbone weights",
        "new weights",
    }


@pytest.mark.parametrize("frozen", [True, False])
def test_every_trained_parameter_is_in_one_group(frozen: bool) -> None:
    network = small(frozen_norm=frozen)
    grouped = [id(p) for g in network.parameter_groups(0.1, 0.0) for p in g["params"]]
    trained = [id(p) for p in network.parameters() if p.requires_grad]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == set(trained)


def test_the_settings_build_the_same_network_again() -> None:
    network = small(dropout=0.5, stride=8)
    again = CamClassifier(**network.settings)
    again.load_state_dict(network.state_dict())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(again.eval()(images).maps, network.eval()(images).maps)


def test_a_classifier_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        CamClassifier("slim", 0)
