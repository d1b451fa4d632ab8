"""How far two people agree: verdicts corrected for chance, masks by their overlap."""

from collections.abc import Mapping

import numpy as np

from backend.labels import BACKGROUND, IGNORE


def cohen_kappa(table: Mapping[tuple[bool, bool], int]) -> float | None:
    """Cohen's kappa (1960) of two raters' yes and no: 1 complete, 0 as by chance, below 0 worse.

    `table[first, second]` counts what both judged. None where it is not defined: nothing was
    judged by both, or both only ever said the same one thing, so that chance explains all of it.
    """
    count = sum(table.values())
    if not count:
        return None
    both, first, second, neither = (
        table.get(answers, 0)
        for answers in ((True, True), (True, False), (False, True), (False, False))
    )
    # In whole numbers, each count² times too large, so that agreement as by chance is exactly 0.
    observed = count * (both + neither)
    by_chance = (both + first) * (both + second) + (second + neither) * (first + neither)
    if by_chance == count * count:
        return None
    return (observed - by_chance) / (count * count - by_chance)


def class_ious(first: np.ndarray, second: np.ndarray) -> dict[int, float]:
    """The IoU, 0..1, of each class that either of two label maps (uint8, one shape) has.

    Background is no class here, and a pixel that either of them ignores (255) is not counted; a
    class that has no other pixels is left out.
    """
    if first.shape != second.shape:
        raise ValueError(f"two masks of one image have one shape, not {first.shape} {second.shape}")
    counted = (first != IGNORE) & (second != IGNORE)
    one = np.bincount(first[counted], minlength=256)
    other = np.bincount(second[counted], minlength=256)
    common = np.bincount(first[counted & (first == second)], minlength=256)
    union = one + other - common
    return {
        int(id): float(common[id] / union[id])
        for id in np.flatnonzero(union)
        if id not in (BACKGROUND, IGNORE)
    }
