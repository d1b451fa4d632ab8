"""How much a mask's bounding box looks as if it held a whole object: F(B) of SAL's Eq. 3.

The paper takes BING's. These two are the cheap cues of Alexe, Deselaers and Ferrari, Measuring the
Objectness of Image Windows (PAMI 2012): they need no training and a millisecond.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays

OfMask = Callable[[NDArray[np.bool_]], float]

NONE, EDGES, CONTRAST = "none", "edges", "contrast"
NAMES = (NONE, EDGES, CONTRAST)

# Canny's thresholds, of 255.
CANNY = (100, 200)
# The ring at a box's border, inside or outside, as a part of the box's sides.
INNER, OUTER = 0.25, 0.5
# Levels of each channel of a histogram of colours.
LEVELS = 4


class Box(NamedTuple):
    """Rows top to bottom and columns left to right, the last ones not included."""

    top: int
    bottom: int
    left: int
    right: int


def objectness(name: str, image: ArrayLike) -> OfMask:
    """The objectness of any mask of an image uint8 (H,W,3): bool (H,W) to 0..1, 0 for an empty one.

    "none": 1 whatever the mask. "edges": of the pixels that an outline along the box would take,
    the part that edges (Canny's) in its inner border ring amount to: 1 for a box with a whole
    outline in it, less where the box cuts through an object or holds plain ground. "contrast": how
    much the box's colours differ from those around it, as the chi-square distance of two histograms
    of Lab colours; 0 where nothing is around it. Raises ValueError.
    """
    if name == NONE:
        return lambda mask: 1.0 if np.asarray(mask).any() else 0.0
    photograph = arrays.photograph(image)
    if name == EDGES:
        edges = cv2.Canny(cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY), *CANNY) > 0
        return lambda mask: edge_density(mask, edges)
    if name == CONTRAST:
        colours = _colours(photograph)
        return lambda mask: colour_contrast(mask, colours)
    raise ValueError(f"objectness must be one of {', '.join(NAMES)}, but is {name!r}.")


def edge_density(mask: NDArray[np.bool_], edges: NDArray[np.bool_]) -> float:
    """Edge pixels bool (H,W) in the inner ring of a mask's box, over the box's perimeter; 0..1."""
    box = bounding_box(mask)
    if box is None:
        return 0.0
    height, width = box.bottom - box.top, box.right - box.left
    down, across = round(INNER * height), round(INNER * width)
    core = Box(box.top + down, box.bottom - down, box.left + across, box.right - across)
    found = _count(edges, box) - (_count(edges, core) if down and across else 0)
    return min(1.0, found / (2 * (height + width)))


def colour_contrast(mask: NDArray[np.bool_], colours: NDArray[np.intp]) -> float:
    """The chi-square distance, 0..1, of the colours (H,W) within a mask's box and around it."""
    box = bounding_box(mask)
    if box is None:
        return 0.0
    down = max(1, round(OUTER * (box.bottom - box.top)))
    across = max(1, round(OUTER * (box.right - box.left)))
    height, width = colours.shape
    large = Box(
        max(0, box.top - down),
        min(height, box.bottom + down),
        max(0, box.left - across),
        min(width, box.right + across),
    )
    inside = _histogram(colours, box)
    around = _histogram(colours, large) - inside
    if not around.sum():
        return 0.0
    one, two = inside / inside.sum(), around / around.sum()
    both = one + two
    return float(((one - two)[both > 0] ** 2 / both[both > 0]).sum() / 2)


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """The smallest box around the pixels of a mask; None where there is none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def _colours(image: NDArray[np.uint8]) -> NDArray[np.intp]:
    """The bin of each pixel's Lab colour."""
    levels = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.intp) * LEVELS // 256
    return (levels[..., 0] * LEVELS + levels[..., 1]) * LEVELS + levels[..., 2]


def _histogram(colours: NDArray[np.intp], box: Box) -> NDArray[np.intp]:
    part = colours[box.top : box.bottom, box.left : box.right]
    return np.bincount(part.ravel(), minlength=LEVELS**3)


def _count(edges: NDArray[np.bool_], box: Box) -> int:
    return int(np.count_nonzero(edges[box.top : box.bottom, box.left : box.right]))
