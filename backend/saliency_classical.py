"""Salient object detection without weights: barrier distance, settled on a graph of regions.

The barrier map says which pixels stand out from the border; regions joined to much border are
background (Zhu et al., Saliency Optimization from Robust Background Detection, CVPR 2014). One
linear system settles both over neighbouring regions of like colour. Measured on ECSSD by
benchmarks/saliency.py, which also says on which half of it the numbers below were chosen.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import spsolve

from backend.errors import SaliencyError
from backend.saliency_barrier import barrier_map, stretch

WORKING_SIDE = 160
REGIONS = 250
GEODESIC_SPREAD = 5.0  # Lab units along a path that still join two regions
BORDER_SPREAD = 1.2  # border length over root area that makes a region background
COLOUR_SPREAD = 10.0  # Lab units between neighbours that still pull on each other
SMOOTHNESS = 0.07  # the pull between neighbours of any colour
BACKGROUND_WEIGHT = 2.0
CENTRE_SPREAD = 0.25  # of the image's side
CONTRAST, MIDDLE = 12.0, 0.35  # of the last sigmoid


def classical(image: np.ndarray) -> NDArray[np.float32]:
    """The saliency of an image uint8 (H,W,3) RGB: float32 (H,W) in 0..1, zeros where it is flat."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise SaliencyError(
            f"Saliency is computed for uint8 (H,W,3) images; this is {image.dtype} {image.shape}."
        )
    height, width = image.shape[:2]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    barrier = barrier_map(lab)
    if not barrier.any():
        return np.zeros((height, width), np.float32)
    regions = segment(small)
    found = stretch(settle(regions, lab, barrier)[regions] * barrier)
    found = 1 / (1 + np.exp(-CONTRAST * (found - MIDDLE)))
    full = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(full, 0, 1, dtype=np.float32)


def segment(image: np.ndarray) -> NDArray[np.intp]:
    """About REGIONS regions that follow the edges, labels 0..n-1: a watershed from a grid."""
    height, width = image.shape[:2]
    step = max(2.0, float(np.sqrt(height * width / REGIONS)))
    rows, columns = max(1, round(height / step)), max(1, round(width / step))
    seeds = np.zeros((height, width), np.int32)
    ys = ((np.arange(rows) + 0.5) * height / rows).astype(int)
    xs = ((np.arange(columns) + 0.5) * width / columns).astype(int)
    seeds[np.ix_(ys, xs)] = np.arange(1, rows * columns + 1).reshape(rows, columns)
    cv2.watershed(cv2.GaussianBlur(image, (0, 0), 1.0), seeds)
    # The watershed leaves lines between regions; each pixel of them joins the nearest region.
    lines = (seeds <= 0).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        lines, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    inside = seeds > 0
    label_of = np.zeros(int(nearest.max()) + 1, np.int32)
    label_of[nearest[inside]] = seeds[inside]
    _, regions = np.unique(label_of[nearest], return_inverse=True)
    return regions.reshape(height, width)


def settle(regions: np.ndarray, lab: np.ndarray, barrier: np.ndarray) -> NDArray[np.float32]:
    """The saliency of each region, (n,) in 0..1: barrier and background agreed over neighbours.

    Minimises sum bg s^2 + sum fg (s - 1)^2 + sum w (s_i - s_j)^2. Source: Zhu et al., Eq. 9.
    """
    count = np.bincount(regions.ravel())
    channels = [*np.moveaxis(lab, 2, 0), barrier * centre_prior(barrier.shape)]
    means = np.stack([np.bincount(regions.ravel(), c.ravel()) / count for c in channels], axis=1)
    colours, salient = means[:, :3], stretch(means[:, 3])
    apart = np.sqrt(((colours[:, None] - colours[None]) ** 2).sum(axis=2))
    touching, border = neighbours(regions)
    background = BACKGROUND_WEIGHT * border_probability(apart, touching, border)
    # Sparse, since dense algebra this small spends more on waking BLAS threads than on work.
    reach = csr_matrix(touching, dtype=np.float32)
    near = touching | (reach @ reach).astype(bool).toarray() | np.outer(border, border)
    np.fill_diagonal(near, False)
    pull = np.where(near, np.exp(-(apart**2) / (2 * COLOUR_SPREAD**2)) + SMOOTHNESS, 0)
    system = np.diag(pull.sum(axis=1) + background + salient) - pull
    return stretch(spsolve(csc_matrix(system), salient))


def neighbours(regions: np.ndarray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which regions touch, (n,n), corners included, and which lie at the image's border, (n,)."""
    n = int(regions.max()) + 1
    touching = np.zeros((n, n), bool)
    for one, other in (
        (regions[1:], regions[:-1]),
        (regions[:, 1:], regions[:, :-1]),
        (regions[1:, 1:], regions[:-1, :-1]),
        (regions[1:, :-1], regions[:-1, 1:]),
    ):
        touching[one.ravel(), other.ravel()] = True
    touching |= touching.T
    np.fill_diagonal(touching, False)
    border = np.zeros(n, bool)
    for side in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
        border[side] = True
    return touching, border


def border_probability(
    apart: np.ndarray, touching: np.ndarray, border: np.ndarray
) -> NDArray[np.float64]:
    """How surely each region is background, (n,) in 0..1: the border it joins, for its size.

    Source: Zhu et al., Eq. 3-6; steps below the usual difference of neighbours cost nothing.
    """
    linked = touching | np.outer(border, border)
    np.fill_diagonal(linked, False)
    usual = np.where(touching, apart, np.inf).min(axis=1)
    usual_step = float(usual[np.isfinite(usual)].mean()) if np.isfinite(usual).any() else 0.0
    # A sparse graph has no edges of length zero, so a free step costs next to nothing.
    steps = np.where(linked, np.maximum(apart - usual_step, 0) + 1e-6, 0)
    distance = dijkstra(csr_matrix(steps), directed=False)
    joined = np.exp(-(distance**2) / (2 * GEODESIC_SPREAD**2))
    connectivity = joined[:, border].sum(axis=1) / np.sqrt(joined.sum(axis=1))
    return 1 - np.exp(-(connectivity**2) / (2 * BORDER_SPREAD**2))


def centre_prior(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A Gaussian around the middle of an image of this shape, float32 (h,w), 1 at its peak."""
    rows = (np.arange(shape[0]) + 0.5) / shape[0] - 0.5
    columns = (np.arange(shape[1]) + 0.5) / shape[1] - 0.5
    squared = rows[:, None] ** 2 + columns[None] ** 2
    return np.exp(-squared / (2 * CENTRE_SPREAD**2)).astype(np.float32)
