"""The saliency network: its sides on every trunk, who helps whom, and what it gives."""

import pytest
import torch

from backend.networks.backbones import backbone_names, backbone_strides
from backend.networks.saliency import SaliencyNetwork, helping


@pytest.mark.parametrize("name", backbone_names())
@pytest.mark.parametrize("carried", [1, 4])
def test_every_trunk_has_a_side_for_each_stage_and_one_for_its_pooled_end(
    name: str, carried: int
) -> None:
    for stride in backbone_strides(name):
        with torch.device("meta"):
            network = SaliencyNetwork(name, stride=stride, side_channels=8, carried=carried)
            seen = network(torch.zeros(2, 3, 96, 129))
        assert len(seen.sides) == len(network.sides) == 6
        assert {side.shape for side in seen.sides} == {seen.fused.shape}
        images, maps, height, width = seen.fused.shape
        assert (images, maps) == (2, 1)
        # The finest stage halves the image at most.
        assert height >= 47
        assert width >= 63


def test_short_connections_are_those_of_the_paper() -> None:
    # DSS, section 3.2: sides 1 and 2 from 3 to 6, sides 3 and 4 from 5 and 6.
    assert [helping(side, 6) for side in range(6)] == [
        (2, 3, 4, 5), (2, 3, 4, 5), (4, 5), (4, 5), (), (),
    ]  # fmt: skip


@pytest.mark.parametrize("carried", [1, 3])
def test_the_deep_sides_move_the_shallow_ones_and_not_the_other_way(carried: int) -> None:
    torch.manual_seed(0)
    network = SaliencyNetwork("slim", side_channels=6, carried=carried, head_start="he").eval()
    images = torch.randn(1, 3, 48, 48)
    with torch.no_grad():
        before = network(images).sides
        network.sides[4].own[0].weight += 1
        after = network(images).sides
    moved = [not torch.equal(one, other) for one, other in zip(before, after, strict=True)]
    assert moved == [True, True, True, True, True, False]


def test_a_score_is_all_that_the_papers_connections_carry() -> None:
    network = SaliencyNetwork("slim", side_channels=6)
    assert [side.mix.in_channels if side.mix else 0 for side in network.sides] == [
        5, 5, 3, 3, 0, 0,
    ]  # fmt: skip
    assert all(side.joined is None and side.carry is None for side in network.sides)
    assert torch.equal(network.fuse.weight, torch.full((1, 6, 1, 1), 1 / 6))


@pytest.mark.parametrize("carried", [1, 3])
def test_every_weight_is_taught(carried: int) -> None:
    torch.manual_seed(0)
    network = SaliencyNetwork("slim", side_channels=6, carried=carried, head_start="he").train()
    seen = network(torch.randn(2, 3, 32, 32))
    (seen.fused.square().mean() + sum(side.square().mean() for side in seen.sides)).backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # What the finest pair would carry goes nowhere.
    assert all(name.startswith(("sides.0.carry", "sides.1.carry")) for name in silent)


def test_saliency_is_a_probability_of_each_place() -> None:
    torch.manual_seed(0)
    network = SaliencyNetwork("slim", side_channels=4, head_start="he").eval()
    images = torch.randn(2, 3, 40, 56)
    with torch.no_grad():
        found = network.saliency(images)
        assert torch.equal(found, torch.sigmoid(network(images).fused))
    assert found.shape == (2, 1, 20, 28)
    assert found.dtype == torch.float32
    assert 0 <= float(found.min()) < float(found.max()) <= 1


def test_a_network_is_built_again_from_its_settings() -> None:
    first = SaliencyNetwork("slim", side_channels=5, side_layers=1, carried=2, scales=(0.5, 1))
    again = SaliencyNetwork(**first.settings)
    again.load_state_dict(first.state_dict())
    assert again.scales == (0.5, 1.0)
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(first.eval().saliency(images), again.eval().saliency(images))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"side_channels": 0}, "at least one layer"),
        ({"carried": 0}, "at least one layer"),
        ({"scales": ()}, "sizes above 0"),
        ({"scales": (0.0,)}, "sizes above 0"),
    ],
)
def test_settings_that_make_no_network_are_named(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SaliencyNetwork("slim", **given)
