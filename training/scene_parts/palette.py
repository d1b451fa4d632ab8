"""The world's colours: a few muted paints that every class shares, so that colour tells little."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.float32]

PAINTS = (
    "#b5483a",
    "#d98b3a",
    "#d9b45b",
    "#8a9a5b",
    "#4f7f6b",
    "#3f7f8c",
    "#5b7fa6",
    "#3d4f73",
    "#7c5a7d",
    "#c77f76",
    "#e6d5b0",
    "#8c5a3c",
    "#a8b6a0",
    "#e0a58a",
)
TRIMS = ("#f0e4c8", "#e9d9a6", "#5a463a", "#34424f", "#c9a24a", "#d7dccf")
FURS = (
    "#c97b3c",
    "#e4c79a",
    "#8b8d90",
    "#7a5a43",
    "#4a4547",
    "#ece3d4",
    "#b08a66",
    "#a5633a",
)
SKINS = ("#93975f", "#c7a777", "#a98c78", "#7f9178", "#cf9d80", "#8d8897")
METAL = "#3a3d44"
BRASS = "#c9a04a"
WOODS = ("#8a6243", "#6d4d37", "#a67c52", "#7f6a58")
STONES = ("#8f8b84", "#a39a8c", "#787c82", "#b3a894")


@cache
def rgb(code: str) -> Colour:
    """ "#rrggbb" as float32 RGB 0..1."""
    colour = np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)
    colour.setflags(write=False)
    return colour


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second in the first."""
    return (first + (second - first) * np.float32(share)).astype(np.float32)


def pick(rng: np.random.Generator, codes: tuple[str, ...], spread: float = 0.05) -> Colour:
    """One of the colours, a little lighter or darker, warmer or cooler each time."""
    colour = rgb(codes[int(rng.integers(len(codes)))])
    shift = rng.normal(0, spread) + rng.normal(0, spread * 0.4, 3)
    return np.clip(colour * (1 + shift), 0.02, 0.98).astype(np.float32)


def paint(rng: np.random.Generator) -> Colour:
    """A body colour; the same for every class."""
    return pick(rng, PAINTS)


def lighter(colour: Colour, share: float) -> Colour:
    """Towards a warm white."""
    return mix(colour, rgb("#fff6e6"), share)


def darker(colour: Colour, share: float) -> Colour:
    """Towards a cool black."""
    return mix(colour, rgb("#1c1f2b"), share)
