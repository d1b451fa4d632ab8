"""Attention and saliency together: the rules of three papers from maps to proxy labels.

The rules take their maps as they are, in 0..1, and normalise nothing. Where two tags tie, the
smaller class id wins, so the order of the tags never changes a pixel.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays

Mean = Literal["harmonic", "arithmetic", "geometric"]


def harmonic_mean(
    attention: ArrayLike, saliency: ArrayLike, weight: float = 1.0
) -> NDArray[np.float32]:
    """The weighted harmonic mean of attention and saliency, pixel by pixel.

    attention (K,H,W) or (H,W), saliency (H,W), both at least 0 -> float32 of attention's shape:
    (w+1) A D / (w D + A), 0 where both are 0. A larger weight listens more to the attention; with
    weight 0 it is the saliency wherever there is attention. Raises ValueError for
    negative values, NaN, a negative weight or shapes that differ.
    Source: SeeNet Eq. 3, multiplied out so that zeros are defined.
    """
    if not (0 <= weight < np.inf):
        raise ValueError(f"weight must be a number of at least 0, but is {weight}.")
    maps = arrays.numbers(attention, "attention").astype(np.float32, copy=False)
    salient = arrays.numbers(saliency, "saliency").astype(np.float32, copy=False)
    if maps.ndim not in (2, 3):
        raise ValueError(
            f"attention must have the shape (K, H, W) or (H, W), but has {maps.shape}."
        )
    arrays.require_shape(salient, "saliency", maps.shape[-2:])
    if maps.min(initial=0) < 0 or salient.min(initial=0) < 0:
        raise ValueError("attention and saliency must not be negative; normalise them first.")
    return _harmonic(maps, salient, weight)


def seenet_labels(
    attention: ArrayLike,
    saliency: ArrayLike,
    class_ids: Sequence[int],
    weight: float = 1.0,
    saliency_threshold: float | None = None,
) -> NDArray[np.uint8]:
    """Proxy labels of SeeNet: the most probable of background and the image's tags.

    attention (K,H,W) and saliency (H,W) in 0..1, class_ids the K tags in the maps' order -> uint8
    (H,W) of 0 and class ids. Background counts 1 - saliency, a tag the weighted harmonic mean of
    saliency and its attention; a tie with the background is background. With a
    `saliency_threshold`, pixels whose saliency is below it are background whatever the attention.
    Raises ValueError for maps that do not fit. Source: SeeNet, Algorithm 1; the threshold is
    mentioned in its section 4 and is off by default.
    """
    maps, salient, ids = _checked(attention, saliency, class_ids)
    if saliency_threshold is not None:
        _require_unit("saliency_threshold", saliency_threshold)
    if not (0 <= weight < np.inf):
        raise ValueError(f"weight must be a number of at least 0, but is {weight}.")
    labels, _ = _largest(_harmonic(maps, salient, weight), ids, background=1 - salient)
    if saliency_threshold is not None:
        labels[salient < saliency_threshold] = arrays.BACKGROUND
    return labels


def dcsp_labels(
    attention: ArrayLike,
    saliency: ArrayLike,
    class_ids: Sequence[int],
    gamma: float = 0.4,
    mean: Mean = "harmonic",
) -> NDArray[np.uint8]:
    """Proxy labels of DCSP: the strongest tag where it is strong enough, else background.

    attention (K,H,W) and saliency (H,W) in 0..1, class_ids the K tags in the maps' order -> uint8
    (H,W) of 0 and class ids: background where the mean of attention and saliency is under
    `gamma` for every tag, else the tag with the largest. `mean` is harmonic (the paper's),
    arithmetic or geometric. Raises ValueError for maps that do not fit or another mean.
    Source: DCSP, Algorithm 1, gamma of its section 5.
    """
    maps, salient, ids = _checked(attention, saliency, class_ids)
    _require_unit("gamma", gamma)
    if mean == "harmonic":
        means = _harmonic(maps, salient, 1.0)
    elif mean == "arithmetic":
        means = (maps + salient) * np.float32(0.5)
    elif mean == "geometric":
        means = np.sqrt(maps * salient)
    else:
        raise ValueError(f"mean must be harmonic, arithmetic or geometric, but is {mean!r}.")
    labels, strongest = _largest(means, ids)
    labels[strongest < gamma] = arrays.BACKGROUND
    return labels


def oaa_labels(
    attention: ArrayLike,
    saliency: ArrayLike,
    class_ids: Sequence[int],
    *,
    keep_above: float = 0.3,
    conflict_above: float = 0.9,
    salient_from: float = 32 / 255,
    strong_above: float = 0.8,
    smallest_share: float = 0.01,
) -> NDArray[np.uint8]:
    """Proxy labels of OAA: the strongest of background and tags, and 255 wherever cues disagree.

    attention (K,H,W), min-maxed, and saliency (H,W) in 0..1, class_ids the K tags in the maps'
    order -> uint8 (H,W) of 0, class ids and 255. Background counts 1 - saliency; whatever is under
    `keep_above` counts 0; the largest wins, ties going to the background. Then a pixel is 255
    where more than one of background and tags is over `conflict_above`, and where background won
    although the saliency is at least `salient_from` or an attention over `strong_above`. An image
    with less than `smallest_share` of its pixels in the foreground is 255 throughout.
    Raises ValueError for maps that do not fit.
    Source: OAA, section 4 (conflicts are ignored); the numbers are those of its released code.
    """
    maps, salient, ids = _checked(attention, saliency, class_ids)
    for name, threshold in (
        ("keep_above", keep_above),
        ("conflict_above", conflict_above),
        ("salient_from", salient_from),
        ("strong_above", strong_above),
        ("smallest_share", smallest_share),
    ):
        _require_unit(name, threshold)
    background = 1 - salient
    background[background < keep_above] = 0
    kept = np.where(maps < keep_above, np.float32(0), maps)
    labels, _ = _largest(kept, ids, background=background)

    confident = (kept > conflict_above).sum(axis=0) + (background > conflict_above)
    object_here = (salient >= salient_from) | (maps > strong_above).any(axis=0)
    doubtful = (labels == arrays.BACKGROUND) & object_here
    labels[(confident > 1) | doubtful] = arrays.IGNORE

    foreground = np.count_nonzero((labels != arrays.BACKGROUND) & (labels != arrays.IGNORE))
    if foreground < smallest_share * labels.size:
        labels[:] = arrays.IGNORE
    return labels


def _checked(
    attention: ArrayLike, saliency: ArrayLike, class_ids: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[int, ...]]:
    """The maps as float32, in the order of ascending class ids."""
    maps = arrays.heat_stack(attention, "attention")
    salient = arrays.heat(saliency, "saliency", maps.shape[1:])
    ids = arrays.class_ids(class_ids, len(maps))
    order = sorted(range(len(ids)), key=ids.__getitem__)
    if order != list(range(len(ids))):
        maps, ids = maps[order], tuple(ids[k] for k in order)
    return maps, salient, ids


def _require_unit(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in 0..1, but is {value}.")


def _harmonic(
    maps: NDArray[np.float32], salient: NDArray[np.float32], weight: float
) -> NDArray[np.float32]:
    # (A / (wD + A)) D (w+1): the quotient never exceeds 1, so nothing overflows at weight 0, and
    # in this order neither small maps underflow nor equal ones drift.
    mean = maps + np.float32(weight) * salient
    np.maximum(mean, np.finfo(np.float32).tiny, out=mean)
    np.divide(maps, mean, out=mean)
    mean *= salient
    mean *= np.float32(weight + 1)
    # A mean lies between what it averages; rounding must not lift a tie over a threshold.
    np.minimum(mean, np.maximum(maps, salient), out=mean)
    return np.maximum(mean, np.minimum(maps, salient), out=mean)


def _largest(
    maps: NDArray[np.float32],
    ids: tuple[int, ...],
    background: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Which id is largest at each pixel, the earliest on a tie, and how large it is.

    Several times faster than argmax over the short leading axis. Without a background, the first
    tag stands where all are 0, and the value -1 where there is no tag.
    """
    shape = maps.shape[1:]
    labels = np.full(shape, arrays.BACKGROUND, dtype=np.uint8)
    strongest = np.full(shape, -1, dtype=np.float32) if background is None else background.copy()
    for class_id, one in zip(ids, maps, strict=True):
        np.copyto(labels, class_id, where=one > strongest)
        np.maximum(strongest, one, out=strongest)
    return labels, strongest
