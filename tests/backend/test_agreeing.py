"""Kappa and the overlap of two masks, against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.agreeing import class_ious, cohen_kappa

COUNTS = st.integers(0, 50)


def test_kappa_is_the_textbook_one() -> None:
    """Cohen's formula on 20, 5, 10, 15: 0.70 observed, 0.5 * 0.6 + 0.5 * 0.4 = 0.50 by chance."""
    table = {(True, True): 20, (True, False): 5, (False, True): 10, (False, False): 15}
    assert cohen_kappa(table) == pytest.approx((0.70 - 0.50) / (1 - 0.50))


def test_complete_agreement_is_one_and_complete_contradiction_is_below_zero() -> None:
    assert cohen_kappa({(True, True): 3, (False, False): 4}) == pytest.approx(1)
    assert cohen_kappa({(True, False): 5, (False, True): 5}) == pytest.approx(-1)


def test_agreement_as_by_chance_is_exactly_zero() -> None:
    """4, 2, 2, 1 of 9: both say yes to two of three, whatever the other says."""
    table = {(True, True): 4, (True, False): 2, (False, True): 2, (False, False): 1}
    assert cohen_kappa(table) == 0


def test_kappa_says_nothing_where_chance_explains_everything() -> None:
    assert cohen_kappa({}) is None
    assert cohen_kappa({(True, True): 9}) is None
    assert cohen_kappa({(False, False): 9}) is None


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_kappa_is_at_most_one_and_the_same_for_both_orders(a: int, b: int, c: int, d: int) -> None:
    table = {(True, True): a, (True, False): b, (False, True): c, (False, False): d}
    swapped = {(second, first): count for (first, second), count in table.items()}
    kappa = cohen_kappa(table)
    if kappa is None:
        assert cohen_kappa(swapped) is None
        return
    assert -1 - 1e-9 <= kappa <= 1 + 1e-9
    assert cohen_kappa(swapped) == pytest.approx(kappa)


def test_the_iou_of_each_class_leaves_background_and_ignored_pixels_out() -> None:
    first = np.array([[1, 1, 0, 2], [1, 255, 0, 2]], np.uint8)
    second = np.array([[1, 0, 0, 2], [1, 1, 3, 255]], np.uint8)
    # Class 1: 2 in common of 3 (the pixel under 255 is not counted); 2: 1 of 1; 3: none of 1.
    assert class_ious(first, second) == {1: pytest.approx(2 / 3), 2: 1.0, 3: 0.0}


def test_a_mask_agrees_with_itself() -> None:
    labels = np.random.default_rng(0).integers(0, 5, (20, 20)).astype(np.uint8)
    assert class_ious(labels, labels) == {1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0}


def test_masks_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        class_ious(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
