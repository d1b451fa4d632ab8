"""Label Studio's brush strokes, by the format's description and by streams of its own tools."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.errors import DataError
from backend.exchange.brush import decode_brush, encode_brush

covers = st.tuples(st.integers(1, 13), st.integers(1, 13)).flatmap(lambda size: arrays(bool, size))

# What label-studio-converter 0.0.59 writes (mask2rle) for a covered and an uncovered pixel.
ITS_OWN = [0, 0, 0, 8, 57, 27, 252, 127, 241, 128, 0]


def slowly(rle: list[int]) -> list[int]:
    """The values of a stream, bit by bit: a second formulation."""
    bits = "".join(f"{byte:08b}" for byte in rle)
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        repeated = take(1)
        count = take(sizes[take(2)]) + 1
        values += [take(word)] * count if repeated else [take(word) for _ in range(count)]
    return values


@given(covers)
def test_a_stroke_unfolds_to_the_same(covered: np.ndarray) -> None:
    rle = encode_brush(covered)
    assert (decode_brush(rle, covered.shape) == covered).all()
    assert slowly(rle) == (np.repeat(covered.ravel(), 4) * 255).tolist()


def test_a_stroke_of_its_own_tools_is_read_and_written_alike() -> None:
    covered = np.array([[True, False]])
    assert encode_brush(covered) == ITS_OWN
    assert decode_brush(ITS_OWN, (1, 2)).tolist() == [[True, False]]


def test_blocks_of_single_values_and_any_opacity_count() -> None:
    """Two pixels in one literal block: the first of opacity 1, the second of none."""
    header = f"{8:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    bits = f"{header}000{7:03b}" + "".join(f"{value:08b}" for value in (9, 9, 9, 1, 9, 9, 9, 0))
    bits += "0" * (-len(bits) % 8)
    rle = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert decode_brush(rle, (1, 2)).tolist() == [[True, False]]


def test_long_runs_are_parted() -> None:
    covered = np.zeros((300, 300), bool)
    covered[5:290] = True
    assert (decode_brush(encode_brush(covered), (300, 300)) == covered).all()


@pytest.mark.parametrize(
    "rle",
    [
        [],
        [0] * 6,
        ITS_OWN[:-3],
        [255] * 40,
        [0, 0, 0, 8, 57, 27, 252, 127, 255, 255, 255],
        [1000],
        [-1],
        ["a"],
        [0, 0, 0, 8, 249, 27, 252, 127, 241, 128, 0],
    ],
)
def test_what_is_no_stroke_of_its_image_is_refused(rle: list) -> None:
    with pytest.raises(DataError):
        decode_brush(rle, (1, 2))


def test_a_stroke_that_claims_a_giant_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(DataError, match="its image"):
        decode_brush([255, 255, 255, 255, *ITS_OWN[4:]], (1, 2))
