"""Attention gathered over the passes of training, and which passes may add to it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays


def fuse(
    previous: ArrayLike | None,
    new: ArrayLike,
    t: int,
    how: Literal["max", "mean"] = "max",
) -> NDArray[np.float32]:
    """The accumulated attention after one more map.

    previous and new, float in 0..1 of one shape, usually (H,W) or (K,H,W) -> float32 of that
    shape; t = how many maps that makes, the new one included. With t = 1 there is nothing before
    it, whatever `previous` is (None will do). Raises ValueError for t < 1, shapes that differ,
    values outside 0..1 or another `how`.
    Source: OAA Eq. 5 ("max") and Eq. 10 ("mean"), which should read ((t-1) M_{t-1} + A_t) / t.
    """
    if how not in ("max", "mean"):
        raise ValueError(f"how must be 'max' or 'mean', but is {how!r}.")
    if t < 1:
        raise ValueError(f"t counts the maps, the new one included, so at least 1, not {t}.")
    latest = arrays.in_unit_range(arrays.numbers(new, "new"), "new")
    if t == 1:
        return latest.copy()
    if previous is None:
        raise ValueError(f"previous is missing: with t = {t} there is a map before the new one.")
    before = arrays.in_unit_range(arrays.numbers(previous, "previous"), "previous")
    arrays.require_shape(before, "previous", latest.shape)
    if how == "max":
        return np.maximum(before, latest)
    # Written as a step towards the new map, so that equal maps stay exactly equal.
    return before + (latest - before) / np.float32(t)


def paste(
    total: NDArray[np.float32],
    counts: NDArray[np.uint16],
    new: NDArray[np.float32],
    seen: NDArray[np.bool_],
    how: Literal["max", "mean"] = "max",
) -> None:
    """Fuses a map of a part of an image into that part of the whole, in place.

    total (H,W) in 0..1 and counts (H,W), how many maps each pixel has had; new (H,W), of which only
    the pixels `seen` (H,W) count. The mean is each pixel's own. Source: `fuse`, where crops are
    pasted back in their place.
    """
    counts[seen] += 1
    if how == "max":
        np.maximum(total, new, out=total, where=seen)
    else:
        np.add(total, (new - total) / np.maximum(counts, 1), out=total, where=seen)


def is_reliable(
    scores: ArrayLike,
    tags: Sequence[int] | NDArray[np.integer],
    rule: Literal["strict", "topk"] = "strict",
) -> NDArray[np.bool_]:
    """Which of an image's tags were recognised well enough for their maps to be accumulated.

    scores (C,) of one image, logits or probabilities; tags = the indices of its tags in scores ->
    bool, one for each tag. "strict": the score is above every class that is not a tag. "topk":
    it is among the K largest, K = the number of tags. A tie never counts as reliable.
    Raises ValueError for tags outside the scores, repeated tags, NaN or another rule.
    Source: OAA, section 3.2 ("strict"); its released code ("topk").
    """
    values = arrays.numbers(scores, "scores")
    if values.ndim != 1:
        raise ValueError(f"scores must have the shape (classes,), but have {values.shape}.")
    indices = np.asarray(tags, dtype=np.int64).reshape(-1)
    if indices.size and not (indices.min() >= 0 and indices.max() < len(values)):
        raise ValueError(
            f"tags must be indices into the {len(values)} scores, but are {indices.tolist()}."
        )
    if len(np.unique(indices)) != len(indices):
        raise ValueError(f"tags must not repeat a class, but are {indices.tolist()}.")
    of_tags = values[indices]
    if rule == "strict":
        others = np.delete(values, indices)
        return of_tags > others.max(initial=-np.inf)
    if rule == "topk":
        at_least = (values[None, :] >= of_tags[:, None]).sum(axis=1)
        return at_least <= len(indices)
    raise ValueError(f"rule must be 'strict' or 'topk', but is {rule!r}.")
