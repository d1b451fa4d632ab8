"""How good saliency maps are over a set of images: mean absolute error, F- and S-measure."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BETA_SQUARED = 0.3
LEVELS = 256
IGNORE = 255


@dataclass
class SaliencyScores:
    """Sums over images; `add` one after the other, then `result`.

    F is taken at every level of 255 from precision and recall averaged over the images, and its
    maximum counts (Achanta et al., CVPR 2009, beta^2 = 0.3). An image with nothing salient in it
    has neither and counts for the other two measures alone.
    """

    images: int = 0
    error: float = 0.0
    structure: float = 0.0
    with_object: int = 0
    precision: NDArray[np.float64] = field(default_factory=lambda: np.zeros(LEVELS))
    recall: NDArray[np.float64] = field(default_factory=lambda: np.zeros(LEVELS))

    def add(self, heat: np.ndarray, truth: np.ndarray) -> None:
        """One image: heat float (H,W) in 0..1, truth (H,W) of 0 and 1 (or bool), 255 ignored.

        An ignored pixel is left out of error and F; for S, which compares shapes, it is background
        in both. Raises ValueError for shapes that differ.
        """
        if heat.shape != truth.shape or heat.ndim != 2:
            raise ValueError(
                f"A map and its truth have one shape (H,W), not {heat.shape} and {truth.shape}."
            )
        known = truth != IGNORE
        salient = known & (truth != 0)
        heat = np.where(known, heat, 0.0)
        if not known.any():
            return
        self.images += 1
        self.error += mean_absolute_error(heat[known], salient[known])
        self.structure += s_measure(heat, salient)
        if salient.any():
            self.with_object += 1
            precision, recall = precision_recall(heat[known], salient[known])
            self.precision += precision
            self.recall += recall

    def result(self) -> dict[str, float]:
        """{"mae", "max_f", "max_f_at", "s_measure", "images"}, 0..1; {} without an image.

        max_f_at is the level, 0..1, from which on a pixel is salient. max_f is absent where no
        image has anything salient.
        """
        if not self.images:
            return {}
        told = {
            "mae": self.error / self.images,
            "s_measure": self.structure / self.images,
            "images": float(self.images),
        }
        if self.with_object:
            scores = f_curve(self.precision / self.with_object, self.recall / self.with_object)
            best = int(scores.argmax())
            told |= {"max_f": float(scores[best]), "max_f_at": 1 - best / (LEVELS - 1)}
        return told


def mean_absolute_error(heat: np.ndarray, truth: np.ndarray) -> float:
    """The mean of |heat - truth| over the pixels; heat in 0..1, truth bool of its shape."""
    return float(np.abs(heat.astype(np.float64) - truth).mean())


def precision_recall(heat: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of `heat >= level` for the levels 255 down to 0 of 255.

    A level that no pixel reaches has the precision 0, as in the usual evaluation code.
    """
    levels = np.rint(heat * (LEVELS - 1)).astype(int)
    hits = np.bincount(levels[truth], minlength=LEVELS)[::-1].cumsum()
    misses = np.bincount(levels[~truth], minlength=LEVELS)[::-1].cumsum()
    return hits / np.maximum(hits + misses, 1), hits / max(int(truth.sum()), 1)


def f_curve(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    """F with beta^2 = 0.3 at every level, from precision and recall averaged over the images."""
    down = BETA_SQUARED * precision + recall
    return (1 + BETA_SQUARED) * precision * recall / np.maximum(down, 1e-9)


def s_measure(heat: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity, half object-wise and half region-wise (Fan et al., ICCV 2017).

    heat (H,W) in 0..1, truth bool (H,W) -> 0..1.
    """
    share = float(truth.mean())
    if share in (0.0, 1.0):
        return float(heat.mean() if share else 1 - heat.mean())

    def likeness(values: np.ndarray) -> float:
        mean = float(values.mean())
        return 2 * mean / (mean**2 + 1 + float(values.std()) + 1e-9)

    by_object = share * likeness(heat[truth]) + (1 - share) * likeness(1 - heat[~truth])
    rows, columns = np.nonzero(truth)
    y, x = round(float(rows.mean())) + 1, round(float(columns.mean())) + 1
    by_region = 0.0
    for part in (np.s_[:y, :x], np.s_[:y, x:], np.s_[y:, :x], np.s_[y:, x:]):
        if heat[part].size:
            by_region += heat[part].size / heat.size * similarity(heat[part], truth[part])
    return max(0.0, 0.5 * by_object + 0.5 * by_region)


def similarity(heat: np.ndarray, truth: np.ndarray) -> float:
    """SSIM of one block, without its constants."""
    one, other = heat.astype(np.float64).ravel(), truth.astype(np.float64).ravel()
    means = one.mean() * other.mean()
    degrees = max(one.size - 1, 1)
    one_apart, other_apart = _from_mean(one), _from_mean(other)
    covariance = float((one_apart * other_apart).sum() / degrees)
    variances = float(((one_apart**2).sum() + (other_apart**2).sum()) / degrees)
    above = 4 * means * covariance
    below = (one.mean() ** 2 + other.mean() ** 2) * variances
    if above:
        return above / (below + 1e-9)
    return 1.0 if below == 0 else 0.0


def _from_mean(values: np.ndarray) -> np.ndarray:
    """How far each value is from their mean; exactly 0 where all are one, whatever is rounded."""
    middle = values[0] if values.min() == values.max() else values.mean()
    return np.asarray(values - middle)
