"""How well scores go with what they stand for: two correlations, and the mean truth of each bin."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.atomic import write_whole

CALIBRATION = "calibration.json"
FORMAT = "tagmask-calibration/1"
BINS = 10


def pearson(one: ArrayLike, other: ArrayLike) -> float | None:
    """The linear correlation of two rows of numbers, -1..1; None where one of them is constant."""
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"Two rows of as many numbers are compared, not {first.shape} and {second.shape}."
        )
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    first, second = first - first.mean(), second - second.mean()
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))


def spearman(one: ArrayLike, other: ArrayLike) -> float | None:
    """The correlation of the ranks of two rows of numbers, ties sharing theirs; None as above."""
    return pearson(ranks(one), ranks(other))


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """The place of each number among all, from 0; equal ones share the mean of their places."""
    _, place, count = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    shared: NDArray[np.float64] = (last - (count + 1) / 2)[place]
    return shared


def correlations(scores: Mapping[str, Sequence[float]], truth: Sequence[float]) -> dict[str, float]:
    """{"pearson_NAME", "spearman_NAME"} of each score with the truth, where there is one."""
    found: dict[str, float] = {}
    for name, values in scores.items():
        for kind, measure in (("pearson", pearson), ("spearman", spearman)):
            value = measure(values, truth)
            if value is not None:
                found[f"{kind}_{name}"] = value
    return found


def binned(scores: ArrayLike, truth: ArrayLike, bins: int = BINS) -> list[dict[str, float]]:
    """For each of `bins` equal parts of 0..1 with a score in it: {"from", "to", "count", "score",
    "truth"}, the last two being the means of the scores in it and of what is true of them.
    """
    values, true = np.asarray(scores, np.float64), np.asarray(truth, np.float64)
    place = np.clip((values * bins).astype(int), 0, bins - 1)
    return [
        {
            "from": number / bins,
            "to": (number + 1) / bins,
            "count": int(np.count_nonzero(place == number)),
            "score": float(values[place == number].mean()),
            "truth": float(true[place == number].mean()),
        }
        for number in range(bins)
        if (place == number).any()
    ]


def write_calibration(
    folder: Path, scores: Mapping[str, Sequence[float]], truth: Sequence[float]
) -> None:
    """Writes calibration.json, what a page needs for SAL's Fig. 9: for each score its bins and its
    correlations with the true score, and the true score of every mask beside its scores.
    """
    told: dict[str, Any] = {
        "format": FORMAT,
        "masks": len(truth),
        "scores": {
            name: {"pearson": pearson(values, truth), "spearman": spearman(values, truth),
                   "bins": binned(values, truth)}
            for name, values in scores.items()
        },
        "points": {
            "truth": [round(float(each), 4) for each in truth],
            **{name: [round(float(each), 4) for each in values] for name, values in scores.items()},
        },
    }  # fmt: skip
    write_whole(folder / CALIBRATION, json.dumps(told).encode())
