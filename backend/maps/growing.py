"""Seeded region growing: cues spread over what the network is sure of and they touch."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays

FOREGROUND, BACKGROUND = 0.85, 0.99


def grow(
    cues: ArrayLike,
    probabilities: ArrayLike,
    *,
    foreground: float = FOREGROUND,
    background: float = BACKGROUND,
) -> NDArray[np.uint8]:
    """The cues with the regions that they grow into.

    cues (H,W) of 0 background, 1..K tags and 255 none; probabilities (K+1,H,W) of these labels in
    0..1 -> uint8 (H,W) as the cues. A cell is a candidate of its most probable label where that is
    more probable than `foreground`, for label 0 `background`, and it is no cue of another. Of the
    candidates of a label, those components join it that hold a cue of it; a corner is enough to
    touch. Cues never change, and to grow again changes nothing. Raises ValueError for arrays that
    do not fit, a cue that is no label, or a threshold outside 0..1. Source: DSRG, section 3.2.
    """
    stack = arrays.heat_stack(probabilities, "probabilities")
    seeds = arrays.label_map(cues, "cues")
    arrays.require_shape(seeds, "cues", stack.shape[1:])
    for name, value in (("foreground", foreground), ("background", background)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in 0..1, but is {value}.")
    present = set(np.unique(seeds).tolist()) - {arrays.IGNORE}
    strangers = sorted(present - set(range(len(stack))))
    if strangers:
        raise ValueError(
            f"cues hold the labels {strangers}, but there are probabilities of {len(stack)} labels."
        )
    best = stack.argmax(axis=0)
    thresholds = np.full(len(stack), foreground, np.float32)
    thresholds[0] = background
    sure = stack.max(axis=0) > thresholds[best]
    grown = seeds.astype(np.uint8)
    for label in sorted(present):
        own = seeds == label
        candidates = sure & (best == label) & (own | (seeds == arrays.IGNORE))
        count, components = cv2.connectedComponents(candidates.astype(np.uint8), connectivity=8)
        joins = np.zeros(count, bool)
        joins[components[own]] = True
        joins[0] = False  # what is no candidate
        grown[joins[components]] = label
    return grown
