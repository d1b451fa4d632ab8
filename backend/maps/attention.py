"""From a network's class scores to attention maps in 0..1, at the size wanted."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays


def normalise(scores: ArrayLike, how: Literal["max", "minmax"] = "max") -> NDArray[np.float32]:
    """Attention maps from raw class scores, each brought to 0..1 by itself.

    scores (K,H,W) of any range -> float32 (K,H,W) in 0..1. Negative scores become 0 first; then
    each map is divided by its maximum, or for "minmax" its minimum goes to 0 and its maximum to 1.
    A map without a positive score, and for "minmax" a constant one, becomes all zeros.
    Raises ValueError for another shape, NaN or another `how`.
    Source: OAA Eq. 2 ("max"); DCSP, SeeNet's and ECS-Net's per-class normalisation ("minmax").
    """
    if how not in ("max", "minmax"):
        raise ValueError(f"how must be 'max' or 'minmax', but is {how!r}.")
    positive = np.maximum(arrays.stack(scores, "scores"), 0)
    if how == "minmax":
        positive = positive - positive.min(axis=(1, 2), keepdims=True)
    peak = positive.max(axis=(1, 2), keepdims=True)
    # Divided, not multiplied by the inverse: the quotient of x <= peak never rounds above 1.
    return (positive / np.where(peak > 0, peak, 1)).astype(np.float32, copy=False)


def resize(maps: ArrayLike, size: tuple[int, int]) -> NDArray[np.float32]:
    """Maps at another size, bilinearly (pixel centres aligned at half pixels).

    maps (K,h,w) -> float32 (K,H,W), where size is (H, W); no value leaves its map's own range.
    Raises ValueError for another shape, NaN or an empty size.
    """
    source = arrays.stack(maps, "maps").astype(np.float32, copy=False)
    height, width = (int(side) for side in size)
    if height < 1 or width < 1:
        raise ValueError(f"size must be (height, width) of at least one pixel, but is {size}.")
    if source.shape[1:] == (height, width):
        return source.copy()
    target = np.empty((len(source), height, width), dtype=np.float32)
    for small, large in zip(source, target, strict=True):
        cv2.resize(small, (width, height), dst=large, interpolation=cv2.INTER_LINEAR)
        np.clip(large, small.min(), small.max(), out=large)
    return target


def flip_fuse(attention: ArrayLike, of_flipped: ArrayLike) -> NDArray[np.float32]:
    """The maximum of an image's attention and that of its mirror image, turned back.

    Both (K,H,W) in 0..1; `of_flipped` is what the network gave for the image mirrored left to
    right. Raises ValueError where the shapes differ. Source: SeeNet, section 3.3 (M_final).
    """
    own = arrays.heat_stack(attention, "attention")
    mirrored = arrays.heat_stack(of_flipped, "of_flipped")
    arrays.require_shape(mirrored, "of_flipped", own.shape)
    return np.maximum(own, mirrored[:, :, ::-1])
