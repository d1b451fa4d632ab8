"""AffinityNet's features and the distances between neighbours, against what numpy says of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.maps import walk
from backend.networks.affinity import WIDTH, AffinityNet, pair_distances
from backend.networks.backbones import backbone_names, backbone_strides
from backend.networks.normalisation import TORCHVISION
from backend.weights import WeightsCard, load, save


@pytest.mark.parametrize("name", backbone_names())
def test_every_trunk_gives_features_on_the_grid_of_its_stride(name: str) -> None:
    for stride in backbone_strides(name):
        with torch.device("meta"):
            network = AffinityNet(name, stride=stride)
            features = network(torch.zeros(2, 3, 72, 100))
        assert features.shape == (2, WIDTH, *walk.grid_of((72, 100), stride))
        assert WIDTH == 448


def test_affinities_are_those_of_the_features() -> None:
    torch.manual_seed(0)
    network = AffinityNet("slim").eval()
    images = torch.randn(2, 3, 40, 36)
    with torch.no_grad():
        alike = network.affinities(images)
        features = network(images)
    assert alike.shape == (2, 34, 10, 9)
    for one, seen in zip(alike, features, strict=True):
        np.testing.assert_allclose(one, walk.affinities(seen.numpy()), atol=1e-5)


@pytest.mark.parametrize("size", [(6, 7), (2, 9), (1, 1)])
def test_the_gradient_is_what_autograd_says_of_the_same_distances(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    features = torch.randn(2, 5, *size, requires_grad=True)
    weights = torch.rand(2, len(walk.offsets(3)), *size)
    plain = features.detach().clone().requires_grad_()
    known = torch.isfinite(pair_distances(features, 3))
    (pair_distances(features, 3)[known] * weights[known]).sum().backward()
    total = plain.sum() * 0
    for number, (here, there) in enumerate(walk.pairs(size, 3)):
        apart = (plain[:, :, *here] - plain[:, :, *there]).abs().mean(dim=1)
        total = total + (apart * weights[:, number, *here]).sum()
    total.backward()
    torch.testing.assert_close(features.grad, plain.grad)


def test_distances_are_infinite_outside_and_grow_with_the_difference() -> None:
    features = torch.arange(12.0).reshape(1, 1, 3, 4).expand(1, 7, 3, 4)
    found = pair_distances(features, 2)[0]
    right, below = walk.offsets(2).index((0, 1)), walk.offsets(2).index((1, 0))
    assert (found[right, :, :3] == 1).all()
    assert torch.isinf(found[right, :, 3]).all()
    assert (found[below, :2] == 4).all()
    assert torch.isinf(found[below, 2]).all()


def test_a_saved_network_comes_back_with_its_card_and_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = AffinityNet("slim", frozen_norm=True).eval()
    card = WeightsCard(
        name="near", kind="affinity", backbone="slim", stride=4, classes=("cat",), class_ids=(8,),
        normalisation=TORCHVISION, input_size=64, architecture=network.settings,
    )  # fmt: skip
    saved = save(tmp_path / "weights.safetensors", network, card)
    loaded, found = load(tmp_path / "weights.safetensors")
    assert replace(found, path=None) == replace(saved, path=None)
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(images), network(images))


def test_frozen_statistics_stay_as_loaded() -> None:
    network = AffinityNet("slim", frozen_norm=True).train()
    before = {name: value.clone() for name, value in network.backbone.named_buffers()}
    network(torch.randn(2, 3, 32, 32)).sum().backward()
    assert before
    for name, value in network.backbone.named_buffers():
        assert torch.equal(value, before[name]), name
