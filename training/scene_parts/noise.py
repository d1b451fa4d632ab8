"""Noise and surface patterns: periodic tiles made once, cut at an offset drawn for each image."""

from functools import cache

import cv2
import numpy as np

# float32, one value or colour a pixel; OpenCV's stubs know no dtype.
Field = np.ndarray

TILE = 512


def _spectral(seed: int, power: float, stretch: tuple[float, float], low: float) -> Field:
    """White noise shaped in frequency: amplitude 1/f^power above `low`, longer along a stretch."""
    rows = np.fft.fftfreq(TILE)[:, None] * TILE * stretch[0]
    columns = np.fft.rfftfreq(TILE)[None, :] * TILE * stretch[1]
    frequency = np.sqrt(rows**2 + columns**2)
    amplitude = np.where(frequency < low, 0.0, np.maximum(frequency, 1.0) ** -power)
    white = np.random.default_rng(seed).standard_normal((TILE, TILE))
    field = np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=(TILE, TILE))
    return ((field - field.mean()) / field.std()).astype(np.float32)


def _brickwork(seed: int, rows: int, columns: int, joint: float, rounding: float) -> Field:
    """Staggered rounded blocks: each its own lightness, dark joints; about -1.5..1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:TILE, 0:TILE].astype(np.float32) / TILE
    warp = _spectral(seed + 1, 1.8, (1, 1), 2) * 0.004 * rounding
    row = (y + warp) * rows
    index = np.floor(row).astype(int) % rows
    column = (x + warp.T) * columns + 0.5 * (index % 2)
    place = np.floor(column).astype(int) % columns
    edge = np.minimum(
        np.minimum(row % 1, 1 - row % 1) / rows, np.minimum(column % 1, 1 - column % 1) / columns
    )
    block = np.clip(edge * max(rows, columns) / joint, 0, 1)
    tone = rng.normal(0, 0.45, (rows, columns))[index, place]
    return (tone * block + (block - 1) * 1.3 + 0.25 * block**2).astype(np.float32)


def _planks(seed: int, boards: int) -> Field:
    """Boards that run left to right, with grain and dark seams."""
    rng = np.random.default_rng(seed)
    y = np.arange(TILE, dtype=np.float32)[:, None] / TILE * boards
    board = np.floor(y).astype(int)[:, 0] % boards
    seam = np.clip(np.minimum(y % 1, 1 - y % 1) * 14, 0, 1)
    grain = _spectral(seed, 1.0, (0.25, 3.5), 3)
    tone = rng.normal(0, 0.5, boards)[board][:, None]
    return ((grain * 0.45 + tone) * seam + (seam - 1) * 1.4).astype(np.float32)


@cache
def tile(kind: str) -> Field:
    """A periodic (512, 512) pattern around 0, standard deviation near 1, by name.

    Raises KeyError for a name that is not one of the patterns below.
    """
    makers = {
        "cloud": lambda: _spectral(11, 1.75, (0.9, 2.4), 2),
        "mottle": lambda: _spectral(12, 1.35, (1, 1), 2),
        "soft": lambda: _spectral(13, 2.0, (1, 1), 1),
        "grit": lambda: _spectral(14, 0.55, (1, 1), 8),
        "grain": lambda: _spectral(15, 0.15, (1, 1), 8),
        "ripple": lambda: _spectral(16, 1.1, (0.35, 1.5), 5),
        "fur": lambda: _spectral(17, 0.75, (1.5, 0.75), 14),
        "wood": lambda: _spectral(18, 1.0, (0.25, 3.0), 4),
        "ridge": lambda: np.abs(_spectral(19, 1.7, (1, 1), 1)) * -1.6 + 1.2,
        "brick": lambda: _brickwork(21, 40, 20, 0.2, 1),
        "cobble": lambda: _brickwork(22, 24, 18, 0.34, 5),
        "shingle": lambda: _brickwork(23, 44, 34, 0.25, 2),
        "plank": lambda: _planks(24, 14),
    }
    return np.ascontiguousarray(makers[kind](), dtype=np.float32)


@cache
def _scaled(kind: str, side: int) -> Field:
    """The tile, resized so that a picture of `side` pixels always shows the same pattern."""
    if side == TILE:
        return tile(kind)
    return cv2.resize(tile(kind), (side, side), interpolation=cv2.INTER_AREA)


def cut(
    kind: str, side: int, box: tuple[int, int, int, int], offset: tuple[int, int] = (0, 0)
) -> Field:
    """The pattern over pixels (left, top, right, bottom); a tile spans 4/3 of a picture's side."""
    source = _scaled(kind, side * 4 // 3)
    span = source.shape[0]
    left, top, right, bottom = box
    rows = (np.arange(top, bottom) + offset[1]) % span
    columns = (np.arange(left, right) + offset[0]) % span
    return source[rows[:, None], columns[None, :]]


def wave(rng: np.random.Generator, count: int, octaves: int, roughness: float = 0.5) -> Field:
    """A smooth line of `count` values around 0, amplitude about 1: the crest of a hill."""
    x = np.linspace(0, 1, count, dtype=np.float32)
    line = np.zeros(count, np.float32)
    for octave in range(octaves):
        frequency = 2**octave * rng.uniform(0.7, 1.4)
        line += roughness**octave * np.sin(2 * np.pi * (frequency * x + rng.random()))
    return (line / 1.4).astype(np.float32)


def ridge(rng: np.random.Generator, count: int, peaks: int) -> Field:
    """A jagged line of `count` values in 0..1: midpoints displaced around a few peaks."""
    heights = rng.uniform(0.25, 1.0, peaks * 2 + 1)
    heights[::2] *= 0.35
    line = heights
    for level in range(4):
        middle = (line[1:] + line[:-1]) / 2 + rng.normal(0, 0.13 * 0.55**level, line.size - 1)
        merged = np.empty(line.size + middle.size)
        merged[::2], merged[1::2] = line, middle
        line = merged
    return np.interp(np.linspace(0, line.size - 1, count), np.arange(line.size), line).astype(
        np.float32
    )
