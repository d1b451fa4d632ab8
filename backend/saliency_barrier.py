"""How hard each pixel is to reach from the image's border, and how unlike the border it looks.

Both after Zhang et al., Minimum Barrier Salient Object Detection at 80 FPS (ICCV 2015). Maps are
float32 (h,w) in 0..1, of Lab images float32 (h,w,3).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

BORDER_DEPTH = 0.1
SMOOTHING = 50.0


def barrier_map(lab: np.ndarray) -> NDArray[np.float32]:
    """The barrier distance and the border contrast of an image together, specks and holes removed.

    Source: Zhang et al., section 4.
    """
    together = stretch(barrier_distance(lab)) + border_contrast(lab)
    return stretch(smooth(stretch(together)))


def stretch(values: np.ndarray) -> NDArray[np.float32]:
    """Values moved to 0..1; zeros where they are all alike."""
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6:
        return np.zeros(values.shape, np.float32)
    return ((values - low) / (high - low)).astype(np.float32)


def barrier_distance(lab: np.ndarray, rounds: int = 2) -> NDArray[np.float32]:
    """The minimum barrier distance to the border, a sum over the three channels, not stretched.

    The barrier of a path is its highest value less its lowest. Source: Zhang et al., Eq. 2-5; the
    raster scan becomes four sweeps a round, each a whole row or column at a time.
    """
    distance = np.full(lab.shape, np.inf, np.float32)
    distance[[0, -1]] = 0
    distance[:, [0, -1]] = 0
    planes = [distance, lab.copy(), lab.copy(), lab]
    for _ in range(2 * rounds):
        sweep(*planes)
        sweep(*(plane[::-1] for plane in planes))
        planes = [np.ascontiguousarray(plane.swapaxes(0, 1)) for plane in planes]
    return planes[0].sum(axis=2)


def sweep(distance: np.ndarray, high: np.ndarray, low: np.ndarray, values: np.ndarray) -> None:
    """Each row takes over the paths of the row before, in place, where their barrier is lower."""
    for row in range(1, len(distance)):
        top = np.maximum(high[row - 1], values[row])
        bottom = np.minimum(low[row - 1], values[row])
        barrier = top - bottom
        lower = barrier < distance[row]
        np.copyto(distance[row], barrier, where=lower)
        np.copyto(high[row], top, where=lower)
        np.copyto(low[row], bottom, where=lower)


def border_contrast(lab: np.ndarray) -> NDArray[np.float32]:
    """How unlike the border each pixel is: its Mahalanobis distance to the colours of three sides.

    Each side's distances are divided by their maximum; at every pixel the most unlike side is left
    out, since an object may touch it. Source: Zhang et al., Eq. 9-10.
    """
    height, width = lab.shape[:2]
    depth = max(1, round(min(height, width) * BORDER_DEPTH))
    sides = []
    for side in (lab[:depth], lab[-depth:], lab[:, :depth], lab[:, -depth:]):
        colours = side.reshape(-1, 3).astype(np.float64)
        # One Lab unit of noise in each channel keeps the inverse finite where a side is flat.
        spread = np.cov(colours.T) + np.eye(3)
        away = lab.reshape(-1, 3) - colours.mean(axis=0)
        squared = np.einsum("ij,jk,ik->i", away, np.linalg.inv(spread), away)
        distance = np.sqrt(np.maximum(squared, 0)).reshape(height, width)
        sides.append(distance / max(float(distance.max()), 1e-6))
    return stretch(np.sum(sides, axis=0) - np.max(sides, axis=0))


def smooth(values: np.ndarray) -> NDArray[np.float32]:
    """Opening and closing by reconstruction: small specks and holes go, borders stay where they
    are.

    The reach grows with the share of the image that is salient. Source: Zhang et al., section 4.3.
    """
    share = float(np.sqrt(values.mean()))
    reach = max(1, round(SMOOTHING / 2 * share * values.shape[1] / 300))
    brush = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * reach + 1, 2 * reach + 1))
    opened = grow(cv2.erode(values, brush), values)
    return 1 - grow(1 - cv2.dilate(opened, brush), 1 - opened)


def grow(marker: np.ndarray, limit: np.ndarray) -> NDArray[np.float32]:
    """Dilates a marker under a limit until it stops growing (morphological reconstruction)."""
    brush = np.ones((3, 3), np.uint8)
    for _ in range(sum(marker.shape)):
        grown = np.minimum(cv2.dilate(marker, brush), limit)
        if float(np.abs(grown - marker).max()) < 1e-3:
            break
        marker = grown
    return marker
