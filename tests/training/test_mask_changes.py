"""Masks made worse and images put together of two, against masks drawn by hand."""

import numpy as np
import pytest

from backend.maps.scoring import boundary_accuracy
from training import mask_changes
from training.mask_changes import View

SIDE = 40


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize("target", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("form", ["standard", "printed"])
def test_a_worse_copy_has_the_score_that_was_asked_for(target: float, form: str):
    mask = reference = square(8, 8, 24)
    random = np.random.default_rng(0)
    for made in (
        mask_changes.eroded(mask, reference, target, form),
        mask_changes.erased(mask, reference, target, random, form),
        mask_changes.erased(mask, reference, target, random, form),
    ):
        assert boundary_accuracy(made, reference, form=form) == pytest.approx(target, abs=0.02)
        assert not (made & ~mask).any()
    grown = mask_changes.grown(mask, reference, max(target, 0.6), form)
    assert boundary_accuracy(grown, reference, form=form) == pytest.approx(
        max(target, 0.6), abs=0.02
    )
    assert grown[mask].all()


def test_erosion_takes_the_outermost_pixels_first():
    mask = square(10, 10, 20)
    made = mask_changes.eroded(mask, mask, 0.5)
    # F = 2k / (k + 400) is 0.5 for k = 133: whole rings leave 10 x 10 and the next is 12 x 12.
    assert int(made.sum()) == 133
    assert made[15:25, 15:25].all()
    assert not (made & ~square(14, 14, 12)).any()


def test_erasing_is_a_side_or_a_hole_and_draws_as_the_seed_says():
    mask = square(10, 10, 20)
    made = [
        mask_changes.erased(
            mask,
            mask,
            0.6,
            np.random.default_rng(n),
        )
        for n in range(8)
    ]
    again = [mask_changes.erased(mask, mask, 0.6, np.random.default_rng(n)) for n in range(8)]
    assert all((one == two).all() for one, two in zip(made, again, strict=True))
    assert len({each.tobytes() for each in made}) == 8


def test_a_reference_that_the_mask_does_not_meet_leaves_it_whole():
    mask = square(0, 0, 10)
    assert (mask_changes.eroded(mask, square(20, 20, 10), 0.5) == mask).all()
    nothing = np.zeros((SIDE, SIDE), np.bool_)
    assert not mask_changes.eroded(nothing, mask, 0.5).any()
    assert not mask_changes.grown(nothing, mask, 0.5).any()


def test_the_forms_are_those_of_the_paper():
    mask, reference = square(0, 0, 10), square(0, 5, 10)
    shared, kept, wanted = np.array([50]), np.array([100]), 100
    for form in ("standard", "printed"):
        found = mask_changes.f_measures(shared, kept, wanted, form)
        assert found[0] == pytest.approx(boundary_accuracy(mask, reference, form=form))


def test_a_pasted_foreground_brings_its_image_mask_and_part_of_its_reference():
    back = View(np.full((SIDE, SIDE, 3), 10, np.uint8), square(0, 0, 8), square(0, 0, 10))
    front_image = np.full((SIDE, SIDE, 3), 200, np.uint8)
    # Half of the cut-out mask is wrong, and half of its reference is not cut out.
    front = View(front_image, square(10, 10, 16), square(10, 18, 16))
    made = mask_changes.pasted(back, front, np.random.default_rng(2))
    new = (made.image == 200).all(axis=2)
    assert 8 * 8 <= new.sum() <= 16 * 16
    assert ((made.image == 10).all(axis=2) == ~new).all()
    assert (made.mask == (back.mask | new)).all()
    inside = made.reference & new
    assert inside.sum() == pytest.approx(new.sum() / 2, rel=0.15)
    assert (made.reference[~new] == back.reference[~new]).all()
    # There is room enough beside the foreground.
    assert not (new & back.reference).any()
    assert (back.image == 10).all(), "the original stays as it was"


def test_what_is_hidden_is_gone_from_the_reference():
    everywhere = np.ones((SIDE, SIDE), np.bool_)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    back = View(image, everywhere, everywhere)
    front = View(image + 9, square(0, 0, 30), np.zeros((SIDE, SIDE), np.bool_))
    made = mask_changes.pasted(back, front, np.random.default_rng(0))
    new = (made.image == 9).all(axis=2)
    assert new.any()
    assert (made.reference == ~new).all()
    assert made.mask.all()


def test_nothing_to_cut_out_changes_nothing():
    back = View(np.zeros((SIDE, SIDE, 3), np.uint8), square(0, 0, 8), square(0, 0, 10))
    front = View(back.image + 5, np.zeros((SIDE, SIDE), np.bool_), square(0, 0, 9))
    assert mask_changes.pasted(back, front, np.random.default_rng(0)) is back
