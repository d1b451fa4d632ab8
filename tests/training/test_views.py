"""The part of an image that a sample shows, cut alike from image and mask."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.views import Augmentation, View, choose_view, jitter_colours, show

# isort: split
from torchvision import tv_tensors


def images(height: int, width: int) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
    """An image whose red channel is its mask, so that both can be compared after any cut."""
    labels = np.zeros((height, width), np.uint8)
    labels[: height // 2, : width // 2] = 200
    labels[height // 2 :, : width // 2] = 100
    pixels = torch.from_numpy(labels.copy())[None].repeat(3, 1, 1)
    return tv_tensors.Image(pixels), tv_tensors.Mask(torch.from_numpy(labels))


def test_the_whole_image_is_squashed_to_the_square():
    image, mask = images(20, 40)
    how = Augmentation(10, "whole")
    view = choose_view(20, 40, how, np.random.default_rng(0))
    assert view[:4] == (0.0, 0.0, 1.0, 1.0)
    pixels, labels = show(View(0.0, 0.0, 1.0, 1.0, False), how, image, mask)
    assert pixels.shape == (3, 10, 10)
    assert labels.tolist() == np.kron([[200, 0], [100, 0]], np.ones((5, 5), int)).tolist()


def test_a_mirrored_view_mirrors_image_and_mask():
    image, mask = images(16, 16)
    how = Augmentation(16)
    plain = show(View(0, 0, 1, 1, False), how, image, mask)
    mirrored = show(View(0, 0, 1, 1, True), how, image, mask)
    assert torch.equal(mirrored[0], plain[0].flip(-1))
    assert torch.equal(mirrored[1], plain[1].flip(-1))


def test_a_view_beyond_the_image_is_padded_with_the_fill_and_with_ignore():
    image, mask = images(8, 8)
    how = Augmentation(16, "scale", fill=(1, 2, 3))
    pixels, labels = show(View(-0.5, -0.5, 2.0, 2.0, False), how, image, mask)
    assert pixels[:, 0, 0].tolist() == [1, 2, 3]
    assert labels[0, 0] == 255
    assert torch.equal(labels[4:12, 4:12], mask.as_subclass(torch.Tensor))
    assert int((labels == 255).sum()) == 16 * 16 - 8 * 8


def test_a_quarter_of_the_image_is_that_quarter():
    image, mask = images(32, 48)
    _, labels = show(View(0.5, 0.0, 0.5, 0.5, False), Augmentation(8), image, mask)
    assert set(labels.flatten().tolist()) == {100}


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(8, 80),
    width=st.integers(8, 80),
    crop=st.sampled_from(["whole", "area", "scale"]),
    least=st.floats(0.3, 1.0),
    seed=st.integers(0, 2**16),
)
def test_any_view_is_square_and_image_and_mask_agree(
    height: int, width: int, crop: str, least: float, seed: int
):
    image, mask = images(height, width)
    how = Augmentation(24, crop, least=least, most=1.5, fill=(255, 255, 255))
    view = choose_view(height, width, how, np.random.default_rng(seed))
    pixels, labels = show(view, how, image, mask)
    assert pixels.shape == (3, 24, 24)
    assert labels.shape == (24, 24)
    assert set(labels.unique().tolist()) <= {0, 100, 200, 255}
    # Away from edges, where smoothing mixes, the red channel still is the mask.
    apart = (pixels[0].int() - labels.int()).abs() > 60
    assert apart.float().mean() < 0.35
    if crop == "area":
        assert 0.0 <= view.top <= view.top + view.height <= 1.0 + 1e-9
        assert 0.0 <= view.left <= view.left + view.width <= 1.0 + 1e-9
        assert view.height * view.width >= least - 1e-6


def test_the_scale_of_a_crop_lies_between_its_bounds():
    how = Augmentation(100, "scale", least=0.5, most=2.0, flip=False)
    random = np.random.default_rng(1)
    shown = [choose_view(200, 300, how, random).height * 200 for _ in range(300)]
    # A sample shows 100 / (scale * 100 / 200) pixels of the shorter side: 400 to 100.
    assert min(shown) == pytest.approx(100, abs=8)
    assert max(shown) == pytest.approx(400, abs=30)


def test_without_flip_nothing_is_mirrored():
    how = Augmentation(8, "area", least=0.5, flip=False)
    random = np.random.default_rng(0)
    assert not any(choose_view(9, 9, how, random).flip for _ in range(50))


def test_colours_change_only_by_what_is_allowed():
    grey = torch.full((3, 4, 4), 100, dtype=torch.uint8)
    random = np.random.default_rng(0)
    seen = [int(jitter_colours(grey, 0.2, random).max()) for _ in range(200)]
    # Only brightness moves a plain grey; each of the three rounds a level away.
    assert 77 <= min(seen) < 90
    assert 110 < max(seen) <= 121
