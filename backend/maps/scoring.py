"""How good a mask looks, without a true mask: the scores of SAL."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays

Form = Literal["standard", "printed"]
Objectness = float | Callable[[NDArray[np.bool_]], float]


def boundary_accuracy(
    mask: ArrayLike,
    reference: ArrayLike,
    objectness: Objectness = 1.0,
    b: float = 0.1,
    form: Form = "standard",
) -> float:
    """AC, how well a mask agrees with a reference mask, 0..1.

    mask B: bool (H,W), or a label map, whose foreground (neither 0 nor 255) is taken; reference H:
    bool or 0/1 (H,W). AC = F-measure(H, B) x F(B)^b, where F(B) is the objectness in 0..1, a number
    or a function of the boolean mask. "standard": precision |H and B| / |B|, recall
    |H and B| / |H|. "printed": the paper's Eq. 3 to the letter, whose precision is that recall
    and whose recall is |H and B| / |H or B|. 0 where the two share no pixel.
    Raises ValueError for shapes that differ, an ambiguous reference, an objectness outside 0..1, a
    negative b or another form. Source: SAL Eq. 3.
    """
    if form not in ("standard", "printed"):
        raise ValueError(f"form must be 'standard' or 'printed', but is {form!r}.")
    if not (0 <= b < np.inf):
        raise ValueError(f"b, the weight of the objectness, must be at least 0, but is {b}.")
    inside = _foreground(mask)
    wanted = _reference(reference, inside.shape)
    likely = float(objectness(inside) if callable(objectness) else objectness)
    if not 0 <= likely <= 1:
        raise ValueError(f"objectness must lie in 0..1, but is {likely}.")
    shared = np.count_nonzero(inside & wanted)
    if not shared:
        return 0.0
    if form == "standard":
        first = shared / np.count_nonzero(inside)
        second = shared / np.count_nonzero(wanted)
    else:
        first = shared / np.count_nonzero(wanted)
        second = shared / np.count_nonzero(inside | wanted)
    return 2 * first * second / (first + second) * likely**b


def class_distribution(labels: ArrayLike, class_ids: Sequence[int]) -> float:
    """CD, the share of a label map's foreground that carries one of the image's tags, 0..1.

    labels (H,W), 0 background and 255 ignore, neither of which is foreground; class_ids the
    image's tags. 0 for an empty foreground. Raises ValueError. Source: SAL Eq. 4.
    """
    label_map = arrays.label_map(labels)
    ids = arrays.class_ids(class_ids)
    foreground = label_map[_foreground(label_map)]
    return float(np.isin(foreground, ids).mean()) if foreground.size else 0.0


def coarse_score(
    labels: ArrayLike,
    reference: ArrayLike,
    class_ids: Sequence[int],
    objectness: Objectness = 1.0,
    b: float = 0.1,
    form: Form = "standard",
    only: int | None = None,
) -> float:
    """SC = AC x CD, the score of proxy labels against a saliency-guided reference mask, 0..1.

    labels (H,W) and class_ids as in `class_distribution`, the rest as in `boundary_accuracy`. B is
    the whole foreground, or the pixels of one class where `only` names it.
    Raises ValueError. Source: SAL Eq. 5.
    """
    label_map = arrays.label_map(labels)
    if only is not None:
        label_map = np.where(label_map == only, label_map, arrays.BACKGROUND)
    accuracy = boundary_accuracy(label_map, reference, objectness, b, form)
    return accuracy * class_distribution(label_map, class_ids)


def fine_score(prediction: float, labels: ArrayLike, class_ids: Sequence[int]) -> float:
    """SF = P x CD, the score of proxy labels by the scoring network, 0..1.

    prediction: the network's P for this mask, clamped to 0..1; labels and class_ids as in
    `class_distribution`. Raises ValueError for a prediction that is NaN. Source: SAL Eq. 7.
    """
    if not np.isfinite(prediction):
        raise ValueError(f"prediction must be a number, but is {prediction}.")
    return float(np.clip(prediction, 0, 1)) * class_distribution(labels, class_ids)


def _foreground(mask: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(mask)
    if array.dtype == np.bool_ and array.ndim == 2:
        return array
    label_map = arrays.label_map(array, "mask")
    return (label_map != arrays.BACKGROUND) & (label_map != arrays.IGNORE)


def _reference(reference: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    array = np.asarray(reference)
    arrays.require_shape(array, "reference", shape)
    # 255 could mean "object" (a grey mask) or "ignore" (a label map): the caller has to say.
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise ValueError(
            "reference must be boolean or hold only 0 and 1; "
            "compare a grey mask with its threshold, or a label map with its classes, first."
        )
    return array.astype(np.bool_)
