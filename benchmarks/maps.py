"""How long the maps of one image take, from raw scores to labels, the CRF and the evaluation.

    python -m benchmarks.maps [--width 500] [--height 375] [--tags 3]

Prints milliseconds, the median of several runs, on smooth random maps of the given size; the
pool's CRF also as a ratio to the same CRF called in this process.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from backend.maps import attention, crf, fusion, scoring, zones
from backend.refinement import CrfPool
from training.evaluation import threshold_sweep


def main() -> None:
    """Measures every step and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--height", type=int, default=375)
    parser.add_argument("--tags", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    size = (options.height, options.width)
    rng = np.random.default_rng(options.seed)
    ids = list(range(1, options.tags + 1))
    coarse = rng.normal(size=(options.tags, options.height // 8, options.width // 8))
    scores = attention.resize(coarse, size)
    saliency = attention.normalise(attention.resize(rng.random((1, 6, 8)), size), "minmax")[0]
    image = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), size[::-1])
    maps = attention.normalise(scores)
    labels = fusion.dcsp_labels(maps, saliency, ids)
    reference = saliency > 0.5

    print(f"{options.width} x {options.height}, {options.tags} tags")
    steps: dict[str, Callable[[], object]] = {
        "resize": lambda: attention.resize(coarse, size),
        "attention": lambda: attention.normalise(scores),
        "zones": lambda: zones.ternary_mask(maps),
        "fusion, SeeNet": lambda: fusion.seenet_labels(maps, saliency, ids),
        "fusion, DCSP": lambda: fusion.dcsp_labels(maps, saliency, ids),
        "fusion, OAA": lambda: fusion.oaa_labels(maps, saliency, ids),
        "mask score": lambda: scoring.coarse_score(labels, reference, ids),
    }
    total = sum(line(name, step) for name, step in steps.items())
    print(f"{'all of these':<24} {total:8.2f} ms")
    line("threshold sweep", lambda: threshold_sweep([(coarse.clip(0, 1), ids, labels)], 21))
    if crf.missing():
        print(crf.missing())
        return
    unary = crf.probabilities_from_labels(labels, ids)
    here = line("CRF, this process", lambda: crf.refine(image, unary, crf.PRESETS["dcsp"]), 5)
    with CrfPool() as pool:
        start = time.perf_counter()
        pool.refine(image[:8, :8], unary[:, :8, :8], crf.PRESETS["dcsp"])
        print(f"{'CRF, first use':<24} {1000 * (time.perf_counter() - start):8.2f} ms")
        there = line("CRF, pool", lambda: pool.refine(image, unary, crf.PRESETS["dcsp"]), 5)
    print(f"{'pool / this process':<24} {there / here:8.2f}")


def line(name: str, step: Callable[[], object], runs: int = 15) -> float:
    """Print and return the median milliseconds of a step, after one run that does not count."""
    step()
    took = []
    for _ in range(runs):
        start = time.perf_counter()
        step()
        took.append(1000 * (time.perf_counter() - start))
    median = statistics.median(took)
    print(f"{name:<24} {median:8.2f} ms")
    return median


if __name__ == "__main__":
    main()
