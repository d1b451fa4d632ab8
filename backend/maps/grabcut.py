"""GrabCut as a baseline of refinement: each tag's object is cut out of the image by its colours."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays

HIGH, LOW, ITERATIONS = 0.7, 0.05, 5


def refine(
    image: ArrayLike,
    labels: ArrayLike,
    attention: ArrayLike,
    class_ids: Sequence[int],
    *,
    high: float = HIGH,
    low: float = LOW,
    iterations: int = ITERATIONS,
) -> NDArray[np.uint8]:
    """Labels drawn anew by two colour models a tag, one of the object and one of the rest.

    image uint8 (H,W,3); labels (H,W) of 0, class ids and 255; attention (K,H,W) in 0..1, class_ids
    the K tags -> uint8 (H,W) of 0 and class ids. A tag's sure parts, which the cut cannot change,
    are its own labels where its attention reaches `high`, and everything where its attention stays
    under `low` of 1 or another tag is sure; between them its labels are a first guess, and 255 is
    guessed from the attention. Where two tags are cut out of one place, the larger attention wins.
    A tag without labels, or without anything beside them, stays as it is. The same input gives the
    same labels. Raises ValueError for arrays that do not fit, thresholds outside 0..1 or crossed,
    and less than one iteration.
    Source: Rother, Kolmogorov and Blake 2004, as OpenCV has it; thresholds of SeeNet's zones.
    """
    photograph = arrays.photograph(image)
    size = photograph.shape[:2]
    before = arrays.label_map(labels)
    arrays.require_shape(before, "labels", size)
    maps = arrays.heat_stack(attention, "attention")
    arrays.require_shape(maps[0] if len(maps) else np.empty(size), "each map of attention", size)
    ids = arrays.class_ids(class_ids, len(maps))
    if not 0 <= low <= high <= 1:
        raise ValueError(f"low and high must lie in 0..1 in this order, but are {low} and {high}.")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, but are {iterations}.")

    sure = [(before == id) & (heat >= high) for id, heat in zip(ids, maps, strict=True)]
    anyones = np.logical_or.reduce(sure) if sure else np.zeros(size, bool)
    made = np.zeros(size, np.uint8)
    strongest = np.full(size, -1, np.float32)
    for class_id, heat, certain in zip(ids, maps, sure, strict=True):
        guess = (before == class_id) | ((before == arrays.IGNORE) & (heat >= (low + high) / 2))
        never = (heat < low) | (anyones & ~certain)
        cut = _cut(photograph, guess, certain, never, iterations)
        wins = cut & (heat > strongest)
        made[wins] = class_id
        strongest[wins] = heat[wins]
    return made


def _cut(
    photograph: NDArray[np.uint8],
    guess: NDArray[np.bool_],
    sure: NDArray[np.bool_],
    never: NDArray[np.bool_],
    iterations: int,
) -> NDArray[np.bool_]:
    """One object, bool (H,W); the guess itself where a colour model would have no pixel."""
    inside = (guess & ~never) | sure
    if not inside.any() or inside.all():
        return inside
    mask = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[sure] = cv2.GC_FGD
    mask[never] = cv2.GC_BGD
    models = np.zeros((2, 1, 65))
    # The colour models begin from a random clustering; its seed is this thread's own.
    cv2.setRNGSeed(0)
    # Where a mask is given, the rectangle is not looked at.
    nothing = (0, 0, 1, 1)
    cv2.grabCut(photograph, mask, nothing, models[0], models[1], iterations, cv2.GC_INIT_WITH_MASK)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
