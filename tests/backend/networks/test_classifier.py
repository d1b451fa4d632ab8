"""The class-map network: maps, scores, and the same network again from its settings."""

import pytest
import torch

from backend.networks.classifier import CamClassifier, IntegralModel


def small(**changes: object) -> CamClassifier:
    torch.manual_seed(0)
    return CamClassifier("slim", 4, **{"head_channels": 16, "head_layers": 2, **changes})


def test_scores_are_the_mean_of_the_maps() -> None:
    network = small().eval()
    scores, maps = network(torch.randn(2, 3, 40, 56))
    assert maps.shape == (2, 4, 10, 14)
    assert torch.allclose(scores, maps.reshape(2, 4, -1).sum(2) / 140, atol=1e-6)


def test_the_final_maps_are_the_class_maps_whatever_the_tags() -> None:
    network = small().eval()
    images = torch.randn(2, 3, 32, 32)
    for tags in (torch.zeros(2, 4), torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 1.0, 0]])):
        attended, seen = network.attend(images, tags), network(images)
        assert torch.equal(attended.maps, seen.maps)
        assert torch.equal(attended.scores, seen.scores)


def test_the_integral_models_maps_are_probabilities_of_the_same_network() -> None:
    """OAA 3.3: q = sigmoid(F), without the pooling; a class is there where it is anywhere."""
    network = small().eval()
    integral = IntegralModel(**network.settings).eval()
    integral.load_state_dict(network.state_dict())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        raw = network(images).maps
        scores, maps = integral.attend(images, torch.ones(2, 4))
    torch.testing.assert_close(maps, 1 / (1 + (-raw).exp()))
    assert torch.equal(scores > 0, (maps > 0.5).flatten(2).any(dim=2))


def test_the_settings_build_the_same_network_again() -> None:
    network = small(dropout=0.5, stride=8)
    again = CamClassifier(**network.settings)
    again.load_state_dict(network.state_dict())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(again.eval()(images).maps, network.eval()(images).maps)


def test_a_classifier_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        CamClassifier("slim", 0)
