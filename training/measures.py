"""How good a set of label maps is against true masks, and what differs between two sets.

One confusion matrix and one count of outlines over the whole set; the IoU of a single image serves
only to put images in an order. `training.evaluation` says how pixels are counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backend.exchange.names import some
from backend.labels import read_labels
from training.boundary_iou import boundary_counts, boundary_iou
from training.errors import TrainingError
from training.evaluation import BACKGROUND_NAME, IGNORE, class_iou, confusion, miou

if TYPE_CHECKING:
    from backend.exchange.sources import Item


@dataclass(frozen=True)
class Measured:
    """Counts over a set of images: matrix (classes, classes), rows truth; outlines (3, classes);
    the mean IoU of each image, NaN where its truth is void throughout; and the images without a
    prediction, which counted as background.
    """

    matrix: NDArray[np.int64]
    outlines: NDArray[np.int64]
    images: dict[str, float]
    missing: list[str] = field(default_factory=list)


class Tally:
    """Counts label maps against true masks, one image after the other.

    classes: id -> name, without the background.
    """

    def __init__(self, classes: Mapping[int, str]) -> None:
        self._count = max(classes, default=0) + 1
        self._matrix = np.zeros((self._count, self._count), np.int64)
        self._outlines = np.zeros((3, self._count), np.int64)
        self._images: dict[str, float] = {}

    def add(self, name: str, predicted: NDArray[np.uint8], true: NDArray[np.uint8]) -> None:
        """An image's label map and true mask, (H,W) both. Raises ValueError for other sizes."""
        counted = confusion(predicted, true, self._count)
        self._matrix += counted
        self._outlines += boundary_counts(predicted, true, self._count)
        self._images[name] = miou(counted) if counted.any() else float("nan")

    def measured(self, missing: Sequence[str] = ()) -> Measured | None:
        """What was counted; None where the truth held no pixel that counts."""
        if not self._matrix.any():
            return None
        return Measured(self._matrix, self._outlines, self._images, list(missing))


def measure(
    predictions: Path,
    truth: Path,
    classes: Mapping[int, str],
    names: Sequence[str],
    *,
    allow_missing: bool = False,
) -> Measured:
    """Label maps IMAGE.png against true ones of the same names, over the images `names`.

    classes: id -> name, without the background. With allow_missing an image without a prediction
    counts as background throughout. Raises TrainingError, naming the images, where a true mask or
    a prediction is missing, sizes differ or an id is no class; DataError for a file that is no
    label map.
    """
    _require(names, truth, "true mask", "")
    missing = [name for name in names if not (predictions / f"{name}.png").is_file()]
    if missing and not allow_missing:
        _require(
            missing,
            predictions,
            "prediction",
            " Predict them, name with --split the list to measure, or count them as background "
            "with --allow-missing.",
        )
    absent, tally = set(missing), Tally(classes)
    for name in names:
        true = read_known(truth / f"{name}.png", classes, f"The true mask of {name}")
        if name in absent:
            predicted = np.zeros_like(true)
        else:
            path = predictions / f"{name}.png"
            predicted = read_known(path, classes, f"The prediction for {name}")
        if predicted.shape != true.shape:
            raise TrainingError(
                f"The prediction for {name} is {_size(predicted)} but its true mask is "
                f"{_size(true)}; predictions must have the size of the image."
            )
        tally.add(name, predicted, true)
    found = tally.measured(missing)
    if found is None:
        raise TrainingError(
            "The true masks hold no class at all, only 255 (void); there is nothing to measure."
        )
    return found


def measure_items(
    items: "Sequence[Item]", folder: Path, classes: Mapping[int, str], check: Callable[[], None]
) -> Measured | None:
    """Label maps folder/IMAGE.png against the true masks of items, as far as these have one; an
    image without a label map counts as background. None where nothing can be measured.

    Raises as `measure` does, and what `check` raises, which is asked before each image.
    """
    tally, missing = Tally(classes), []
    for item in items:
        if item.truth is None:
            continue
        check()
        true = read_known(item.truth, classes, f"The true mask of {item.name}")
        path = folder / f"{item.name}.png"
        if path.is_file():
            predicted = read_known(path, classes, f"The label map of {item.name}")
        else:
            predicted = np.zeros_like(true)
            missing.append(item.name)
        if predicted.shape != true.shape:
            raise TrainingError(
                f"The label map of {item.name} is {_size(predicted)} but its true mask is "
                f"{_size(true)}; they must have one size."
            )
        tally.add(item.name, predicted, true)
    return tally.measured(missing)


