"""From one image to labels and maps: views and their fusion, enlarging, strips."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from backend.networks import TORCHVISION
from training import predicting
from training.loop import Diverged
from training.machine import Machine, open_fabric
from training.predicting import contenders, heat_map, inputs, label_map, see
from training.viewing import LARGEST_SIDE, Viewing

FABRIC = open_fabric(Machine(device="cpu", precision="32"))


class Brightness(nn.Module):
    """Logits of dark and light by 4-pixel cells; on the left it is always sure of light."""

    def segment(self, images: torch.Tensor) -> torch.Tensor:
        std = torch.tensor(TORCHVISION.std).view(1, 3, 1, 1)
        mean = torch.tensor(TORCHVISION.mean).view(1, 3, 1, 1)
        light = functional.avg_pool2d((images * std + mean).mean(dim=1, keepdim=True), 4)
        logits = torch.cat([1 - light, light], dim=1) * 4
        logits[:, 1, :, : logits.shape[3] // 4] = 9.0
        return logits


class Growing(nn.Module):
    """Logits that say how large the image was that it saw; nothing else."""

    def segment(self, images: torch.Tensor) -> torch.Tensor:
        size = images.shape[-1] / 8
        return torch.tensor([0.0, size])[None, :, None, None].expand(len(images), 2, 4, 4)


class Salient(nn.Module):
    """A saliency of one value on the left half, and a fifth of it on the right."""

    def saliency(self, images: torch.Tensor) -> torch.Tensor:
        left = torch.linspace(1, 0, 4).gt(0.5).float() * 0.8 + 0.2
        return left.expand(len(images), 1, 4, 4).clone()


def seen(network: nn.Module, image: np.ndarray, viewing: Viewing) -> torch.Tensor:
    return see(FABRIC, network, inputs(viewing.views(image), TORCHVISION, viewing), viewing)


def test_one_view_gives_the_networks_own_logits():
    image = np.full((32, 32, 3), 51, np.uint8)
    values = seen(Brightness(), image, Viewing())
    assert values.shape == (2, 8, 8)
    assert values[:, 0, 5].tolist() == pytest.approx([3.2, 0.8], abs=1e-4)
    assert (label_map(values, (32, 32))[:, 16:] == 0).all()


def test_the_mirrored_view_is_turned_back_before_it_is_fused():
    image = np.zeros((32, 32, 3), np.uint8)
    both = seen(Brightness(), image, Viewing(flip=True, fusion="max"))
    light = both.argmax(dim=0)[0].tolist()
    assert light == [1, 1, 0, 0, 0, 0, 1, 1]


def test_the_mean_of_views_is_that_of_their_probabilities():
    image = np.zeros((32, 32, 3), np.uint8)
    values = seen(Growing(), image, Viewing(scales=(1, 2), fusion="mean"))
    single = torch.tensor([[0.0, 4.0], [0.0, 8.0]]).softmax(dim=1)
    torch.testing.assert_close(values.softmax(dim=0)[:, 0, 0], single.mean(dim=0))


def test_the_maximum_of_views_is_that_of_their_logits():
    image = np.zeros((32, 32, 3), np.uint8)
    values = seen(Growing(), image, Viewing(scales=(1, 2), fusion="max"))
    assert values[:, 0, 0].tolist() == [0.0, 8.0]


def test_views_of_other_sizes_meet_on_the_finest_grid():
    image = np.zeros((40, 32, 3), np.uint8)
    assert seen(Brightness(), image, Viewing(scales=(1, 2, 1.5))).shape == (2, 20, 16)


def test_a_saliency_map_stays_between_0_and_1_and_is_turned_back_too():
    image = np.zeros((32, 32, 3), np.uint8)
    plain = seen(Salient(), image, Viewing())
    mean = seen(Salient(), image, Viewing(flip=True))
    largest = seen(Salient(), image, Viewing(flip=True, fusion="max"))
    assert plain[0, 0].tolist() == pytest.approx([1, 1, 0.2, 0.2])
    assert mean[0, 0].tolist() == pytest.approx([0.6] * 4)
    assert largest[0, 0].tolist() == pytest.approx([1.0] * 4)
    heat = heat_map(plain, (32, 48))
    assert heat.shape == (32, 48)
    assert heat.min() == pytest.approx(0.2)
    assert heat.max() == pytest.approx(1)


def test_an_image_is_seen_at_its_own_size_or_at_the_shorter_side_that_was_asked_for():
    image = np.zeros((300, 400, 3), np.uint8)
    assert [view.shape[:2] for view in Viewing(0, (1, 0.5)).views(image)] == [
        (300, 400),
        (150, 200),
    ]
    assert [view.shape[:2] for view in Viewing(150, (1, 2)).views(image)] == [
        (150, 200),
        (300, 400),
    ]
    assert Viewing(0).views(image)[0] is image
    large = np.zeros((100, 2 * LARGEST_SIDE, 3), np.uint8)
    assert Viewing(0).views(large)[0].shape[:2] == (50, LARGEST_SIDE)


def test_an_image_no_larger_than_a_stamp_is_still_seen():
    tiny = np.zeros((9, 8, 3), np.uint8)
    assert Viewing(0, (0.5,)).views(tiny)[0].shape[:2] == (32, 32)


@pytest.mark.parametrize("size", [(37, 53), (7, 5), (200, 16)])
def test_a_map_painted_in_strips_is_the_one_painted_at_once(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    values = torch.randn(5, 9, 11, generator=torch.Generator().manual_seed(1))
    whole = functional.interpolate(values[None], size, mode="bilinear")[0].argmax(dim=0).numpy()
    np.testing.assert_array_equal(label_map(values, size), whole)
    monkeypatch.setattr(predicting, "MOST_VALUES", 5 * size[1] * 3)
    np.testing.assert_array_equal(label_map(values, size), whole)


def test_channels_that_can_win_nowhere_are_passed_over_and_no_others():
    values = torch.zeros(4, 3, 3)
    values[1, 1, 1] = 2.0
    values[2] = -1.0
    # Never the largest in a cell, yet between two cells whose winners differ it may be.
    values[0, 0, 0], values[3, 0, 0], values[3, 0, 1], values[1, 0, 1] = 3.0, 2.9, 2.9, 3.0
    assert contenders(values) == [0, 1, 3]
    assert (label_map(values, (30, 30)) == 3).any()


def test_a_tie_goes_to_the_background():
    assert (label_map(torch.zeros(4, 2, 2), (8, 8)) == 0).all()


def test_a_network_that_has_left_the_numbers_is_a_sentence():
    class Lost(nn.Module):
        def segment(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full((len(images), 2, 4, 4), torch.nan)

    with pytest.raises(Diverged, match=r"no longer numbers.*lower --learning-rate"):
        seen(Lost(), np.zeros((32, 32, 3), np.uint8), Viewing())
