"""AC, CD and the true AC of label maps drawn by hand, whole and class by class."""

import numpy as np
import pytest

from training.scored_masks import Measure, distribution

CAT, DOG, COW = 8, 12, 10


@pytest.fixture
def labels() -> np.ndarray:
    """Ten rows of ten: three of cat, two of dog, one ignored, the rest background."""
    made = np.zeros((10, 10), np.uint8)
    made[:3], made[3:5], made[5] = CAT, DOG, 255
    return made


def rows(first: int, last: int) -> np.ndarray:
    made = np.zeros((10, 10), np.bool_)
    made[first:last] = True
    return made


def test_the_whole_foreground_is_one_part_and_what_is_ignored_is_none_of_it(labels):
    (part,) = Measure().parts(labels, [CAT, DOG])
    assert part.id is None
    assert (part.mask == rows(0, 5)).all()
    # 5 rows of B, 4 of H, 4 shared: P 4/5, R 1, F 8/9.
    assert Measure().accuracy(part, rows(0, 4)) == pytest.approx(8 / 9)
    # Printed: 4/4 and 4/5, the same here; against 6 rows of H: 5/6 and 5/6.
    assert Measure(form="printed").accuracy(part, rows(0, 6)) == pytest.approx(5 / 6)
    # An objectness of 0.5 with weight 2.
    assert Measure(b=2).accuracy(part, rows(0, 5), lambda mask: 0.5) == pytest.approx(0.25)


def test_each_class_is_held_against_what_no_other_class_claims(labels):
    measure = Measure(per_class=True)
    cat, dog, cow = measure.parts(labels, [CAT, DOG, COW])
    assert [part.id for part in (cat, dog, cow)] == [CAT, DOG, COW]
    reference = rows(0, 6)
    # Cat: B rows 0-3, H without dog rows 0-3 and 5: 3 of 3 and 3 of 4.
    assert measure.accuracy(cat, reference) == pytest.approx(2 * 0.75 / 1.75)
    # Dog: B rows 3-5, H without cat rows 3-6.
    assert measure.accuracy(dog, reference) == pytest.approx(2 * (2 / 3) / (5 / 3))
    assert not cow.mask.any()
    assert measure.accuracy(cow, reference) == 0
    assert len(measure.parts(labels, [])) == 1


def test_the_true_score_leaves_out_what_the_truth_leaves_open(labels):
    truth = np.zeros((10, 10), np.uint8)
    truth[:4], truth[4] = CAT, 255
    # Known: B rows 0-4 (row 4 is open), truth rows 0-4.
    assert Measure().true_accuracy(labels, truth, [CAT, DOG]) == [pytest.approx(1)]
    # Class by class: 3 of 3 and 3 of 4 for cat; no dog is true.
    found = Measure(per_class=True).true_accuracy(labels, truth, [CAT, DOG])
    assert found == [pytest.approx(2 * 0.75 / 1.75), 0]


def test_the_distribution_of_an_image_without_tags_holds_nothing_against_it(labels):
    assert distribution(labels, [CAT]) == pytest.approx(0.6)
    assert distribution(labels, []) == 1
    assert distribution(np.zeros((4, 4), np.uint8), []) == 0
    assert distribution(np.zeros((4, 4), np.uint8), [CAT]) == 0
