"""SAL's mask scores against values by hand and plain sets of pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.maps.scoring import boundary_accuracy, class_distribution, coarse_score, fine_score

LABELS = hnp.arrays(np.uint8, (3, 4), elements=st.sampled_from([0, 1, 2, 7, 255]))
MASKS = hnp.arrays(np.bool_, (3, 4))


def _bits(*values):
    return np.array([values], dtype=bool)


# B has 3 pixels, H has 4, they share 2; their union has 5.
MASK = _bits(1, 1, 1, 0, 0, 0)
REFERENCE = _bits(0, 1, 1, 1, 1, 0)


def test_the_standard_form_is_the_f_measure_of_precision_and_recall():
    precision, recall = 2 / 3, 2 / 4
    expected = 2 * precision * recall / (precision + recall)
    assert boundary_accuracy(MASK, REFERENCE) == pytest.approx(expected)


def test_the_printed_form_takes_recall_and_iou():
    first, second = 2 / 4, 2 / 5
    expected = 2 * first * second / (first + second)
    assert boundary_accuracy(MASK, REFERENCE, form="printed") == pytest.approx(expected)


def test_objectness_counts_to_the_power_of_its_weight():
    plain = boundary_accuracy(MASK, REFERENCE)
    assert boundary_accuracy(MASK, REFERENCE, 0.5) == pytest.approx(plain * 0.5**0.1)
    assert boundary_accuracy(MASK, REFERENCE, 0.5, b=2) == pytest.approx(plain * 0.25)
    assert boundary_accuracy(MASK, REFERENCE, 0.0, b=0) == pytest.approx(plain)
    assert boundary_accuracy(MASK, REFERENCE, 0.0) == 0


def test_objectness_may_be_a_function_of_the_mask():
    seen = []

    def share(mask):
        seen.append(mask)
        return mask.mean()

    plain = boundary_accuracy(MASK, REFERENCE)
    assert boundary_accuracy(MASK, REFERENCE, share, b=1) == pytest.approx(plain * 0.5)
    np.testing.assert_array_equal(seen[0], MASK)


@pytest.mark.parametrize("form", ["standard", "printed"])
@pytest.mark.parametrize(
    ("mask", "reference"),
    [
        (_bits(0, 0), _bits(1, 1)),
        (_bits(1, 1), _bits(0, 0)),
        (_bits(0, 0), _bits(0, 0)),
        (_bits(1, 0), _bits(0, 1)),
    ],
)
def test_masks_that_share_no_pixel_score_zero(mask, reference, form):
    assert boundary_accuracy(mask, reference, form=form) == 0


def test_a_label_map_counts_with_its_foreground_and_without_ignored_pixels():
    labels = np.array([[3, 9, 200, 0, 255, 255]], dtype=np.uint8)
    assert boundary_accuracy(labels, REFERENCE) == boundary_accuracy(MASK, REFERENCE)


def test_a_reference_of_zeros_and_ones_is_a_mask():
    assert boundary_accuracy(MASK, REFERENCE.astype(int)) == boundary_accuracy(MASK, REFERENCE)


def test_a_reference_with_other_numbers_is_refused_because_255_could_mean_two_things():
    with pytest.raises(ValueError, match="reference must be boolean or hold only 0 and 1"):
        boundary_accuracy(MASK, REFERENCE * np.uint8(255))


@given(MASKS)
def test_a_mask_agrees_with_itself_completely(mask):
    for form in ("standard", "printed"):
        assert boundary_accuracy(mask, mask, form=form) == float(mask.any())


@given(MASKS, MASKS)
def test_accuracy_follows_the_sets_of_pixels(mask, reference):
    b, h = set(np.flatnonzero(mask)), set(np.flatnonzero(reference))
    if not b & h:
        assert boundary_accuracy(mask, reference) == 0
        return
    precision, recall, iou = (len(b & h) / len(s) for s in (b, h, b | h))
    standard = boundary_accuracy(mask, reference)
    assert standard == pytest.approx(2 * precision * recall / (precision + recall))
    assert standard == pytest.approx(boundary_accuracy(reference, mask))
    printed = boundary_accuracy(mask, reference, form="printed")
    assert printed == pytest.approx(2 * recall * iou / (recall + iou))
    assert 0 <= printed <= 1
    assert 0 <= standard <= 1


def test_class_distribution_is_the_share_of_the_foreground_that_carries_a_tag():
    labels = np.array([[1, 1, 2, 7, 0, 255]], dtype=np.uint8)
    assert class_distribution(labels, [1, 2]) == pytest.approx(3 / 4)
    assert class_distribution(labels, [7]) == pytest.approx(1 / 4)
    assert class_distribution(labels, []) == 0


@pytest.mark.parametrize("value", [0, 255])
def test_class_distribution_of_an_empty_foreground_is_zero(value):
    assert class_distribution(np.full((2, 2), value, dtype=np.uint8), [1]) == 0


def test_the_coarse_score_is_accuracy_times_distribution():
    labels = np.array([[1, 1, 7, 0, 0, 255]], dtype=np.uint8)
    accuracy = boundary_accuracy(MASK, REFERENCE, 0.5, 0.3, "printed")
    score = coarse_score(labels, REFERENCE, [1], 0.5, 0.3, "printed")
    assert score == pytest.approx(accuracy * 2 / 3)
    plain = coarse_score(labels, REFERENCE, [1], 0.5)
    assert plain == pytest.approx(boundary_accuracy(MASK, REFERENCE, 0.5) * 2 / 3)


def test_the_coarse_score_of_one_class_looks_at_its_pixels_alone():
    labels = np.array([[1, 2, 2, 0, 0, 0]], dtype=np.uint8)
    # Two pixels of class 2, both in the reference of four: precision 1, recall a half.
    assert coarse_score(labels, REFERENCE, [1, 2], only=2) == pytest.approx(2 / 3)
    assert coarse_score(labels, REFERENCE, [1, 2], only=1) == 0
    assert coarse_score(labels, REFERENCE, [1], only=2) == 0


@given(LABELS, MASKS, st.permutations([1, 2, 7]), st.integers(0, 3))
def test_scores_lie_in_the_unit_range_whatever_the_order_of_the_tags(labels, mask, ids, count):
    tags = ids[:count]
    score = coarse_score(labels, mask, tags)
    assert 0 <= score <= 1
    assert score == coarse_score(labels, mask, tags[::-1])


def test_the_fine_score_is_the_prediction_times_distribution_and_clamped():
    labels = np.array([[1, 7]], dtype=np.uint8)
    assert fine_score(0.6, labels, [1]) == pytest.approx(0.3)
    assert fine_score(1.4, labels, [1]) == pytest.approx(0.5)
    assert fine_score(-0.2, labels, [1]) == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: boundary_accuracy(MASK, _bits(1)), r"reference must have the shape \(1, 6\)"),
        (lambda: boundary_accuracy(MASK, REFERENCE, 1.5), "objectness must lie in 0..1"),
        (lambda: boundary_accuracy(MASK, REFERENCE, b=-1), "b, the weight of the objectness"),
        (lambda: boundary_accuracy(MASK, REFERENCE, form="iou"), "form must be 'standard'"),
        (lambda: boundary_accuracy(MASK * 0.5, REFERENCE), "mask must be a label map"),
        (lambda: boundary_accuracy(np.ones(6, bool), REFERENCE), "mask must be a label map"),
        (lambda: class_distribution(np.zeros((2, 2)), [1]), "labels must be a label map"),
        (lambda: class_distribution(np.full((2, 2), 256), [1]), "but goes from 256 to 256"),
        (lambda: class_distribution(np.zeros((2, 2), int), [0]), "class_ids must lie in 1..254"),
        (lambda: fine_score(float("nan"), np.zeros((2, 2), int), [1]), "prediction must be"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
