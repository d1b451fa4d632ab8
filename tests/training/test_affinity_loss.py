"""The affinity loss against the paper's sums, pair by pair, and where there is no pair."""

import math

import pytest
import torch

from backend.maps import walk
from backend.networks.affinity import pair_distances
from training.affinity_loss import SMALLEST, affinity_losses


def by_hand(features: torch.Tensor, labels: torch.Tensor, radius: int) -> dict[str, float]:
    """Every two cells closer than the radius, each pair once, in plain Python."""
    sums: dict[str, list[float]] = {"background": [], "object": [], "apart": []}
    count, _, height, width = features.shape
    cells = [(y, x) for y in range(height) for x in range(width)]
    for n in range(count):
        for i, (y, x) in enumerate(cells):
            for v, u in cells[i + 1 :]:
                if (v - y) ** 2 + (u - x) ** 2 >= radius**2:
                    continue
                one, other = int(labels[n, y, x]), int(labels[n, v, u])
                if 255 in (one, other):
                    continue
                apart = (features[n, :, y, x] - features[n, :, v, u]).abs().mean().item()
                alike = math.exp(-apart)
                if one != other:
                    sums["apart"].append(-math.log(1 - alike + SMALLEST))
                else:
                    sums["object" if one else "background"].append(-math.log(alike))
    means = {name: sum(found) / max(1, len(found)) for name, found in sums.items()}
    total = means["background"] / 4 + means["object"] / 4 + means["apart"] / 2
    return {"total": total, **means}


@pytest.mark.parametrize("radius", [2, 5])
def test_the_loss_is_the_papers_sum_over_pairs(radius: int) -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 4, 6, 7)
    labels = torch.tensor([0, 8, 12, 255])[torch.randint(0, 4, (2, 6, 7))]
    found = affinity_losses(pair_distances(features, radius), labels, radius)
    for name, value in by_hand(features, labels, radius).items():
        assert found[name].item() == pytest.approx(value, rel=1e-4), name


def test_pulling_cells_of_a_class_together_and_others_apart_lowers_it() -> None:
    labels = torch.zeros(1, 6, 6, dtype=torch.int64)
    labels[:, :, 3:] = 8
    near = labels[:, None].float().expand(1, 5, 6, 6) * 0.1
    far = near * 30
    assert (
        affinity_losses(pair_distances(far), labels)["total"]
        < affinity_losses(pair_distances(near), labels)["total"]
    )


@pytest.mark.parametrize("label", [255, 0, 8])
def test_where_there_are_no_pairs_the_loss_is_zero_and_can_be_followed(label: int) -> None:
    features = torch.zeros(1, 3, 4, 4, requires_grad=True)
    labels = torch.full((1, 4, 4), label)
    losses = affinity_losses(pair_distances(features), labels)
    assert losses["total"] == 0
    losses["total"].backward()
    assert features.grad is not None
    assert not features.grad.any()


def test_cells_that_are_the_same_though_they_should_differ_give_a_finite_loss() -> None:
    features = torch.zeros(1, 3, 4, 4, requires_grad=True)
    labels = torch.arange(16).reshape(1, 4, 4)
    losses = affinity_losses(pair_distances(features), labels)
    losses["total"].backward()
    assert losses["apart"].item() == pytest.approx(-math.log(SMALLEST))
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    assert len(walk.offsets()) == 34
