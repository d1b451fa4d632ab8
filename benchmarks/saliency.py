"""The classical saliency detector on photographs: MAE, max F, S-measure and time.

    nice python -m benchmarks.saliency [--data ../shared/data/ecssd] [--half report|tune|all]

DATA holds images/NAME.jpg and masks/NAME.png (0 or 255, white salient). The detector's constants
were chosen on the half `tune` (every other name, from the first); numbers to publish come from the
half `report`. Times are processor time of one thread, over the images at their own size.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from backend.images import read_image
from backend.saliency import classical
from backend.saliency_classical import centre_prior

BETA_SQUARED = 0.3
LEVELS = 256


def centre(image: np.ndarray) -> np.ndarray:
    """The baseline that never looks at the picture."""
    return centre_prior(image.shape)


def detectors() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What is compared; OpenCV's own detectors where its contrib modules are installed."""
    found: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "classical": classical,
        "centre prior": centre,
    }
    if hasattr(cv2, "saliency"):
        for name in ("StaticSaliencyFineGrained", "StaticSaliencySpectralResidual"):
            one = getattr(cv2.saliency, f"{name}_create")()
            found[name] = lambda image, one=one: one.computeSaliency(image)[1].clip(0, 1)
    return found


def f_curve(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    """F with beta^2 = 0.3 at every level, from precision and recall averaged over the images."""
    down = BETA_SQUARED * precision + recall
    return (1 + BETA_SQUARED) * precision * recall / np.maximum(down, 1e-9)


def precision_recall(heat: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of `heat >= level` for the levels 255 down to 0 of 255."""
    levels = np.rint(heat * (LEVELS - 1)).astype(int)
    hits = np.bincount(levels[truth], minlength=LEVELS)[::-1].cumsum()
    misses = np.bincount(levels[~truth], minlength=LEVELS)[::-1].cumsum()
    return hits / np.maximum(hits + misses, 1), hits / max(int(truth.sum()), 1)


def s_measure(heat: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity, half object-wise and half region-wise (Fan et al., ICCV 2017)."""
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
    covariance = float(((one - one.mean()) * (other - other.mean())).sum() / degrees)
    variances = (one.var() + other.var()) * one.size / degrees
    above = 4 * means * covariance
    below = (one.mean() ** 2 + other.mean() ** 2) * variances
    if above:
        return above / (below + 1e-9)
    return 1.0 if below == 0 else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "ecssd"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--half", choices=("report", "tune", "all"), default="report")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted((arguments.data / "images").glob("*.jpg"))
    paths = {"tune": paths[0::2], "report": paths[1::2], "all": paths}[arguments.half]
    if not paths:
        raise SystemExit(f"There are no images/*.jpg in {arguments.data}.")
    print(f"{len(paths)} photographs of {arguments.data.name}, half: {arguments.half}")
    print(f"{'detector':32} {'MAE':>6} {'max F':>6} {'at':>5} {'S':>6} {'ms':>6} {'ms 95%':>7}")
    for name, detect in detectors().items():
        errors, curves, structure, seconds = [], [], [], []
        for path in paths:
            image = read_image(path)
            truth = read_image(arguments.data / "masks" / f"{path.stem}.png")[..., 0] > 127
            start = time.process_time()
            heat = detect(image)
            seconds.append(time.process_time() - start)
            errors.append(float(np.abs(heat - truth).mean()))
            curves.append(precision_recall(heat, truth))
            structure.append(s_measure(heat, truth))
        precision, recall = np.mean(curves, axis=0)
        scores = f_curve(precision, recall)
        best = int(scores.argmax())
        middle, slow = np.percentile(seconds, [50, 95]) * 1000
        print(
            f"{name:32} {np.mean(errors):6.3f} {scores[best]:6.3f} {1 - best / 255:5.2f} "
            f"{np.mean(structure):6.3f} {middle:6.1f} {slow:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
