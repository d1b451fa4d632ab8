"""FCAN: maps and scores out of segmentation logits, and where what is learnt from tags arrives."""

import pytest
import torch
from torch import nn

from backend.errors import WeightsError
from backend.networks.deeplab import HEADS
from backend.networks.fcan import Fcan
from backend.weights import KINDS

IMAGES = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(0))


def made(**arguments: object) -> Fcan:
    torch.manual_seed(0)
    return Fcan("slim", 3, **{"channels": 0, "head_start": "he", **arguments}).eval()


def test_the_last_layer_weighs_the_segmentation_logits_at_each_pixel():
    network = made()
    seen = network(IMAGES)
    assert seen.segmentation.shape == (2, 4, 12, 10)
    assert seen.maps.shape == (2, 3, 12, 10)
    weight, bias = network.attention.weight[:, :, 0, 0], network.attention.bias
    by_hand = torch.einsum("kc,nchw->nkhw", weight, seen.segmentation) + bias[:, None, None]
    torch.testing.assert_close(seen.maps, by_hand)


def test_scores_are_the_mean_of_the_maps_or_their_maximum():
    seen = made()(IMAGES)
    torch.testing.assert_close(seen.scores, seen.maps.mean(dim=(2, 3)))
    seen = made(pooling="max")(IMAGES)
    torch.testing.assert_close(seen.scores, seen.maps.flatten(2).max(dim=2).values)
    with pytest.raises(ValueError, match="pooling is 'sum'; it can be average, max"):
        made(pooling="sum")


@pytest.mark.parametrize("channels", [0, 8])
def test_levelled_logits_have_mean_0_and_deviation_1_and_the_maps_look_the_same(channels: int):
    network = made(channels=channels)
    with torch.no_grad():
        network.branches[1][-1].weight *= 30
        network.branches[0][-1].bias += torch.tensor([5.0, -7, 0, 40])
    before = network(IMAGES)
    flat = before.segmentation.transpose(0, 1).flatten(1)
    assert flat.mean(dim=1).max() > 30
    network.level(flat.mean(dim=1), torch.cov(flat, correction=0))
    after = network(IMAGES)
    levelled = after.segmentation.transpose(0, 1).flatten(1)
    torch.testing.assert_close(levelled.mean(dim=1), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(levelled.std(dim=1, correction=0), torch.ones(4))
    factor = after.maps / before.maps
    torch.testing.assert_close(factor, factor.mean().expand_as(factor), rtol=1e-3, atol=0)
    assert factor.mean() > 0
    variances = after.maps.transpose(0, 1).flatten(1).var(dim=1, correction=0)
    torch.testing.assert_close(variances.mean(), torch.tensor(1.0), rtol=1e-4, atol=0)
    for one, other in zip(before.maps, after.maps, strict=True):
        torch.testing.assert_close(
            network.stretched(other), network.stretched(one), atol=1e-4, rtol=0
        )


def test_a_constant_logit_keeps_its_scale():
    network = made()
    before = network(IMAGES)
    network.level(torch.zeros(4), torch.diag(torch.tensor([1.0, 0, 4, 1])))
    after = network(IMAGES)
    torch.testing.assert_close(after.segmentation[:, 1], before.segmentation[:, 1])
    torch.testing.assert_close(after.segmentation[:, 2], before.segmentation[:, 2] / 2)
    assert bool(after.maps.isfinite().all())


def test_segmenting_discards_the_last_layer():
    network = made()
    before = network.segment(IMAGES)
    nn.init.zeros_(network.attention.weight)
    torch.testing.assert_close(network.segment(IMAGES), before)
    assert not network(IMAGES).maps.any()


def test_attention_does_not_depend_on_the_tags_that_are_asked_for():
    network = made()
    one, other = (network.attend(IMAGES, torch.eye(3)[:2] * tag) for tag in (0.0, 1.0))
    torch.testing.assert_close(one.maps, other.maps)
    torch.testing.assert_close(one.scores, network(IMAGES).scores)


def touched(network: Fcan, loss: torch.Tensor) -> set[str]:
    """Which parts of the network a loss's gradient reaches."""
    network.zero_grad()
    loss.backward()
    named = network.named_parameters()
    return {name.partition(".")[0] for name, p in named if p.grad is not None and p.grad.any()}


def test_joint_gradients_of_both_losses_reach_the_trunk_and_released_ones_of_one():
    network = made()
    seen = network(IMAGES)
    assert touched(network, seen.scores.sum()) == {"backbone", "branches", "attention"}
    seen = network(IMAGES, last_alone=True)
    assert touched(network, seen.scores.sum()) == {"attention"}
    seen = network(IMAGES, last_alone=True)
    both = seen.scores.sum() + seen.segmentation.square().sum()
    assert touched(network, both) == {"backbone", "branches", "attention"}


def test_maps_are_stretched_from_their_minimum_to_their_maximum():
    raw = torch.tensor([[[-1.0, 0.0, 3.0]], [[2.0, 2.0, 2.0]], [[-4.0, -3.0, -2.0]]])
    plain = torch.tensor([[[0.0, 0.25, 1.0]], [[0.0, 0.0, 0.0]], [[0.0, 0.5, 1.0]]])
    torch.testing.assert_close(made().stretched(raw), plain)
    clipped = torch.tensor([[[0.0, 0.0, 1.0]], [[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]])
    torch.testing.assert_close(made(positive=True).stretched(raw), clipped)


def test_a_network_that_learnt_tags_alone_refuses_to_segment_and_says_what_else_it_can():
    network = made(segments=False)
    network.attend(IMAGES, torch.ones(2, 3))
    with pytest.raises(WeightsError, match=r"learnt the tags alone .* training labels"):
        network.segment(IMAGES)
    network.segments = True
    assert network.segment(IMAGES).shape == (2, 4, 12, 10)
    assert network.settings["segments"] is True


def test_settings_build_the_same_network_again():
    network = made(pooling="max", positive=True, rates=(2, 3), channels=8, segments=False)
    again = KINDS["dcsp"](**network.settings)
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again.eval()(IMAGES).maps, network(IMAGES).maps)
    assert again.settings == network.settings
    assert again.settings["rates"] == [2, 3]
    assert made().settings["rates"] == list(HEADS["aspp"])
