"""What a saliency network is held to, against sums written out by hand."""

import math

import pytest
import torch

from training import saliency_losses as losses
from training.averaging import Averaged


def random_case(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    make = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 1, 9, 10, generator=make)
    masks = torch.randint(0, 2, (2, 9, 10), generator=make)
    masks[0, :3] = 255
    return logits, *losses.cells(masks, (9, 10))


def test_cells_say_how_much_of_them_is_salient_and_known() -> None:
    masks = torch.tensor([[[1, 1, 0, 255], [1, 0, 255, 255]]])
    targets, known = losses.cells(masks, (1, 2))
    assert targets.flatten().tolist() == pytest.approx([0.75, 0.0])
    assert known.flatten().tolist() == pytest.approx([1.0, 0.25])
    same, all_known = losses.cells(masks, (2, 4))
    assert same[0, 0].tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]
    assert all_known[0, 0].tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]


def test_cross_entropy_is_the_mean_over_known_pixels_of_each_image() -> None:
    logits, targets, known = random_case()
    expected = 0.0
    for image in range(2):
        terms = []
        for row in range(9):
            for column in range(10):
                if known[image, 0, row, column]:
                    p = 1 / (1 + math.exp(-float(logits[image, 0, row, column])))
                    terms.append(-math.log(p if targets[image, 0, row, column] else 1 - p))
        expected += sum(terms) / len(terms) / 2
    assert float(losses.cross_entropy(logits, targets, known)) == pytest.approx(expected, rel=1e-5)


def test_overlap_is_one_minus_intersection_over_union() -> None:
    logits, targets, known = random_case(1)
    expected = 0.0
    for image in range(2):
        both = either = 0.0
        for row in range(9):
            for column in range(10):
                if known[image, 0, row, column]:
                    p = 1 / (1 + math.exp(-float(logits[image, 0, row, column])))
                    t = float(targets[image, 0, row, column])
                    both += p * t
                    either += p + t - p * t
        expected += (1 - (both + 1) / (either + 1)) / 2
    assert float(losses.overlap_loss(logits, targets, known)) == pytest.approx(expected, rel=1e-5)


def test_structure_is_one_minus_ssim_in_whole_windows() -> None:
    logits, targets, known = random_case(2)
    expected = 0.0
    for image in range(2):
        found, true = logits[image, 0].sigmoid().double(), targets[image, 0].double()
        terms = []
        for row in range(9 - losses.WINDOW + 1):
            for column in range(10 - losses.WINDOW + 1):
                at = (slice(row, row + losses.WINDOW), slice(column, column + losses.WINDOW))
                if known[image, 0][at].min() < 1:
                    continue
                x, y = found[at], true[at]
                mx, my = x.mean(), y.mean()
                vx, vy = x.var(unbiased=False), y.var(unbiased=False)
                cov = ((x - mx) * (y - my)).mean()
                alike = (2 * mx * my + 1e-4) * (2 * cov + 9e-4)
                terms.append(1 - float(alike / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))))
        expected += (sum(terms) / len(terms) if terms else 0.0) / 2
    found_loss = losses.structure_loss(logits, targets, known)
    assert float(found_loss) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["cross_entropy", "overlap_loss", "structure_loss"])
def test_a_sure_and_right_map_costs_nothing_and_ignored_pixels_pull_nowhere(name: str) -> None:
    loss = getattr(losses, name)
    _, targets, known = random_case()
    assert float(loss(40 * (targets - 0.5), targets, known)) == pytest.approx(0, abs=1e-3)
    logits = torch.zeros_like(targets, requires_grad=True)
    loss(logits, targets, known).backward()
    assert not logits.grad[known == 0].any()
    nothing = torch.zeros_like(known)
    assert float(loss(torch.ones_like(targets), targets, nothing)) == pytest.approx(0, abs=1e-6)


def test_averaged_weights_are_their_running_mean_and_survive_a_checkpoint() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.BatchNorm2d(1))
    averaged = Averaged(network, decay=0.5)
    mean = None
    for number in range(4):
        with torch.no_grad():
            network[0].weight.fill_(number)
            network[1].num_batches_tracked.fill_(number)
        averaged.add(network)
        part = 1.0 if number == 0 else 1 - min(0.5, (1 + number) / (10 + number))
        mean = number if mean is None else mean + part * (number - mean)
    assert averaged.network[0].weight.item() == pytest.approx(mean)
    assert averaged.network[1].num_batches_tracked.item() == 3
    assert not averaged.network.training
    again = Averaged(network, decay=0.5)
    again.load_state_dict(averaged.state_dict())
    averaged.add(network)
    again.add(network)
    assert torch.equal(averaged.network[0].weight, again.network[0].weight)
    # The network that learns is another one.
    assert network[0].weight.item() == 3
