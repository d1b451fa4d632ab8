"""Runs and outlines of other programs, read without trusting a count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.errors import DataError
from backend.exchange.painting import (
    compressed,
    outlines,
    paint,
    row_runs,
    runs,
    small_on_top,
    to_row_runs,
)

covers = st.tuples(st.integers(1, 17), st.integers(1, 17)).flatmap(lambda size: arrays(bool, size))


def counted_by_columns(covered: np.ndarray) -> list[int]:
    """COCO's counts by its words: down the columns, the first run is of nothing."""
    counts, value = [0], False
    for pixel in covered.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


@given(covers)
def test_what_is_compressed_unfolds_to_the_same(covered: np.ndarray) -> None:
    made = compressed(covered)
    assert (runs(made["segmentation"], covered.shape) == covered).all()
    assert made["area"] == covered.sum()


@given(covers)
def test_uncompressed_counts_run_down_the_columns(covered: np.ndarray) -> None:
    told = {"size": [*covered.shape], "counts": counted_by_columns(covered)}
    assert (runs(told, covered.shape) == covered).all()


@given(covers)
def test_row_runs_unfold_to_the_same(covered: np.ndarray) -> None:
    counts = to_row_runs(covered)
    assert (row_runs(counts, *covered.shape) == covered).all()
    assert all(count > 0 for count in counts[1:])


def test_row_runs_are_as_cvat_counts_them() -> None:
    assert to_row_runs(np.array([[0, 1], [0, 0]], bool)) == [1, 1, 2]
    assert to_row_runs(np.array([[1, 1], [0, 1]], bool)) == [0, 2, 1, 1]


@pytest.mark.parametrize(
    "counts",
    [
        "",
        "0",
        "00000",
        "\x00",
        "é",
        "zzzzzzzzzzzzzzzz",
        "PPPPPPPPPPPPPPPP",
        "11P",
        "oooooooooooooooo0",
        "5O0",
        [],
        [5, 5],
        [13],
        [-1, 13],
        [1.5, 10.5],
        [10**30],
        "1" * 5000,
        None,
        {},
    ],
)
def test_counts_that_do_not_fit_are_refused_before_c_reads_them(counts: object) -> None:
    with pytest.raises(DataError):
        runs({"size": [3, 4], "counts": counts}, (3, 4))


def test_runs_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match="not of the image's"):
        runs({"size": [4, 3], "counts": [12]}, (3, 4))


def test_an_outline_covers_the_pixels_within() -> None:
    covered = outlines([[1, 1, 4, 1, 4, 3, 1, 3]], (5, 6))
    expected = np.zeros((5, 6), bool)
    expected[1:3, 1:4] = True
    assert (covered == expected).all()


@pytest.mark.parametrize(
    "polygons",
    [
        [],
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5]],
        [[0, 0, 1e9, 0, 1e9, 1e9]],
        [[0, 0, float("nan"), 0, 1, 1]],
        [["a", 0, 1, 1, 2, 2]],
        [[0.0] * 50_002],
        "polygon",
        [["x" * 8]],
        [[True, 0, 1, 1, 2, 2]],
    ],
)
def test_outlines_that_are_none_are_refused(polygons: object) -> None:
    with pytest.raises(DataError):
        outlines(polygons, (5, 6))


def test_the_smaller_region_lies_on_top() -> None:
    large, small = np.ones((3, 3), bool), np.eye(3, dtype=bool)
    labels = paint((3, 3), small_on_top([(2, small), (1, large)]))
    assert labels.tolist() == [[2, 1, 1], [1, 2, 1], [1, 1, 2]]
