"""Boundary IoU: the IoU of what lies near the outlines alone, where large objects are not forgiven.

Cheng et al., Boundary IoU (CVPR 2021): of each mask only the pixels within a distance of its
outline count, 2% of the image's diagonal.
"""

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

IGNORE = 255
DISTANCE = 0.02


def boundary_counts(
    prediction: ArrayLike, truth: ArrayLike, classes: int, distance: float = DISTANCE
) -> NDArray[np.int64]:
    """Pixels near the outlines of each class in an image: in both masks, in either, in the truth.

    prediction and truth uint8 (H,W); classes a count, the background included; distance: a part of
    the image's diagonal, at least a pixel -> int64 (3, classes), to be summed over a set. Pixels
    whose truth is 255 belong to no class on either side; a predicted 255 is background. The image's
    border is an outline too, as in the paper's code. Raises ValueError for shapes that differ.
    """
    predicted, true = np.asarray(prediction, np.uint8), np.asarray(truth, np.uint8)
    if predicted.shape != true.shape or true.ndim != 2:
        raise ValueError(
            f"prediction and truth must have one shape (height, width), but have {predicted.shape} "
            f"and {true.shape}."
        )
    predicted = np.where(predicted == IGNORE, 0, predicted)
    predicted[true == IGNORE] = IGNORE
    pixels = max(1, round(distance * math.hypot(*true.shape)))
    counts = np.zeros((3, classes), np.int64)
    held = np.flatnonzero(np.bincount(np.concatenate([predicted.ravel(), true.ravel()])))
    for value in held[held < classes].tolist():
        near = [near_outline(labels == value, pixels) for labels in (predicted, true)]
        counts[0, value] = np.count_nonzero(near[0] & near[1])
        counts[1, value] = np.count_nonzero(near[0] | near[1])
        counts[2, value] = np.count_nonzero(near[1])
    return counts


def near_outline(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """The part of a mask bool (H,W) within so many pixels of its outline, along rows or columns."""
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(framed, np.ones((3, 3), np.uint8), iterations=pixels)[1:-1, 1:-1]
    return mask & (inner == 0)


def boundary_iou(counts: ArrayLike) -> NDArray[np.float64]:
    """Boundary IoU of each class, 0..1, NaN for a class absent from the truth.

    counts (3, classes) as `boundary_counts` gives, summed over a set -> float64 (classes,).
    """
    both, either, true = np.asarray(counts)
    return np.where(true > 0, both / np.maximum(either, 1), np.nan)
