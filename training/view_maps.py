"""Maps of a sample, put back where the sample was cut from its image, and cut out of it again."""

import cv2
import numpy as np

from training.views import View


def put_back(heat: np.ndarray, view: View, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A sample's maps in their place in the whole image.

    heat float32 (K,h,w) of a view -> float32 (K,*grid), zero outside, and bool `grid`: the cells
    whose centre the view shows. A mirrored view is turned back.
    """
    rows, columns = grid
    y = ((np.arange(rows) + 0.5) / rows - view.top) / view.height
    x = ((np.arange(columns) + 0.5) / columns - view.left) / view.width
    seen = ((y >= 0) & (y <= 1))[:, None] & ((x >= 0) & (x <= 1))[None, :]
    placed = _sampled(heat, y, 1 - x if view.flip else x)
    return np.where(seen, placed, np.float32(0)), seen


def cut_out(heat: np.ndarray, view: View, size: tuple[int, int]) -> np.ndarray:
    """Maps of a whole image as a view shows them: float32 (K,H,W) -> (K,*size), zero in padding."""
    rows, columns = size
    y = view.top + (np.arange(rows) + 0.5) / rows * view.height
    x = (np.arange(columns) + 0.5) / columns
    x = view.left + (1 - x if view.flip else x) * view.width
    inside = ((y >= 0) & (y <= 1))[:, None] & ((x >= 0) & (x <= 1))[None, :]
    return np.where(inside, _sampled(heat, y, x), np.float32(0))


def _sampled(heat: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bilinear values at rows y and columns x, in parts of the map's height and width."""
    height, width = heat.shape[1:]
    across, down = np.meshgrid(
        (x * width - 0.5).astype(np.float32), (y * height - 0.5).astype(np.float32)
    )
    sampled = np.empty((len(heat), len(y), len(x)), np.float32)
    for one, target in zip(heat, sampled, strict=True):
        cv2.remap(
            np.ascontiguousarray(one, np.float32),
            across,
            down,
            cv2.INTER_LINEAR,
            dst=target,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return sampled
