"""Grow to edge: one class of a drawn mask drawn to the photograph's edges by the dense CRF."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.errors import DataError
from backend.labels import BACKGROUND, IGNORE
from backend.maps.crf import CrfParameters
from backend.refinement import LARGEST_FOR_CRF

Refine = Callable[[NDArray[np.uint8], NDArray[np.float32], CrfParameters], NDArray[np.float32]]

# The bilateral term joins over a short way: a snap is about an edge nearby, not about the scene.
PARAMETERS = CrfParameters(10.0, 20.0, 8.0, 3.0, 2.0, 8)
SMALLEST_REACH, LARGEST_REACH = 1, 200
# How sure a pixel at the drawn border and one at the reach's end are of what was drawn there:
# within the class more than outside it, for it is there to grow.
_INSIDE, _OUTSIDE = (0.6, 0.99), (0.5, 0.9)
# A class that is thinner than the reach keeps its core: the part this deep, of its deepest.
_CORE = 0.6
# How much is looked at beyond the reach, in reaches: the colours on both sides of the edge.
_CONTEXT = 3


def grow_to_edge(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    class_id: int,
    reach: int,
    refine: Refine,
) -> NDArray[np.uint8]:
    """Labels whose class `class_id` ends where the photograph has an edge nearby.

    image uint8 (H,W,3), labels uint8 (H,W) of 0, class ids and 255 -> uint8 (H,W). Only pixels
    at most `reach` from the drawn border of the class change, and only into it or out of it; what
    leaves it becomes the label that the CRF finds there. `refine` is CrfPool.refine or what
    answers like it. Raises DataError where the class is not in the labels or the reach is none.
    """
    if not SMALLEST_REACH <= reach <= LARGEST_REACH:
        raise DataError(
            f"The reach of a snap is {SMALLEST_REACH} to {LARGEST_REACH} pixels, not {reach}."
        )
    own = labels == class_id
    if not own.any():
        raise DataError(
            "None of this class is in view, so there is no border to grow from. Paint some of it "
            "first, or move to where it is."
        )
    part = _around(own, _CONTEXT * reach + 8)
    grown = labels.copy()
    grown[part] = _grown(image[part], labels[part], class_id, reach, refine)
    return grown


def _grown(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    class_id: int,
    reach: int,
    refine: Refine,
) -> NDArray[np.uint8]:
    own = labels == class_id
    away = _from_border(own)
    band = away <= reach
    others = [int(id) for id in np.unique(labels) if id not in (class_id, IGNORE)] or [BACKGROUND]
    ids = np.array([*others, class_id], np.uint8)
    if own.all():
        return labels
    small, unary = _smaller(image, _probabilities(labels, _depth(away, own, reach), ids))
    refined = refine(small, unary, PARAMETERS)
    height, width = labels.shape
    whole = [cv2.resize(each, (width, height)) for each in refined]
    found = ids[np.argmax(whole, axis=0)]
    # Single pixels of noise in the photograph are no part of an edge.
    inside = cv2.medianBlur((found == class_id).astype(np.uint8), 5) > 0
    changed = band & (inside != own)
    elsewhere = np.where(found == class_id, _nearest_other(labels, ids[:-1]), found)
    found = np.where(inside, class_id, elsewhere)
    return np.where(changed, found, labels).astype(np.uint8)


def _probabilities(
    labels: NDArray[np.uint8], away: NDArray[np.float32], ids: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """How likely each pixel is of each label, the grown class last; `away` in reaches.

    What was drawn counts for more the farther it is from the border, and for nearly all beyond the
    reach. The doubt is between the grown class and what is drawn beside it.
    """
    own = labels == ids[-1]
    least, most = (np.where(own, *ends) for ends in zip(_INSIDE, _OUTSIDE, strict=True))
    sure = np.where(away <= 1, least + (most - least) * away, 0.999).astype(np.float32)
    stack = np.full((len(ids), *labels.shape), 1e-4, np.float32)
    nearest = _nearest_other(labels, ids[:-1])
    for place, id in enumerate(ids[:-1]):
        here = nearest == id
        stack[place][here] = np.where(own[here], 1 - sure[here], sure[here])
    stack[-1] = np.where(own, sure, 1 - sure)
    # An ignored pixel says nothing against the class.
    ignored = (labels == IGNORE) & (away <= 1)
    stack[-1][ignored] = 0.5
    return stack


def _nearest_other(labels: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At every pixel the nearest of the other labels, its own where it has one."""
    if len(others) == 1:
        return np.full(labels.shape, others[0], np.uint8)
    away = [cv2.distanceTransform((labels != id).astype(np.uint8), cv2.DIST_L2, 3) for id in others]
    return others[np.argmin(away, axis=0)]


def _from_border(own: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How far each pixel is from the nearest one on the other side of the border."""
    inside = cv2.distanceTransform(own.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(np.maximum(inside, outside), np.float32)


def _depth(away: NDArray[np.float32], own: NDArray[np.bool_], reach: int) -> NDArray[np.float32]:
    """How far from the border, in reaches; within the class no more of them than to its core."""
    inside = min(float(reach), _CORE * float(away[own].max()))
    return (away / np.where(own, inside, reach)).astype(np.float32)


def _smaller(
    image: NDArray[np.uint8], stack: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Both at a size that the CRF answers for in a moment."""
    height, width = image.shape[:2]
    scale = LARGEST_FOR_CRF / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(image), stack
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    maps = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in stack]
    return np.asarray(small, np.uint8), np.stack(maps).astype(np.float32)


def _around(region: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """The rows and columns of a region's box, with a margin."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )
