"""Cues grow over cells that the network is sure of and that they touch, and over no other."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backend.maps.growing import grow

NONE = 255


def by_flooding(
    cues: np.ndarray, probabilities: np.ndarray, foreground: float, background: float
) -> np.ndarray:
    """The same from each cue outwards, neighbour by neighbour."""
    height, width = cues.shape
    grown = cues.copy()

    def is_candidate(row: int, column: int, label: int) -> bool:
        here = probabilities[:, row, column]
        least = background if label == 0 else foreground
        mine = cues[row, column] in (label, NONE)
        return bool(here.argmax() == label and here[label] > np.float32(least) and mine)

    for row, column in np.argwhere(cues != NONE).tolist():
        label = int(cues[row, column])
        if not is_candidate(row, column, label):
            continue
        waiting, seen = deque([(row, column)]), {(row, column)}
        while waiting:
            y, x = waiting.popleft()
            grown[y, x] = label
            for near in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                inside = 0 <= near[0] < height and 0 <= near[1] < width
                if inside and near not in seen and is_candidate(*near, label):
                    seen.add(near)
                    waiting.append(near)
    return grown


def sharp(labels: np.ndarray, count: int, certainty: float) -> np.ndarray:
    """Probabilities (count,H,W) that give each cell's label this much, the others the rest."""
    rest = (1 - certainty) / (count - 1)
    made = np.full((count, *labels.shape), rest, np.float32)
    np.put_along_axis(made, labels[None].astype(int), certainty, axis=0)
    return made


@given(
    arrays.arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 2, NONE, NONE, NONE])),
    arrays.arrays(np.uint8, (5, 6), elements=st.integers(0, 2)),
    arrays.arrays(np.float32, (5, 6), elements=st.sampled_from([0.5, 0.84, 0.9, 0.995])),
)
def test_growing_is_flooding_from_the_cues(
    cues: np.ndarray, labels: np.ndarray, certainty: np.ndarray
) -> None:
    probabilities = np.where(
        sharp(labels, 3, 1.0) == 1, certainty, (1 - certainty) / np.float32(2)
    ).astype(np.float32)
    grown = grow(cues, probabilities)
    assert grown.dtype == np.uint8
    assert (grown == by_flooding(cues, probabilities, 0.85, 0.99)).all()
    known = cues != NONE
    assert (grown[known] == cues[known]).all()
    assert (grow(grown, probabilities) == grown).all()


def test_only_a_component_that_holds_a_cue_joins_it() -> None:
    labels = np.array([[1, 1, 0, 1, 1]])
    cues = np.array([[1, NONE, NONE, NONE, NONE]])
    assert grow(cues, sharp(labels, 2, 0.9)).tolist() == [[1, 1, NONE, NONE, NONE]]


def test_a_corner_is_enough_to_touch() -> None:
    labels = np.array([[1, 0], [0, 1]])
    cues = np.array([[1, NONE], [NONE, NONE]])
    assert grow(cues, sharp(labels, 2, 0.9)).tolist() == [[1, NONE], [NONE, 1]]


def test_a_cue_that_the_network_doubts_stays_and_does_not_grow() -> None:
    labels = np.array([[2, 1, 1]])
    cues = np.array([[1, NONE, NONE]])
    assert grow(cues, sharp(labels, 3, 0.9)).tolist() == [[1, NONE, NONE]]


def test_a_cue_of_another_label_stops_the_growth() -> None:
    labels = np.array([[1, 1, 1, 1]])
    cues = np.array([[1, NONE, 2, NONE]])
    assert grow(cues, sharp(labels, 3, 0.9)).tolist() == [[1, 1, 2, NONE]]


def test_the_background_asks_for_more() -> None:
    labels, cues = np.array([[0, 0, 1, 1]]), np.array([[0, NONE, 1, NONE]])
    assert grow(cues, sharp(labels, 2, 0.95)).tolist() == [[0, NONE, 1, 1]]
    assert grow(cues, sharp(labels, 2, 0.995)).tolist() == [[0, 0, 1, 1]]
    assert grow(cues, sharp(labels, 2, 0.95), background=0.9).tolist() == [[0, 0, 1, 1]]


def test_without_a_cue_nothing_grows() -> None:
    cues = np.full((2, 2), NONE)
    assert (grow(cues, sharp(np.ones((2, 2)), 2, 0.99)) == NONE).all()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"cues": np.zeros((2, 2), np.uint8)}, "cues must have the shape"),
        ({"cues": np.zeros((3, 3))}, "cues must be a label map"),
        ({"cues": np.full((3, 3), 7)}, r"cues hold the labels \[7\], but .* of 2 labels"),
        ({"probabilities": np.full((2, 3, 3), 3.0)}, "probabilities must lie in 0..1"),
        ({"foreground": 1.2}, "foreground must lie in 0..1"),
        ({"background": -1}, "background must lie in 0..1"),
    ],
)
def test_what_does_not_fit_is_named(changed: dict, sentence: str) -> None:
    given = {"cues": np.zeros((3, 3), np.uint8), "probabilities": np.full((2, 3, 3), 0.5)}
    with pytest.raises(ValueError, match=sentence):
        grow(**{**given, **changed})
