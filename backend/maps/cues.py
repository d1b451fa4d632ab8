"""Localisation cues: the few cells of an image whose label can be trusted from the start."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays

HIGH, BACKGROUND_PART = 0.2, 0.1


def static_cues(
    attention: ArrayLike,
    saliency: ArrayLike,
    *,
    high: float = HIGH,
    background_part: float = BACKGROUND_PART,
) -> NDArray[np.uint8]:
    """Where each tag and the background are certain to be.

    attention (K,H,W) and saliency (H,W) in 0..1 -> uint8 (H,W): 1..K for the tags in their order, 0
    background, 255 no cue. A tag's region is where its attention is above `high` times its own
    maximum; the background's is the part of the cells with the lowest saliency, all that tie with
    its last one included. A cell of several regions is the smallest one's, a tie the earlier tag's,
    the background's last. A map without attention has no region, nor has the background where
    saliency is the same everywhere. Raises ValueError for maps that do not fit, more than 254 tags
    or a share outside 0..1. Source: SEC's weak localisation.
    """
    maps = arrays.heat_stack(attention, "attention")
    salient = arrays.heat(saliency, "saliency", maps.shape[1:])
    if len(maps) >= arrays.IGNORE:
        raise ValueError(f"An image can have 254 tags, but has {len(maps)}.")
    for name, value in (("high", high), ("background_part", background_part)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in 0..1, but is {value}.")
    regions = {label: heat > high * heat.max() for label, heat in enumerate(maps, start=1)}
    regions[arrays.BACKGROUND] = _lowest(salient, background_part)
    cues = np.full(salient.shape, arrays.IGNORE, np.uint8)
    # The smallest is drawn last, so that the larger ones give way; of equal ones the first named.
    for label in sorted(reversed(regions), key=lambda label: -int(regions[label].sum())):
        cues[regions[label]] = label
    return cues


def _lowest(values: NDArray[np.float32], part: float) -> NDArray[np.bool_]:
    """The part of the cells with the lowest values; none where all are alike."""
    count = round(part * values.size)
    if not count or values.min() == values.max():
        return np.zeros(values.shape, bool)
    return values <= np.partition(values, count - 1, axis=None)[count - 1]
