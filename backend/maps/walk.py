"""AffinityNet's random walk: maps flow to neighbours that look alike until regions fill.

Neighbours are cells closer than `radius`; the pairs of a map are counted once, from the earlier
cell to the later one. The transition matrix is sparse, and its power is never made: it is applied
to the maps step by step, which for 256 steps takes a thousandth of the work of squaring it.
Source: Ahn and Kwak, Learning Pixel-level Semantic Affinity (CVPR 2018), section 4, and its code.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from backend.maps import arrays

RADIUS = 5
ALPHA, BETA, STEPS = 16.0, 8.0, 256
CELL = 8

Region = tuple[slice, slice]


def offsets(radius: int = RADIUS) -> list[tuple[int, int]]:
    """The steps (down, right) from a cell to each neighbour after it that is closer than `radius`.

    34 for the paper's radius of 5. Raises ValueError for a radius below 2, which has none.
    """
    if radius < 2:
        raise ValueError(f"radius must be at least 2, but is {radius}.")
    row = [(0, right) for right in range(1, radius)]
    below = [
        (down, right)
        for down in range(1, radius)
        for right in range(1 - radius, radius)
        if down * down + right * right < radius * radius
    ]
    return row + below


def pairs(size: tuple[int, int], radius: int = RADIUS) -> Iterator[tuple[Region, Region]]:
    """For each of the offsets, in their order, the cells (rows, columns) of a map of this size that
    have a neighbour there, and those neighbours; both empty where the map is too small.
    """
    height, width = size
    for down, right in offsets(radius):
        tall, wide = max(height - down, 0), max(width - abs(right), 0)
        left = min(max(-right, 0), width)
        right_of = min(max(right, 0), width)
        yield (
            (slice(0, tall), slice(left, left + wide)),
            (slice(height - tall, height), slice(right_of, right_of + wide)),
        )


def affinities(features: ArrayLike, radius: int = RADIUS) -> NDArray[np.float32]:
    """How alike neighbours are: features (D,h,w) -> float32 (offsets,h,w) in 0..1.

    exp(-mean |f_i - f_j|) of a cell and its neighbour at each offset, 0 where that lies outside.
    Raises ValueError for features that are no such stack. Source: AffinityNet, Eq. 3.
    """
    stack = arrays.stack(features, "features").astype(np.float32, copy=False)
    size = stack.shape[1:]
    alike = np.zeros((len(offsets(radius)), *size), np.float32)
    for one, (here, there) in zip(alike, pairs(size, radius), strict=True):
        distance = np.abs(stack[:, *here] - stack[:, *there]).mean(axis=0)
        one[here] = np.exp(-distance)
    return alike


def transition(alike: ArrayLike, beta: float = BETA, radius: int = RADIUS) -> sparse.dia_array:
    """The matrix of one step: affinities (offsets,h,w) -> sparse float32 (P,P), P = h w cells.

    Row j holds with which weights cell j takes from itself and its neighbours: the affinities to
    the power of beta, its own being 1, divided by their sum. That is the transpose of the paper's
    column-normalised T, since a map stands here as a column. Kept by diagonals, one for each
    neighbour, along which a product runs several times faster than row by row. Raises ValueError
    for affinities of another count or outside 0..1, and for a negative beta.
    Source: AffinityNet, Eq. 9.
    """
    values = arrays.heat_stack(alike, "affinities")
    steps = offsets(radius)
    if len(values) != len(steps):
        raise ValueError(
            f"affinities must hold {len(steps)} maps, one for each neighbour within radius "
            f"{radius}, but hold {len(values)}."
        )
    if not (0 <= beta < np.inf):
        raise ValueError(f"beta must be a number of at least 0, but is {beta}.")
    height, width = values.shape[1:]
    cells = height * width
    # By how far on the neighbour stands in reading order; in narrow maps two steps may lead there.
    weights: dict[int, NDArray[np.float32]] = {}
    for (down, right), one, (here, _) in zip(
        steps, values, pairs((height, width), radius), strict=True
    ):
        inside = np.zeros((height, width), np.float32)
        inside[here] = one[here] ** np.float32(beta)
        if inside[here].size:
            far = down * width + right
            weights[far] = weights.get(far, np.float32(0)) + inside.ravel()
    sums = np.ones(cells)
    for far, weight in weights.items():
        sums += weight
        sums[far:] += weight[:-far]
    whole = np.float32(1) / sums.astype(np.float32)
    # scipy keeps the entry of row i and column j in place j of its diagonal j - i.
    diagonals, places = [whole], [0]
    for far, weight in weights.items():
        onward, backward = np.zeros((2, cells), np.float32)
        onward[far:] = (weight * whole)[:-far]
        backward[:-far] = weight[:-far] * whole[far:]
        diagonals += [onward, backward]
        places += [far, -far]
    return sparse.dia_array((np.stack(diagonals), places), shape=(cells, cells))


def walk(
    maps: ArrayLike,
    alike: ArrayLike,
    *,
    beta: float = BETA,
    steps: int = STEPS,
    radius: int = RADIUS,
) -> NDArray[np.float32]:
    """Maps after so many steps of the random walk: (K,h,w) with affinities (offsets,h,w) ->
    float32 (K,h,w).

    Each step gives a cell the weighted mean of itself and its neighbours, so values stay between a
    map's least and largest, and what sums to 1 over the maps goes on doing so. Give the background
    as a map of its own (`with_background`). Raises ValueError for arrays that do not fit, and as
    `transition` does. Source: AffinityNet, Eq. 10.
    """
    stack = arrays.stack(maps, "maps").astype(np.float32, copy=False)
    values = arrays.stack(alike, "affinities")
    arrays.require_shape(values[0], "each map of affinities", stack.shape[1:])
    if steps < 0 or int(steps) != steps:
        raise ValueError(f"steps must be a whole number of at least 0, but are {steps}.")
    matrix = transition(values, beta, radius)
    walked = np.empty_like(stack)
    for one, target in zip(stack, walked, strict=True):
        column = one.ravel()
        for _ in range(int(steps)):
            column = matrix @ column
        # So many means of 32-bit numbers may leave a map's range by their last digits.
        target[:] = column.reshape(one.shape).clip(one.min(), one.max())
    return walked


def with_background(attention: ArrayLike, alpha: float = ALPHA) -> NDArray[np.float32]:
    """Attention (K,H,W) in 0..1 with the background's map before it: float32 (K+1,H,W).

    The background counts (1 - the strongest attention)^alpha: a larger alpha leaves it less.
    Without a tag it is 1. Raises ValueError. Source: AffinityNet, Eq. 2; alpha 16 of its section 4.
    """
    if not (0 <= alpha < np.inf):
        raise ValueError(f"alpha must be a number of at least 0, but is {alpha}.")
    stack = arrays.heat_stack(attention, "attention")
    behind = (1 - stack.max(axis=0, initial=0)) ** np.float32(alpha)
    return np.concatenate([behind[None], stack])


def grid_of(size: tuple[int, int], cell: int = CELL) -> tuple[int, int]:
    """How many cells (rows, columns) an image (H,W) has once padded to multiples of a cell."""
    return math.ceil(size[0] / cell), math.ceil(size[1] / cell)


def padded(pixels: np.ndarray, cell: int = CELL) -> np.ndarray:
    """An image (H,W,...) or maps (K,H,W) whose border is repeated, at the right and below, up to
    the next multiple of a cell; photographs have their channels last, maps float and first.
    """
    rows, columns = (1, 2) if pixels.dtype.kind == "f" else (0, 1)
    margin = [(0, 0)] * pixels.ndim
    for axis in (rows, columns):
        margin[axis] = (0, -pixels.shape[axis] % cell)
    return np.pad(pixels, margin, mode="edge")


def pooled(maps: ArrayLike, cell: int = CELL) -> NDArray[np.float32]:
    """The mean of maps (K,H,W) over each cell of so many pixels a side: float32 (K, *grid_of)."""
    stack = padded(arrays.stack(maps, "maps").astype(np.float32, copy=False), cell)
    count, height, width = stack.shape
    cells = stack.reshape(count, height // cell, cell, width // cell, cell)
    return cells.mean(axis=(2, 4), dtype=np.float32)
