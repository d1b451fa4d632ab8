"""Erasing what was found: hierarchical saliency and the blurred region."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.maps.erasing import blur_region, hierarchical_saliency


def _brightness(image: np.ndarray) -> np.ndarray:
    """A detector that finds bright pixels salient, relative to the brightest one."""
    grey = image.mean(axis=2)
    return (grey / max(grey.max(), 1)).astype(np.float32)


def _row(*values: int) -> np.ndarray:
    return np.repeat(np.array([values], dtype=np.uint8)[:, :, None], 3, axis=2)


def test_the_second_and_third_objects_come_out_as_the_brighter_ones_are_erased():
    image = _row(200, 100, 40, 0)
    steps = hierarchical_saliency(image, _brightness, fill=(0, 0, 0))
    np.testing.assert_array_equal(steps[0].erased, image)
    np.testing.assert_array_equal(steps[1].erased, _row(0, 100, 40, 0))
    np.testing.assert_array_equal(steps[2].erased, _row(0, 0, 40, 0))
    np.testing.assert_allclose(steps[0].merged, [[1, 0.5, 0.2, 0]])
    np.testing.assert_allclose(steps[1].raw, [[0, 1, 0.4, 0]])
    np.testing.assert_allclose(steps[1].merged, [[1, 1, 0.4, 0]])
    np.testing.assert_allclose(steps[2].merged, [[1, 1, 1, 0]])


def test_a_pixel_at_the_threshold_is_kept_and_one_above_it_erased():
    maps = iter([np.array([[0.7, 0.71, 0.5]]), np.array([[0.8, 0.0, 0.81]]), np.zeros((1, 3))])
    image = _row(10, 20, 30)
    steps = hierarchical_saliency(image, lambda _: next(maps), (0.75, 0.8), fill=(9, 9, 9))
    np.testing.assert_array_equal(steps[1].erased, image)
    np.testing.assert_array_equal(steps[2].erased, _row(10, 20, 9))
    maps = iter([np.array([[0.5, 0.75, 0.25]]), np.zeros((1, 3))])
    steps = hierarchical_saliency(image, lambda _: next(maps), (0.5,), fill=(9, 9, 9))
    np.testing.assert_array_equal(steps[1].erased, _row(10, 9, 30))


def test_erasing_adds_up_over_the_steps():
    maps = iter([np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.zeros((1, 2))])
    steps = hierarchical_saliency(_row(10, 20), lambda _: next(maps), fill=(5, 6, 7))
    np.testing.assert_array_equal(steps[2].erased, [[[5, 6, 7], [5, 6, 7]]])


def test_without_a_colour_the_images_own_mean_fills_at_every_step():
    maps = iter([np.array([[1.0, 0, 0]]), np.array([[0, 1.0, 0]]), np.zeros((1, 3))])
    image = np.array([[[0, 10, 30], [30, 20, 60], [60, 60, 0]]], dtype=np.uint8)
    steps = hierarchical_saliency(image, lambda _: next(maps))
    np.testing.assert_array_equal(steps[2].erased[0], [[30, 30, 30], [30, 30, 30], [60, 60, 0]])


def test_the_given_image_is_left_alone():
    image = _row(200, 100)
    hierarchical_saliency(image, _brightness, fill=(0, 0, 0))
    np.testing.assert_array_equal(image, _row(200, 100))


@given(st.lists(st.floats(0, 1), max_size=4), st.integers(0, 2**32 - 1))
def test_one_step_more_than_thresholds_and_merged_only_grows(thresholds, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    steps = hierarchical_saliency(image, lambda _: rng.random((4, 5), dtype=np.float32), thresholds)
    assert len(steps) == len(thresholds) + 1
    running = np.zeros((4, 5), dtype=np.float32)
    for step in steps:
        running = np.maximum(running, step.raw)
        np.testing.assert_array_equal(step.merged, running)


@pytest.mark.parametrize(
    ("image", "detect", "options", "words"),
    [
        (np.zeros((3, 3)), _brightness, {}, "image must be an 8-bit colour image"),
        (np.zeros((3, 3, 3)), _brightness, {}, "image must be an 8-bit colour image"),
        (_row(1), lambda _: np.zeros((2, 2)), {}, "saliency from detect must have the shape"),
        (_row(1), lambda _: np.full((1, 1), np.nan), {}, "saliency from detect holds NaN"),
        (_row(1), lambda _: np.full((1, 1), 255), {}, "saliency from detect must lie in 0..1"),
        (_row(1), _brightness, {"thresholds": (0.7, 1.5)}, "thresholds must lie in 0..1"),
        (_row(1), _brightness, {"fill": (1, 2)}, "fill must be three numbers in 0..255"),
        (_row(1), _brightness, {"fill": (1, 2, 255.6)}, "fill must be three numbers in 0..255"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(image, detect, options, words):
    with pytest.raises(ValueError, match=words):
        hierarchical_saliency(image, detect, **options)


def test_blurring_changes_the_region_alone_and_takes_it_from_the_whole_blurred_image():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    region = np.zeros((20, 30), dtype=bool)
    region[5:12, 8:20] = True
    result = blur_region(image, region, 2.0)
    np.testing.assert_array_equal(result[~region], image[~region])
    whole = cv2.GaussianBlur(image.astype(np.float64), (31, 31), 2.0)
    assert np.abs(result[region] - whole[region]).max() <= 2
    assert (result[region] != image[region]).any()


def test_a_wider_gaussian_leaves_less_of_the_texture():
    image = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    everywhere = np.ones((40, 40), dtype=bool)
    spread = [blur_region(image, everywhere, sigma).std() for sigma in (0, 1, 3, 8)]
    assert spread == sorted(spread, reverse=True)
    assert spread[3] < spread[0] / 5


@given(hnp.arrays(np.uint8, (4, 4, 3)), hnp.arrays(np.bool_, (4, 4)))
def test_no_region_or_no_blur_gives_an_equal_copy(image, region):
    for result in (blur_region(image, region, 0), blur_region(image, region & False, 5)):
        np.testing.assert_array_equal(result, image)
        assert not np.shares_memory(result, image)


@pytest.mark.parametrize(
    ("region", "sigma", "words"),
    [
        (np.zeros((2, 2)), 1, "region must be boolean"),
        (np.zeros((2, 3), dtype=bool), 1, r"region must have the shape \(2, 2\)"),
        (np.zeros((2, 2), dtype=bool), -1, "sigma must be"),
        (np.zeros((2, 2), dtype=bool), np.nan, "sigma must be"),
        (np.zeros((2, 2), dtype=bool), np.inf, "sigma must be"),
    ],
)
def test_a_region_or_sigma_that_does_not_fit_is_refused(region, sigma, words):
    with pytest.raises(ValueError, match=words):
        blur_region(np.zeros((2, 2, 3), dtype=np.uint8), region, sigma)
