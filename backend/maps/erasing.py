"""Taking what was found out of the image, so that the next look finds more."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays


class SaliencyStep(NamedTuple):
    """One look at the image: what the detector saw, what it said, and all that was said so far."""

    erased: NDArray[np.uint8]
    raw: NDArray[np.float32]
    merged: NDArray[np.float32]


def hierarchical_saliency(
    image: ArrayLike,
    detect: Callable[[NDArray[np.uint8]], ArrayLike],
    thresholds: Sequence[float] = (0.7, 0.8),
    fill: Sequence[float] | None = None,
) -> list[SaliencyStep]:
    """Saliency that goes on to the next object after erasing the one it found.

    image uint8 (H,W,3); `detect` maps such an image to saliency (H,W) in 0..1. Before each look
    after the first, the pixels whose merged saliency is above the threshold are filled with `fill`
    (three numbers 0..255, the data set's mean colour; without one, the image's own), on top of
    what was erased before; merged is the maximum of all looks. One step more than thresholds.
    Raises ValueError for a bad image, threshold or colour, or where the detector's map does not
    fit. Source: DCSP, section 4.2 and its implementation details.
    """
    seen = arrays.photograph(image).copy()
    if any(not 0 <= threshold <= 1 for threshold in thresholds):
        raise ValueError(f"thresholds must lie in 0..1, but are {list(thresholds)}.")
    colour = _colour(fill, seen)
    merged = np.zeros(seen.shape[:2], dtype=np.float32)
    steps = []
    for threshold in (None, *thresholds):
        if threshold is not None:
            seen = seen.copy()
            seen[merged > threshold] = colour
        raw = arrays.heat(detect(seen), "the saliency from detect", seen.shape[:2])
        merged = np.maximum(merged, raw)
        steps.append(SaliencyStep(seen, raw, merged))
    return steps


def blur_region(image: ArrayLike, region: ArrayLike, sigma: float) -> NDArray[np.uint8]:
    """The image with one region blurred, the softer way of erasing it.

    image uint8 (H,W,3), region bool (H,W), sigma of the Gaussian in pixels (0 blurs nothing) ->
    uint8 (H,W,3). The whole image is blurred and the region cut from that, so colours run in over
    its border; pixels outside keep their values. Raises ValueError for shapes that do not
    fit, a region that is not boolean or a negative sigma. Source: ECS-Net, the step between its
    Eq. 2 and Eq. 3.
    """
    photograph = arrays.photograph(image)
    inside = np.asarray(region)
    if inside.dtype != np.bool_:
        raise ValueError(f"region must be boolean, but is {inside.dtype}; compare it first.")
    arrays.require_shape(inside, "region", photograph.shape[:2])
    if not (0 <= sigma < np.inf):
        raise ValueError(f"sigma must be a number of pixels of at least 0, but is {sigma}.")
    if sigma == 0 or not inside.any():
        return photograph.copy()
    blurred = cv2.GaussianBlur(photograph, (0, 0), sigmaX=float(sigma))
    return np.where(inside[:, :, None], blurred, photograph)


def _colour(fill: Sequence[float] | None, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colour = image.mean(axis=(0, 1)) if fill is None else arrays.numbers(fill, "fill")
    if colour.shape != (3,) or colour.min() < 0 or colour.max() > 255:
        raise ValueError(f"fill must be three numbers in 0..255, but is {fill}.")
    return np.rint(colour).astype(np.uint8)
