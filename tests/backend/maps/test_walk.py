"""The random walk against a dense one made cell by cell, and what must hold of any walk."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn

from backend.maps import walk


def dense(features: np.ndarray, beta: float, radius: int) -> np.ndarray:
    """The paper's column-normalised T (P,P), one pair of cells after the other, in float64."""
    _, height, width = features.shape
    cells = [(y, x) for y in range(height) for x in range(width)]
    matrix = np.zeros((len(cells), len(cells)))
    for i, (y, x) in enumerate(cells):
        for j, (v, u) in enumerate(cells):
            down, right = abs(v - y), abs(u - x)
            if down < radius and right < radius and down**2 + right**2 < radius**2:
                apart = np.abs(features[:, y, x] - features[:, v, u]).mean()
                matrix[i, j] = np.exp(-apart) ** beta
    return matrix / matrix.sum(axis=0, keepdims=True)


def features(seed: int, size: tuple[int, int], depth: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(depth, *size)).astype(np.float32)


def test_the_paper_has_34_neighbours_and_each_lies_after_its_cell() -> None:
    steps = walk.offsets()
    assert len(set(steps)) == len(steps) == 34
    assert all(down > 0 or (down == 0 and right > 0) for down, right in steps)
    assert all(down**2 + right**2 < 25 for down, right in steps)
    # with those before it and itself: every point closer than 5, counted by hand row by row
    assert 2 * len(steps) + 1 == 9 + 2 * (9 + 9 + 7 + 5)


@pytest.mark.parametrize(
    ("size", "radius", "steps"),
    [
        ((6, 7), 5, 256),
        ((9, 4), 3, 5),
        ((1, 8), 5, 64),
        ((8, 1), 4, 3),
        ((1, 1), 5, 2),
        ((3, 2), 5, 9),
    ],
)
def test_the_walk_is_the_power_of_the_dense_matrix(size, radius: int, steps: int) -> None:
    seen = features(1, size)
    maps = np.random.default_rng(2).random((3, *size), dtype=np.float32)
    power = np.linalg.matrix_power(dense(seen, 8, radius), steps)
    expected = (maps.reshape(3, -1).astype(np.float64) @ power).reshape(maps.shape)
    walked = walk.walk(maps, walk.affinities(seen, radius), beta=8, steps=steps, radius=radius)
    assert walked.dtype == np.float32
    np.testing.assert_allclose(walked, expected, atol=2e-5)


@given(
    maps=drawn(np.float32, (2, 5, 7), elements=st.floats(0, 1, width=32)),
    seed=st.integers(0, 99),
    beta=st.sampled_from([0.0, 1.0, 8.0, 50.0]),
)
@settings(max_examples=25, deadline=None)
def test_values_stay_between_the_least_and_the_largest_and_weighted_mass_is_kept(
    maps: np.ndarray, seed: int, beta: float
) -> None:
    alike = walk.affinities(features(seed, (5, 7)))
    walked = walk.walk(maps, alike, beta=beta, steps=40)
    assert (walked <= maps.max(axis=(1, 2), keepdims=True)).all()
    assert (walked >= maps.min(axis=(1, 2), keepdims=True)).all()
    # What a cell weighs in the long run is the sum of its affinities: in these weights the whole
    # of a map is moved about, and nothing of it lost.
    weight = walk.walk(np.eye(35, dtype=np.float32).reshape(35, 5, 7), alike, beta=beta, steps=1)
    own = weight.reshape(35, 35)[np.arange(35), np.arange(35)]
    before = (maps.reshape(2, -1) / own).sum(axis=1)
    np.testing.assert_allclose((walked.reshape(2, -1) / own).sum(axis=1), before, rtol=1e-3)


def test_constant_maps_stay_as_they_are_and_shares_go_on_summing_to_one() -> None:
    alike = walk.affinities(features(3, (12, 10)))
    assert (walk.walk(np.full((2, 12, 10), 0.25), alike) == 0.25).all()
    shares = np.random.default_rng(4).random((4, 12, 10))
    shares /= shares.sum(axis=0)
    assert walk.walk(shares, alike).sum(axis=0) == pytest.approx(1, abs=1e-4)


def test_without_a_tag_there_is_nothing_to_move() -> None:
    alike = walk.affinities(features(3, (4, 4)))
    assert walk.walk(np.zeros((0, 4, 4)), alike).shape == (0, 4, 4)
    behind = walk.with_background(np.zeros((0, 4, 4)))
    assert (behind == 1).all()
    assert (walk.walk(behind, alike) == 1).all()


def test_a_map_fills_the_region_that_looks_alike_and_stops_at_its_border() -> None:
    seen = np.zeros((4, 12, 20), np.float32)
    seen[:, :, 9:] = 4
    maps = np.zeros((1, 12, 20), np.float32)
    maps[0, 6, 4] = 1
    walked = walk.walk(maps, walk.affinities(seen))[0]
    inside, outside = walked[:, :9], walked[:, 9:]
    assert inside.min() > 0.8 * inside.max()
    assert outside.max() < 1e-6 * inside.min()


def test_the_order_of_the_tags_changes_nothing() -> None:
    alike = walk.affinities(features(5, (6, 6)))
    maps = np.random.default_rng(6).random((3, 6, 6), dtype=np.float32)
    assert np.array_equal(walk.walk(maps[::-1], alike), walk.walk(maps, alike)[::-1])


def test_the_background_is_what_the_strongest_attention_leaves() -> None:
    attention = np.array([[[0.0, 0.5]], [[0.25, 0.75]]], np.float32)
    made = walk.with_background(attention, alpha=2)
    assert np.array_equal(made[1:], attention)
    np.testing.assert_allclose(made[0], [[0.75**2, 0.25**2]], rtol=1e-6)
    assert walk.with_background(attention)[0, 0, 0] == pytest.approx(0.75**16)


def test_cells_are_means_and_a_border_is_repeated_up_to_a_whole_cell() -> None:
    maps = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5)
    made = walk.pooled(maps, cell=2)
    assert made.shape == (2, *walk.grid_of((3, 5), 2)) == (2, 2, 3)
    assert made[0, 0, 0] == np.mean([0, 1, 5, 6])
    assert made[0, 0, 2] == np.mean([4, 9])
    assert made[0, 1, 1] == np.mean([12, 13])
    assert made[1, 1, 2] == 29
    photograph = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    whole = walk.padded(photograph, 8)
    assert whole.shape == (8, 8, 3)
    assert np.array_equal(whole[:3, :5], photograph)
    assert np.array_equal(whole[7, 7], photograph[2, 4])
    assert walk.padded(photograph, 1).shape == photograph.shape


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: walk.offsets(1), "radius must be at least 2"),
        (lambda: walk.transition(np.ones((3, 4, 4))), "must hold 34 maps"),
        (lambda: walk.transition(np.full((34, 4, 4), 2.0)), "affinities must lie in 0..1"),
        (lambda: walk.transition(np.ones((34, 4, 4)), beta=-1), "beta must be"),
        (lambda: walk.walk(np.ones((2, 4, 5)), np.ones((34, 4, 4))), "each map of affinities"),
        (lambda: walk.walk(np.ones((2, 4, 4)), np.ones((34, 4, 4)), steps=-1), "steps must be"),
        (lambda: walk.walk(np.ones((4, 4)), np.ones((34, 4, 4))), "maps must have the shape"),
        (lambda: walk.with_background(np.full((1, 2, 2), 3.0)), "attention must lie in 0..1"),
        (lambda: walk.with_background(np.zeros((1, 2, 2)), alpha=np.nan), "alpha must be"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_named(call, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()
