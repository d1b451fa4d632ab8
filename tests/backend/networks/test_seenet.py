"""SeeNet's three branches: what each is shown, what it may learn from, and the fused map."""

import numpy as np
import pytest
import torch

from backend.networks.seenet import SeeNet, SeeNetOutput

IMAGES = torch.from_numpy(np.random.default_rng(5).normal(size=(2, 3, 48, 64))).float()
TAGS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])


def small(**changes: object) -> SeeNet:
    torch.manual_seed(0)
    how = {"head_channels": 8, "head_layers": 1, "head_start": "he", "dropout": 0.0, **changes}
    return SeeNet("slim", 3, **how).eval()


def blind(**changes: object) -> SeeNet:
    """One whose first branch finds nothing anywhere."""
    network = small(**changes)
    torch.nn.init.zeros_(network.head_a[-1].weight)
    torch.nn.init.constant_(network.head_a[-1].bias, -1.0)
    return network


def attention_of(maps: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """The attention (h,w) of one image's raw maps (C,h,w), written out tag by tag."""
    strongest = np.zeros(maps.shape[1:])
    for of_class, present in zip(maps, tags, strict=True):
        positive = np.maximum(of_class, 0)
        if present and positive.max() > positive.min():
            scaled = (positive - positive.min()) / (positive.max() - positive.min())
            strongest = np.maximum(strongest, scaled)
    return strongest


def attentions(seen: SeeNetOutput) -> np.ndarray:
    pairs = zip(seen.maps_a.detach().numpy(), TAGS.numpy(), strict=True)
    return np.stack([attention_of(maps, tags)[None] for maps, tags in pairs])


def through(head: torch.nn.Module, features: torch.Tensor, kept: np.ndarray) -> torch.Tensor:
    """A branch's maps of features of which a plane (N,1,h,w) was multiplied in."""
    return head(features.relu() * torch.from_numpy(kept).float())


def test_the_second_branch_sees_the_zones_with_the_background_turned() -> None:
    network = small()
    with torch.no_grad():
        seen, features = network(IMAGES, TAGS), network.backbone(IMAGES)
        attention = attentions(seen)
        zones = np.where(attention >= 0.7, 0.0, np.where(attention < 0.05, -1.0, 1.0))
        assert set(np.unique(zones)) == {-1.0, 0.0, 1.0}
        np.testing.assert_array_equal(seen.zones.numpy(), zones)
        torch.testing.assert_close(seen.maps_b, through(network.head_b, features, zones))
        torch.testing.assert_close(seen.scores_b, seen.maps_b.mean(dim=(2, 3)))


def test_the_third_branch_sees_the_background_alone() -> None:
    """Section 5.1: background is what is under (0.7 + 0.05) / 2 = 0.375 of the maximum."""
    network = small()
    with torch.no_grad():
        seen, features = network(IMAGES, TAGS), network.backbone(IMAGES)
        background = (attentions(seen) < 0.375).astype(float)
        assert 0 < background.mean() < 1
        expected = through(network.head_c, features, background).mean(dim=(2, 3))
        torch.testing.assert_close(seen.scores_c, expected)


def test_the_third_branchs_threshold_can_be_another() -> None:
    network = small(outside=0.1)
    with torch.no_grad():
        seen, features = network(IMAGES, TAGS), network.backbone(IMAGES)
        background = (attentions(seen) < 0.1).astype(float)
        expected = through(network.head_c, features, background).mean(dim=(2, 3))
        torch.testing.assert_close(seen.scores_c, expected)
        assert torch.equal(seen.zones, small()(IMAGES, TAGS).zones)


def test_where_attention_is_nowhere_nothing_is_background() -> None:
    """Nothing was found that could tell objects from background, so S_C is shown no features."""
    network = blind()
    with torch.no_grad():
        seen = network(IMAGES, TAGS)
        nothing = torch.zeros_like(network.backbone(IMAGES))
        torch.testing.assert_close(seen.scores_c, network.head_c(nothing).mean(dim=(2, 3)))
    assert (seen.zones == 1).all()


def test_an_image_without_tags_is_all_potential() -> None:
    with torch.no_grad():
        assert (small()(IMAGES, torch.zeros(2, 3)).zones == 1).all()


def test_no_gradient_passes_through_the_mask() -> None:
    network = small()
    seen = network(IMAGES, TAGS)
    (seen.scores_b.square().sum() + seen.scores_c.square().sum()).backward()
    assert all(p.grad is None for p in network.head_a.parameters())
    assert all(p.grad.abs().sum() > 0 for p in network.head_b.parameters())
    assert all(p.grad.abs().sum() > 0 for p in network.head_c.parameters())
    assert network.backbone.features[0].weight.grad.abs().sum() > 0


def test_setting_2_zeroes_the_background_where_seenet_turns_it() -> None:
    ours, zero = small(), small(erasing="zero")
    zero.load_state_dict(ours.state_dict())
    with torch.no_grad():
        turned, zeroed = ours(IMAGES, TAGS), zero(IMAGES, TAGS)
        features = zero.backbone(IMAGES)
        kept = ((attentions(zeroed) < 0.7) & (attentions(zeroed) >= 0.05)).astype(float)
        torch.testing.assert_close(zeroed.maps_b, through(zero.head_b, features, kept))
    assert torch.equal(zeroed.zones == 1, turned.zones == 1)
    assert set(zeroed.zones.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(zeroed.scores_c, turned.scores_c)
    assert not torch.equal(zeroed.maps_b, turned.maps_b)


def test_setting_1_erases_once_and_has_no_background() -> None:
    network = small(erasing="acol", acol=0.6)
    with torch.no_grad():
        seen, features = network(IMAGES, TAGS), network.backbone(IMAGES)
        kept = (attentions(seen) < 0.6).astype(float)
        torch.testing.assert_close(seen.maps_b, through(network.head_b, features, kept))
    assert seen.scores_c is None
    assert network.head_c is None
    assert not any(name.startswith("head_c") for name in network.state_dict())


def test_a_shared_head_is_one_set_of_tensors() -> None:
    apart, shared = small(), small(shared_head=True)
    own = {name for name in apart.state_dict() if name.startswith("head_c")}
    assert own
    assert set(shared.state_dict()) == set(apart.state_dict()) - own
    seen = shared(IMAGES, TAGS)
    background = (attentions(seen) < 0.375).astype(float)
    expected = through(shared.head_b, shared.backbone(IMAGES), background).mean(dim=(2, 3))
    torch.testing.assert_close(seen.scores_c, expected)
    seen.scores_c.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in shared.head_b.parameters())


def test_each_image_of_a_batch_is_masked_by_its_own_attention() -> None:
    network = small()
    with torch.no_grad():
        both = network(IMAGES, TAGS)
        apart = [network(IMAGES[n : n + 1], TAGS[n : n + 1]) for n in range(2)]
    assert not torch.equal(both.zones[0], both.zones[1])
    assert torch.equal(both.zones, torch.cat([each.zones for each in apart]))
    for branch in ("maps_b", "scores_c"):
        together = torch.cat([getattr(each, branch) for each in apart])
        torch.testing.assert_close(getattr(both, branch), together, atol=1e-5, rtol=1e-4)


def test_the_fused_map_is_the_larger_of_both_branches_in_0_to_1() -> None:
    network = small()
    with torch.no_grad():
        scores, fused = network.attend(IMAGES, TAGS)
        seen = network.look(IMAGES, TAGS)
    for n, c in np.ndindex(2, 3):
        of_a, of_b = (
            attention_of(maps[n, c : c + 1].numpy(), np.ones(1))
            for maps in (seen.maps_a, seen.maps_b)
        )
        np.testing.assert_allclose(fused[n, c].numpy(), np.maximum(of_a, of_b), atol=1e-6)
    assert fused.min() >= 0
    assert fused.max() == 1
    assert torch.equal(scores, seen.scores_a)


def test_the_third_branch_is_dropped_at_test_time() -> None:
    network = small()
    with torch.no_grad():
        assert network.look(IMAGES, TAGS).scores_c is None
        torch.nn.init.normal_(network.head_c[-1].weight)
        before = network.attend(IMAGES, TAGS).maps
        torch.nn.init.normal_(network.head_c[-1].weight)
        assert torch.equal(network.attend(IMAGES, TAGS).maps, before)


@pytest.mark.parametrize("erasing", ["seenet", "zero", "acol"])
@pytest.mark.parametrize("shared", [False, True])
def test_the_settings_build_the_same_network_again(erasing: str, shared: bool) -> None:
    network = small(erasing=erasing, shared_head=shared, high=0.6, low=0.1, acol=0.5)
    again = SeeNet(**network.settings).eval()
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(again.attend(IMAGES, TAGS).maps, network.attend(IMAGES, TAGS).maps)


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="erasing is 'adl'; it can be seenet, zero, acol"):
        SeeNet("slim", 3, erasing="adl")
    with pytest.raises(ValueError, match="at least one class"):
        SeeNet("slim", 0)
