"""Grow to edge: only near the drawn border, only the one class, and to where the edge is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import DataError
from backend.maps import crf
from backend.snapping import grow_to_edge

needs_crf = pytest.mark.skipif(crf.missing() is not None, reason="pydensecrf is not installed")
SIDE = 64


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A bright square on dark ground with some noise, and its true labels."""
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[16:48, 16:48] = 1
    image = np.where(labels[..., None] == 1, (200, 60, 40), (40, 90, 160)).astype(np.int16)
    image += np.random.default_rng(0).integers(-8, 9, image.shape, np.int16)
    return image.clip(0, 255).astype(np.uint8), labels


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return np.count_nonzero(first & second) / np.count_nonzero(first | second)


@needs_crf
@pytest.mark.parametrize("off", [-4, 4])
def test_a_mask_too_small_or_too_large_is_drawn_to_the_edge(off: int) -> None:
    image, truth = scene()
    rough = np.zeros_like(truth)
    rough[16 - off : 48 + off, 16 - off : 48 + off] = 1
    grown = grow_to_edge(image, rough, 1, 8, crf.refine)
    assert iou(rough == 1, truth == 1) < 0.8
    assert iou(grown == 1, truth == 1) > 0.97


@needs_crf
def test_a_class_beside_gives_way_where_the_edge_is() -> None:
    image, truth = scene()
    rough = np.where(truth == 1, 1, 2).astype(np.uint8)
    rough[:, 44:] = 2
    grown = grow_to_edge(image, rough, 1, 8, crf.refine)
    assert iou(grown == 1, truth == 1) > 0.97
    assert set(np.unique(grown)) == {1, 2}


@needs_crf
def test_ignored_pixels_are_taken_where_the_class_goes_on_and_else_stay() -> None:
    image, truth = scene()
    rough = truth.copy()
    rough[16:48, 40:56] = 255
    grown = grow_to_edge(image, rough, 1, 12, crf.refine)
    assert np.all(grown[20:44, 40:46] == 1)
    assert np.all(grown[20:44, 50:56] == 255)


@given(seed=st.integers(0, 10_000), reach=st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_nothing_changes_far_from_the_border_or_between_other_classes(
    seed: int, reach: int
) -> None:
    """Whatever the CRF says: here it says noise."""
    random = np.random.default_rng(seed)
    image, _ = scene()
    labels = random.choice([0, 2, 3, 255], (SIDE, SIDE)).astype(np.uint8)
    x, y = random.integers(0, 40, 2)
    labels[y : y + 20, x : x + 20] = 1
    before = labels.copy()
    grown = grow_to_edge(
        image, labels, 1, reach, lambda _, u, __: random.random(u.shape, np.float32)
    )
    np.testing.assert_array_equal(labels, before)
    changed = grown != labels
    assert np.all((labels[changed] == 1) | (grown[changed] == 1))
    assert set(np.unique(grown)) <= {0, 1, 2, 3, 255}
    rows, columns = np.nonzero(changed)
    # By the straight way out of, or into, the square.
    outside = np.maximum.reduce([y - rows, rows - (y + 19), x - columns, columns - (x + 19)])
    assert np.all(np.abs(outside) <= reach + 1)


def test_a_class_that_is_not_there_and_a_reach_of_none_are_refused() -> None:
    image, labels = scene()
    with pytest.raises(DataError, match="None of this class is in view"):
        grow_to_edge(image, labels, 5, 8, crf.refine)
    with pytest.raises(DataError, match="reach"):
        grow_to_edge(image, labels, 1, 0, crf.refine)


def test_a_mask_that_is_all_of_one_class_has_no_edge_to_grow_to() -> None:
    image, labels = scene()
    whole = np.ones_like(labels)
    np.testing.assert_array_equal(grow_to_edge(image, whole, 1, 8, crf.refine), whole)