def read_known(path: Path, classes: Mapping[int, str], what: str) -> NDArray[np.uint8]:
    """A label map whose ids are all 0, 255 or a class's; TrainingError naming the others."""
    labels: NDArray[np.uint8] = read_labels(path)
    present = np.flatnonzero(np.bincount(labels.ravel()))
    strangers = sorted(set(present.tolist()) - {0, IGNORE, *classes})
    if strangers:
        raise TrainingError(
            f"{what} holds the ids {strangers}, which are not in the list of classes; "
            "name them with --classes."
        )
    return labels


def result(found: Measured, classes: Mapping[int, str]) -> dict[str, Any]:
    """Counts as a JSON-ready result: what `training.evaluation` gives for label maps, and beside it
    boundary IoU and the confusion matrix.

    -> {"miou", "iou": {class: 0..100}, "threshold": None, "sweep": [], "images": count, "missing":
    [image, ...], "boundary": {"miou", "iou"}, "confusion": {"classes": [name, ...], "pixels":
    [[count, ...], ...]}, "by_image": {image: 0..100}}; classes absent from the truth have no IoU,
    images whose truth is void throughout are not in by_image, and rows and columns of the confusion
    are those that occur on either side.
    """
    names = {0: BACKGROUND_NAME, **classes}
    used = np.flatnonzero(found.matrix.sum(axis=0) + found.matrix.sum(axis=1)).tolist()
    outlines = boundary_iou(found.outlines)
    return {
        "miou": 100 * miou(found.matrix),
        "iou": _percent(class_iou(found.matrix), names),
        "threshold": None,
        "sweep": [],
        "images": len(found.images),
        "missing": found.missing,
        "boundary": {
            "miou": 100 * float(np.nanmean(outlines)),
            "iou": _percent(outlines, names),
        },
        "confusion": {
            "classes": [names[id] for id in used],
            "pixels": found.matrix[np.ix_(used, used)].tolist(),
        },
        "by_image": {
            name: round(100 * value, 3)
            for name, value in found.images.items()
            if not np.isnan(value)
        },
    }


def compare(first: Measured, second: Measured, classes: Mapping[int, str]) -> dict[str, Any]:
    """What is better and worse in a second set of predictions for the same images.

    -> {"miou": second - first, "boundary_miou": the same, "iou": {class: second - first}, "images":
    [[image, first, second], ...]} in per cent, the images by how much better the second is, the
    worst last; images whose truth is void throughout are left out.
    """
    one, other = result(first, classes), result(second, classes)
    pairs = [
        (name, 100 * before, 100 * second.images[name])
        for name, before in first.images.items()
        if not np.isnan(before)
    ]
    ordered = sorted(pairs, key=lambda each: (each[1] - each[2], each[0]))
    return {
        "miou": other["miou"] - one["miou"],
        "boundary_miou": other["boundary"]["miou"] - one["boundary"]["miou"],
        "iou": {name: other["iou"][name] - value for name, value in one["iou"].items()},
        "images": [list(each) for each in ordered],
    }


def _percent(values: Iterable[float], names: Mapping[int, str]) -> dict[str, float]:
    return {names[id]: 100 * float(each) for id, each in enumerate(values) if not np.isnan(each)}


def _require(names: Sequence[str], folder: Path, what: str, advice: str) -> None:
    missing = [name for name in names if not (folder / f"{name}.png").is_file()]
    if missing:
        raise TrainingError(
            f"{len(missing)} images have no {what} in {folder}: {some(missing)}.{advice}"
        )


def _size(labels: np.ndarray) -> str:
    return f"{labels.shape[1]} x {labels.shape[0]}"
