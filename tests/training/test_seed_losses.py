"""SEC's and DSRG's losses on floored probabilities, each against its definition in numpy."""

import numpy as np
import pytest
import torch

from training.losses import constrain_loss, expand_loss, seed_loss
from training.seed_losses import GRID, LEAST, as_seeds, decay_at, floored

IMAGES, CLASSES, HEIGHT, WIDTH = 3, 4, 5, 6


@pytest.fixture
def logits() -> torch.Tensor:
    made = torch.randn(IMAGES, CLASSES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    return made.double() * 4


@pytest.fixture
def labels() -> torch.Tensor:
    """Channels with 255 among them; the second image has no background, the third nothing."""
    drawn = torch.randint(0, 6, (IMAGES, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1))
    drawn[drawn >= CLASSES] = 255
    drawn[1][drawn[1] == 0] = 255
    drawn[2] = 255
    return drawn


def probabilities(logits: torch.Tensor) -> np.ndarray:
    """Softmax, 1e-4 added, normalised again."""
    raw = np.exp(logits.numpy() - logits.numpy().max(axis=1, keepdims=True))
    floor = raw / raw.sum(axis=1, keepdims=True) + 1e-4
    return floor / floor.sum(axis=1, keepdims=True)


def test_floored_probabilities_are_the_softmax_with_its_floor(logits: torch.Tensor):
    made = floored(logits)
    np.testing.assert_allclose(made.exp().numpy(), probabilities(logits))
    torch.testing.assert_close(made.log_softmax(dim=1), made)
    hopeless = floored(torch.tensor([0.0, -1e4]).reshape(1, 2, 1, 1))
    assert hopeless.exp().flatten().tolist() == pytest.approx([1, LEAST], rel=1e-3)


def test_the_gradient_ends_at_the_floor():
    raised = torch.tensor([0.0, -60.0]).reshape(1, 2, 1, 1).requires_grad_()
    (-floored(raised)[0, 1]).sum().backward()
    assert raised.grad is not None
    assert raised.grad.abs().max() < 1e-20


def test_half_precision_is_worked_out_in_single(logits: torch.Tensor):
    assert floored(logits.bfloat16()).dtype == torch.float32


def test_seed_losses_are_the_mean_cost_of_the_cues(logits: torch.Tensor, labels: torch.Tensor):
    cost = -np.log(probabilities(logits))
    plain, balanced = [], []
    for row, known in zip(cost, labels.numpy(), strict=True):
        costs = {channel: row[channel][known == channel] for channel in range(CLASSES)}
        tags = np.concatenate([costs[channel] for channel in range(1, CLASSES)])
        every = np.concatenate([costs[0], tags])
        plain.append(every.mean() if every.size else 0)
        balanced.append(sum(part.mean() for part in (costs[0], tags) if part.size))
    seeds = as_seeds(labels, CLASSES).double()
    assert seed_loss(floored(logits), seeds).item() == pytest.approx(np.mean(plain))
    assert seed_loss(floored(logits), seeds, True).item() == pytest.approx(np.mean(balanced))


def test_expansion_is_a_mean_weighted_by_rank(logits: torch.Tensor):
    tags = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]])
    decay, behind = 0.8, 0.95
    total = 0.0
    for row, own in zip(probabilities(logits), tags, strict=True):
        flat = np.sort(row.reshape(CLASSES, -1), axis=1)[:, ::-1]
        ranks = np.arange(flat.shape[1])
        pooled = (flat * decay**ranks).sum(axis=1) / (decay**ranks).sum()
        pooled[0] = (flat[0] * behind**ranks).sum() / (behind**ranks).sum()
        here, gone = 1 + np.flatnonzero(own), 1 + np.flatnonzero(own == 0)
        total += -np.log(pooled[0]) - np.log(pooled[here]).mean()
        total += -np.log(1 - flat[gone, 0]).mean() if len(gone) else 0
    found = expand_loss(floored(logits), torch.from_numpy(tags), decay, behind)
    assert found.item() == pytest.approx(total / IMAGES)


def test_the_constrain_loss_is_a_divergence(logits: torch.Tensor):
    own = probabilities(logits)
    refined = own[:, ::-1].copy()
    expected = (refined * np.log(refined / own)).sum(axis=1).mean()
    found = constrain_loss(floored(logits), torch.from_numpy(refined))
    assert found.item() == pytest.approx(expected)


def test_cues_become_one_map_a_channel(labels: torch.Tensor):
    seeds = as_seeds(labels, CLASSES)
    assert seeds.shape == (IMAGES, CLASSES, HEIGHT, WIDTH)
    for channel in range(CLASSES):
        assert torch.equal(seeds[:, channel] == 1, labels == channel)
    assert set(seeds.unique().tolist()) == {0, 1}


@pytest.mark.parametrize("stranger", [CLASSES, 254, -1])
def test_a_cue_of_no_channel_is_refused(stranger: int):
    with pytest.raises(ValueError, match=r"labels must be channels 0\.\.3 or 255"):
        as_seeds(torch.full((1, 2, 2), stranger), CLASSES)


def test_a_decay_weighs_the_same_part_of_any_grid():
    assert decay_at(0.996, GRID * GRID) == 0.996
    for cells in (576, 729, 4 * GRID * GRID):
        quarter = decay_at(0.996, cells) ** (cells / 4)
        assert quarter == pytest.approx(0.996 ** (GRID * GRID / 4))
