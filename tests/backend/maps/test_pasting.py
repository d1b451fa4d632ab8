"""Maps of parts of an image, fused into the whole in their place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.maps.accumulation import fuse, paste


def passes(seed: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps (3,4) in 0..1 and what each saw; zero where it saw nothing."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        seen = random.random((3, 4)) < random.random()
        made.append((np.where(seen, random.random((3, 4)), 0).astype(np.float32), seen))
    return made


def pasted(made: list[tuple[np.ndarray, np.ndarray]], how: str) -> tuple[np.ndarray, np.ndarray]:
    total, counts = np.zeros((3, 4), np.float32), np.zeros((3, 4), np.uint16)
    for new, seen in made:
        paste(total, counts, new, seen, how)
    return total, counts


@given(st.integers(0, 10**6), st.integers(0, 6))
def test_each_pixel_has_the_maximum_of_the_passes_that_saw_it(seed: int, count: int):
    made = passes(seed, count)
    total, counts = pasted(made, "max")
    for place in np.ndindex(3, 4):
        values = [new[place] for new, seen in made if seen[place]]
        assert total[place] == max(values, default=0)
        assert counts[place] == len(values)


@given(st.integers(0, 10**6), st.integers(0, 6))
def test_each_pixel_has_the_mean_of_the_passes_that_saw_it(seed: int, count: int):
    made = passes(seed, count)
    total, counts = pasted(made, "mean")
    for place in np.ndindex(3, 4):
        values = [float(new[place]) for new, seen in made if seen[place]]
        expected = sum(values) / len(values) if values else 0.0
        assert total[place] == pytest.approx(expected, abs=1e-6)
        assert counts[place] == len(values)


@pytest.mark.parametrize("how", ["max", "mean"])
def test_passes_that_see_all_are_fused_as_whole_maps_are(how: str):
    made = [(new, np.ones((3, 4), bool)) for new, _ in passes(7, 4)]
    whole = None
    for t, (new, _) in enumerate(made, start=1):
        whole = fuse(whole, new, t, how)
    np.testing.assert_allclose(pasted(made, how)[0], whole, atol=1e-6)


@pytest.mark.parametrize("how", ["max", "mean"])
def test_what_a_pass_did_not_see_is_left_alone(how: str):
    total = np.array([[0.5, 0.5]], np.float32)
    counts = np.array([[1, 1]], np.uint16)
    new, seen = np.array([[1.0, 1.0]], np.float32), np.array([[True, False]])
    paste(total, counts, new, seen, how)
    assert total.tolist() == [[1.0 if how == "max" else 0.75, 0.5]]
    assert counts.tolist() == [[2, 1]]
