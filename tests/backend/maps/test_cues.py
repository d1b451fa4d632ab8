"""Cues are where the attention is strong and where saliency is lowest, and never in two regions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backend.maps.cues import static_cues


def by_loop(attention: np.ndarray, saliency: np.ndarray, high: float, part: float) -> np.ndarray:
    """The same cell by cell, from the definition."""
    tags, height, width = attention.shape
    cells = [(row, column) for row in range(height) for column in range(width)]
    regions: dict[int, set[tuple[int, int]]] = {}
    for tag in range(tags):
        most = max(attention[tag][cell] for cell in cells)
        regions[tag + 1] = {
            cell for cell in cells if attention[tag][cell] > np.float32(high) * most
        }
    ordered = sorted(saliency[cell] for cell in cells)
    count = round(part * len(cells))
    flat = ordered[0] == ordered[-1]
    limit = ordered[count - 1] if count and not flat else -1
    regions[0] = {cell for cell in cells if saliency[cell] <= limit}
    cues = np.full((height, width), 255, np.uint8)
    for cell in cells:
        claims = [label for label in [*range(1, tags + 1), 0] if cell in regions[label]]
        if claims:
            cues[cell] = min(claims, key=lambda label: len(regions[label]))
    return cues


@given(
    arrays.arrays(np.float32, (2, 4, 5), elements=st.sampled_from([0, 0.125, 0.25, 0.5, 1])),
    arrays.arrays(np.float32, (4, 5), elements=st.sampled_from([0, 0.25, 0.5, 0.75])),
    st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    st.sampled_from([0.0, 0.1, 0.3, 1.0]),
)
def test_cues_follow_their_definition(
    attention: np.ndarray, saliency: np.ndarray, high: float, part: float
) -> None:
    found = static_cues(attention, saliency, high=high, background_part=part)
    assert found.dtype == np.uint8
    assert (found == by_loop(attention, saliency, high, part)).all()


def test_the_threshold_is_a_share_of_each_maps_own_maximum() -> None:
    weak = np.array([[[0.1, 0.021, 0.019]]], np.float32)
    assert static_cues(weak, np.zeros((1, 3)), high=0.2).tolist() == [[1, 1, 255]]


def test_a_cell_of_two_tags_is_the_smaller_ones() -> None:
    maps = np.zeros((2, 1, 6), np.float32)
    maps[0, 0, :5] = 1
    maps[1, 0, 3:5] = 1
    assert static_cues(maps, np.zeros((1, 6))).tolist() == [[1, 1, 1, 2, 2, 255]]


def test_a_large_tag_does_not_cover_the_background() -> None:
    maps = np.ones((1, 1, 10), np.float32)
    saliency = np.linspace(0, 1, 10, dtype=np.float32)[None]
    found = static_cues(maps, saliency, background_part=0.2)
    assert found.tolist() == [[0, 0, *[1] * 8]]


def test_cells_that_tie_for_the_lowest_saliency_are_background_together() -> None:
    saliency = np.array([[0, 0, 0, 0, 0.5, 1]], np.float32)
    found = static_cues(np.zeros((0, 1, 6)), saliency, background_part=0.2)
    assert found.tolist() == [[0, 0, 0, 0, 255, 255]]


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_flat_saliency_and_an_empty_map_give_no_cue(level: float) -> None:
    found = static_cues(np.zeros((1, 3, 3)), np.full((3, 3), level))
    assert (found == 255).all()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"attention": np.zeros((3, 3))}, "attention must have the shape"),
        ({"attention": np.full((1, 3, 3), 2.0)}, "attention must lie in 0..1"),
        ({"saliency": np.zeros((2, 3))}, "saliency must have the shape"),
        ({"saliency": np.full((3, 3), np.nan)}, "saliency holds NaN"),
        ({"high": 1.5}, "high must lie in 0..1"),
        ({"background_part": -0.1}, "background_part must lie in 0..1"),
        ({"attention": np.zeros((255, 3, 3))}, "An image can have 254 tags"),
    ],
)
def test_what_does_not_fit_is_named(changed: dict, sentence: str) -> None:
    given = {"attention": np.zeros((1, 3, 3)), "saliency": np.zeros((3, 3))}
    with pytest.raises(ValueError, match=sentence):
        static_cues(**{**given, **changed})
