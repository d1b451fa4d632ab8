"""The refine module: maps averaged over what looks alike."""

import numpy as np
import pytest
import torch

from backend.networks.refine import FIFTH_WIDTH, FOURTH_WIDTH, PixelCorrelation, affinity


def module(fourth: int = 6, fifth: int = 8) -> PixelCorrelation:
    torch.manual_seed(0)
    return PixelCorrelation(fourth, fifth)


def seen(side: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, features of the fourth stage at twice the grid, and of the fifth."""
    random = torch.Generator().manual_seed(1)
    return (
        torch.randn(2, 3, side * 4, side * 4, generator=random),
        torch.randn(2, 6, side * 2, side * 2, generator=random).relu(),
        torch.randn(2, 8, side, side, generator=random).relu(),
    )


def test_every_row_of_the_affinity_is_a_weighted_mean() -> None:
    images, fourth, fifth = seen()
    alike = module().embedded(images, fourth, fifth, torch.Size((6, 6)))
    found = affinity(alike, alike)
    assert found.shape == (2, 36, 36)
    assert found.min() >= 0
    torch.testing.assert_close(found.sum(dim=2), torch.ones(2, 36), atol=1e-4, rtol=0)
    # No cell is more like another than like itself.
    assert torch.equal(found.argmax(dim=2), torch.arange(36).expand(2, -1))


@pytest.mark.parametrize("entries", [1, 100, 36 * 36])
def test_strips_of_the_affinity_make_the_same_map(
    entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(2))
    refine = module()
    whole = refine(maps, *seen())
    sizes = []
    of = affinity
    monkeypatch.setattr("backend.networks.refine.STRIP", entries)
    monkeypatch.setattr(
        "backend.networks.refine.affinity",
        lambda rows, alike: sizes.append(rows.shape[2]) or of(rows, alike),
    )
    with torch.no_grad():
        torch.testing.assert_close(refine(maps, *seen()), whole)
    assert sum(sizes) == 36
    assert max(sizes) * 36 * 2 <= max(entries, 72)
    # Where a gradient is wanted, the whole is made at once.
    sizes.clear()
    refine(maps, *seen()).sum().backward()
    assert sizes == [36]


def test_a_constant_map_stays_constant() -> None:
    maps = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(2, 2, 6, 6)
    torch.testing.assert_close(module()(maps, *seen()), maps, atol=1e-4, rtol=1e-4)


def test_a_refined_map_stays_within_the_values_of_the_map() -> None:
    maps = torch.randn(2, 5, 6, 6, generator=torch.Generator().manual_seed(2))
    refined = module()(maps, *seen())
    assert refined.shape == maps.shape
    most, least = maps.amax(dim=(2, 3)), maps.amin(dim=(2, 3))
    assert (refined.amax(dim=(2, 3)) <= most + 1e-4).all()
    assert (refined.amin(dim=(2, 3)) >= least - 1e-4).all()


def test_each_part_that_looks_alike_takes_its_own_mean() -> None:
    """Left and right share no feature, so nothing of one reaches the other."""
    refine = PixelCorrelation(1, 1)
    width = FOURTH_WIDTH + FIFTH_WIDTH
    with torch.no_grad():
        refine.fourth.weight.fill_(1.0)
        refine.fifth.weight.fill_(1.0)
        # Behind the image's three channels, which are zero here, every feature is kept as it is.
        refine.embed.weight.zero_()
        refine.embed.weight[:, 3:, 0, 0] = torch.eye(width)
    left = torch.tensor([[1.0, 0.0], [1.0, 0.0]]).view(1, 1, 2, 2)
    maps = torch.tensor([[4.0, 1.0], [2.0, 7.0]]).view(1, 1, 2, 2)
    refined = refine(maps, torch.zeros(1, 3, 8, 8), left, 1 - left)
    expected = torch.tensor([[3.0, 4.0], [3.0, 4.0]]).view(1, 1, 2, 2)
    torch.testing.assert_close(refined, expected, atol=1e-3, rtol=0)


def test_the_affinity_is_the_positive_cosine_of_the_embedded_features() -> None:
    """The whole module again, in plain numpy, on features that need no resizing."""
    refine = module()
    images, _, fifth = seen()
    fourth = torch.rand(2, 6, 6, 6, generator=torch.Generator().manual_seed(3))
    maps = torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(4))
    weights = {n: p.detach().numpy()[:, :, 0, 0] for n, p in refine.named_parameters()}
    with torch.no_grad():
        refined = refine(maps, images, fourth, fifth).numpy()
    for n in range(2):
        small = images[n].numpy().reshape(3, 6, 4, 6, 4).mean(axis=(2, 4)).reshape(3, 36)
        small -= small.mean(axis=1, keepdims=True)
        small *= 0.3 / small.std(ddof=1)
        wide = [
            np.maximum(weights[f"{name}.weight"] @ features[n].numpy().reshape(-1, 36), 0)
            for name, features in (("fourth", fourth), ("fifth", fifth))
        ]
        wide = [each - each.mean(axis=1, keepdims=True) for each in wide]
        embedded = weights["embed.weight"] @ np.concatenate([small, *wide])
        embedded /= np.linalg.norm(embedded, axis=0)
        affinity = np.maximum(embedded.T @ embedded, 0)
        affinity /= affinity.sum(axis=1, keepdims=True)
        expected = maps[n].numpy().reshape(2, 36) @ affinity.T
        np.testing.assert_allclose(refined[n].reshape(2, 36), expected, atol=1e-4)


def test_no_gradient_reaches_the_trunk_through_the_features() -> None:
    refine = module()
    images, fourth, fifth = (each.requires_grad_() for each in seen())
    maps = torch.randn(2, 2, 6, 6, requires_grad=True)
    refine(maps, images.detach(), fourth, fifth).square().sum().backward()
    assert fourth.grad is None
    assert fifth.grad is None
    assert maps.grad is not None
    assert maps.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in refine.parameters())


@pytest.mark.parametrize("grid", [(6, 6), (3, 5), (12, 9)])
def test_features_of_any_size_are_brought_to_the_maps(grid: tuple[int, int]) -> None:
    maps = torch.ones(2, 1, *grid)
    torch.testing.assert_close(module()(maps, *seen()), maps, atol=1e-4, rtol=0)
