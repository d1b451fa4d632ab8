"""Maps of a sample in their place in the image, and out of it again."""

import cv2
import numpy as np
import pytest
import torch

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from training.view_maps import cut_out, put_back
from training.views import Augmentation, View, choose_view, show

# isort: split
from torchvision import tv_tensors

WHOLE = View(0.0, 0.0, 1.0, 1.0, False)


def smooth(rows: int, columns: int) -> np.ndarray:
    """Two maps without a symmetry, their values those of a place, not of a cell."""
    y = ((np.arange(rows) + 0.5) / rows)[:, None]
    x = ((np.arange(columns) + 0.5) / columns)[None, :]
    return np.stack([(0.2 + 0.6 * x + 0.2 * y), 0.5 + 0.4 * np.sin(3 * x) * y]).astype(np.float32)


def without_edge(inside: np.ndarray, cells: int = 1, beyond: int = 0) -> np.ndarray:
    """A region without its outermost cells; `beyond` 1 where the array's border is no edge."""
    kernel = np.ones((2 * cells + 1, 2 * cells + 1), np.uint8)
    kept = cv2.erode(inside.astype(np.uint8), kernel, borderType=0, borderValue=beyond)
    return kept.astype(bool)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("top", "left", "height", "width"),
    [
        (0.0, 0.0, 1.0, 1.0),
        (0.25, 0.1, 0.5, 0.8),
        (0.0, 0.5, 1.0, 0.5),
        (-0.3, -0.1, 1.6, 1.2),  # around the image, as a small image is padded
        (-0.2, 0.4, 0.9, 0.3),
    ],
)
def test_cut_out_and_put_back_is_the_map_where_it_was_seen(top, left, height, width, flip):
    view = View(top, left, height, width, flip)
    whole = smooth(40, 60)
    placed, seen = put_back(cut_out(whole, view, (56, 56)), view, (40, 60))
    assert placed.dtype == np.float32
    assert seen.mean() == pytest.approx(
        max(0, min(1, top + height) - max(0, top)) * max(0, min(1, left + width) - max(0, left)),
        abs=0.03,
    )
    # The outermost cells of a view are its padding's neighbours, or half beyond its last centre.
    inner = without_edge(seen)
    np.testing.assert_allclose(placed[:, inner], whole[:, inner], atol=0.02)
    assert not placed[:, ~seen].any()


@pytest.mark.parametrize("crop", ["whole", "area", "scale"])
def test_a_map_cut_out_is_what_the_same_view_shows_of_a_picture(crop: str):
    """The map as a photograph, cut by the augmentation itself: both must show the same part."""
    whole = smooth(150, 220)
    photograph = torch.from_numpy(np.rint(255 * whole[[0, 0, 1]])).to(torch.uint8)
    how = Augmentation(64, crop, least=0.5, most=1.2, fill=(0, 0, 0))
    random = np.random.default_rng(0)
    flips = set()
    for _ in range(8):
        view = choose_view(150, 220, how, random)
        flips.add(view.flip)
        shown, _ = show(view, how, tv_tensors.Image(photograph), None)
        cut = cut_out(whole, view, (64, 64))
        # Views are whole pixels of the photograph, so at most half of one lies between both.
        inside = without_edge(cut[0] > 0, 2, beyond=1)
        difference = np.abs(shown.numpy()[1:].astype(np.float32) / 255 - cut)[:, inside]
        assert difference.mean() < 0.004
        assert np.quantile(difference, 0.98) < 0.02
    assert flips == {False, True}


def test_cells_count_as_seen_where_their_centre_was_shown():
    """Centres of four rows: 1/8, 3/8, 5/8, 7/8 of the height."""
    heat = np.ones((1, 8, 8), np.float32)
    placed, seen = put_back(heat, View(0.3, 0.0, 0.4, 0.5, False), (4, 4))
    assert seen.tolist() == [[False] * 4, *[[True, True, False, False]] * 2, [False] * 4]
    assert placed[0].tolist() == seen.astype(float).tolist()


def test_a_mirrored_sample_is_turned_back():
    heat = np.zeros((1, 2, 4), np.float32)
    heat[0, :, 0] = 1.0
    placed, _ = put_back(heat, WHOLE._replace(flip=True), (2, 4))
    assert placed[0].tolist() == [[0, 0, 0, 1]] * 2
    # The right half of an image, mirrored: what the sample has on its left lies at the very right.
    placed, seen = put_back(heat[:, :, :2], View(0.0, 0.5, 1.0, 0.5, True), (2, 4))
    assert seen.tolist() == [[False, False, True, True]] * 2
    assert placed[0].tolist() == [[0, 0, 0, 1]] * 2


def test_the_padding_of_a_view_is_zero():
    cut = cut_out(np.ones((1, 4, 4), np.float32), View(-0.5, 0.0, 2.0, 1.0, False), (8, 2))
    assert cut[0, :, 0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("grid", [(1, 1), (28, 37), (5, 64)])
def test_a_whole_view_keeps_a_map_and_sees_all(grid: tuple[int, int]):
    whole = smooth(*grid)
    placed, seen = put_back(whole, WHOLE, grid)
    np.testing.assert_allclose(placed, whole, atol=1e-6)
    assert seen.all()


def test_no_tags_give_no_maps():
    assert put_back(np.zeros((0, 4, 4), np.float32), WHOLE, (3, 5))[0].shape == (0, 3, 5)
