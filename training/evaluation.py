"""How good label maps or attention maps are against true masks, over a whole set of images.

Counts go into one confusion matrix over the set, never an average of images. A pixel whose truth is
255 (void) is left out; a predicted 255 counts as background, never as left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.labels import read_heat, read_labels
from backend.maps.attention import resize
from training.errors import TrainingError

IGNORE = 255
BACKGROUND_NAME = "background"
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(20))


def confusion(
    prediction: ArrayLike, truth: ArrayLike, classes: int, ignore: int = IGNORE
) -> NDArray[np.int64]:
    """How many pixels of each true class were predicted as which.

    prediction and truth, integers of one shape; classes a count, the background included ->
    int64 (classes, classes), rows truth. Pixels whose truth is `ignore` or no class are not
    counted; a prediction of `ignore` is background. Raises ValueError for shapes that differ or
    another prediction that is no class.
    """
    predicted, true = _label_array(prediction, "prediction"), _label_array(truth, "truth")
    if predicted.shape != true.shape:
        raise ValueError(
            f"prediction and truth must have one shape, but have {predicted.shape} "
            f"and {true.shape}."
        )
    counted = (true >= 0) & (true < classes) & (true != ignore)
    rows = true[counted].astype(np.int64)
    columns = predicted[counted].astype(np.int64)
    columns[columns == ignore] = 0
    if columns.size and not (columns.min() >= 0 and columns.max() < classes):
        raise ValueError(
            f"prediction must hold class ids 0..{classes - 1} or {ignore}, but goes "
            f"from {columns.min()} to {columns.max()}."
        )
    return np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes)


def class_iou(matrix: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of each class, 0..1, NaN for a class absent from the truth.

    matrix: a confusion matrix (classes, classes), rows truth -> float64 (classes,).
    """
    counts = np.asarray(matrix)
    hits, true = counts.diagonal(), counts.sum(axis=1)
    union = true + counts.sum(axis=0) - hits
    # A class that was predicted but never true has a union and no IoU that would mean anything.
    return np.where(true > 0, hits / np.maximum(union, 1), np.nan)


def miou(matrix: ArrayLike) -> float:
    """The mean IoU over the classes present in the truth, 0..1.

    Raises ValueError where the truth has no pixel at all. Source: the VOC 2012 measure.
    """
    iou = class_iou(matrix)
    if np.isnan(iou).all():
        raise ValueError("The confusion matrix is empty: no pixel has a true class.")
    return float(np.nanmean(iou))


def threshold_sweep(
    images: Iterable[tuple[ArrayLike, Sequence[int], ArrayLike]],
    classes: int,
    thresholds: Sequence[float] = THRESHOLDS,
) -> NDArray[np.int64]:
    """The confusion matrices of attention maps over a set of images, one for each threshold.

    images: for each image its maps (K,h,w) in 0..1, the K class ids and the truth (H,W), looked
    at once and then forgotten -> int64 (thresholds, classes, classes). At a threshold t a pixel is
    the tag with the largest map, resized bilinearly to the truth's size, and background where that
    is under t. Raises ValueError for maps that do not fit, ids out of range or thresholds that
    do not ascend.
    """
    steps = np.asarray(thresholds, dtype=np.float32)
    if steps.ndim != 1 or not steps.size or (np.diff(steps) <= 0).any():
        raise ValueError(f"thresholds must ascend, but are {list(thresholds)}.")
    matrices = np.zeros((len(steps), classes, classes), dtype=np.int64)
    for maps, class_ids, truth in images:
        matrices += _image_sweep(maps, class_ids, truth, classes, steps)
    return matrices


def evaluate_predictions(
    predictions_dir: str | Path,
    truth_dir: str | Path,
    classes: Mapping[int, str],
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Label maps IMAGE.png against true ones of the same names, as a JSON-ready result.

    classes: id -> name, without the background. Scored are the images of `names`, else all
    predictions. -> {"miou": 0..100, "iou": {class: 0..100} of the classes present in the truth,
    "threshold": None, "sweep": [], "images": count}. Raises TrainingError, naming the images, where
    one is missing on either side, sizes differ or an id is no class.
    """
    predictions = _folder(predictions_dir, "predictions")
    truths = _folder(truth_dir, "truth")
    found = names if names is not None else sorted(path.stem for path in predictions.glob("*.png"))
    if not found:
        raise TrainingError(f"There are no label maps (IMAGE.png) in {predictions}.")
    _require_files(found, predictions, "predicted label map")
    _require_files(found, truths, "true mask")
    count = _count(classes)
    matrix = np.zeros((count, count), dtype=np.int64)
    for name in found:
        truth = _read_truth(truths / f"{name}.png", classes)
        prediction = read_labels(predictions / f"{name}.png")
        _require_known(prediction, classes, f"The prediction for {name}")
        if prediction.shape != truth.shape:
            raise TrainingError(
                f"The prediction for {name} is {_size(prediction)} but its true mask is "
                f"{_size(truth)}; predictions must have the size of the image."
            )
        matrix += confusion(prediction, truth, count)
    return _result(matrix, classes, len(found))


def evaluate_maps(
    maps_dir: str | Path,
    truth_dir: str | Path,
    classes: Mapping[int, str],
    names: Sequence[str] | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> dict[str, Any]:
    """Attention maps IMAGE/CLASS.png against true masks, over all thresholds and at the best.

    classes: id -> name, without the background. Scored are the images of `names` (one of them
    without maps is all background), else all that have a folder. -> the result of
    `evaluate_predictions` at the threshold with the best mIoU, the lowest on a tie, with that
    threshold and with "sweep": [[threshold, miou 0..100], ...]. Raises TrainingError, naming them,
    for missing images and for maps of unknown classes.
    """
    folder = _folder(maps_dir, "maps")
    truths = _folder(truth_dir, "truth")
    found = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if names is not None:
        found = list(names)
    if not found:
        raise TrainingError(f"There are no attention maps (IMAGE/CLASS.png) in {folder}.")
    _require_files(found, truths, "true mask")
    ids = {name: class_id for class_id, name in classes.items()}
    matrices = threshold_sweep(
        (
            (*_read_maps(folder / name, ids), _read_truth(truths / f"{name}.png", classes))
            for name in found
        ),
        _count(classes),
        thresholds,
    )
    if not matrices.any():
        return _result(matrices[0], classes, len(found))
    scores = [100 * miou(matrix) for matrix in matrices]
    best = int(np.argmax(scores))
    return {
        **_result(matrices[best], classes, len(found)),
        "threshold": float(thresholds[best]),
        "sweep": [[float(t), score] for t, score in zip(thresholds, scores, strict=True)],
    }


def format_table(result: Mapping[str, Any]) -> str:
    """A result as plain text: IoU by class, their mean, and the sweep where there is one."""
    width = max(len(name) for name in (*result["iou"], "mIoU"))
    lines = [f"{name:<{width}}  {value:5.1f}" for name, value in result["iou"].items()]
    lines.append(f"{'mIoU':<{width}}  {result['miou']:5.1f}")
    if result["threshold"] is not None:
        lines.append(f"best threshold {result['threshold']:.2f}, over {result['images']} images")
        lines.append("")
        lines.append("threshold   mIoU")
        lines.extend(f"{threshold:9.2f}  {score:5.1f}" for threshold, score in result["sweep"])
    else:
        lines.append(f"over {result['images']} images")
    return "\n".join(lines)


def _image_sweep(
    maps: ArrayLike,
    class_ids: Sequence[int],
    truth: ArrayLike,
    classes: int,
    steps: NDArray[np.float32],
) -> NDArray[np.int64]:
    """One image's confusion at every threshold, from a single look at its pixels."""
    true = _label_array(truth, "truth")
    if true.ndim != 2:
        raise ValueError(f"truth must have the shape (height, width), but has {true.shape}.")
    ids = np.asarray(class_ids, dtype=np.int64).reshape(-1)
    if ids.size and not (ids.min() > 0 and ids.max() < classes):
        raise ValueError(f"class_ids must lie in 1..{classes - 1}, but are {ids.tolist()}.")
    large = resize(maps, true.shape)
    if len(large) != len(ids):
        raise ValueError(f"There are {len(large)} maps but {len(ids)} class ids.")
    counted = (true >= 0) & (true < classes) & (true != IGNORE)
    rows = true[counted].astype(np.int64)
    sweep = np.zeros((len(steps), classes, classes), dtype=np.int64)
    if not len(ids):
        sweep[:, :, 0] = np.bincount(rows, minlength=classes)
        return sweep
    values = large[:, counted]
    # How many thresholds the pixel's strongest map reaches: it is foreground at those.
    reached = np.searchsorted(steps, values.max(axis=0), side="right")
    winner = values.argmax(axis=0)
    size = (len(steps) + 1, classes, len(ids))
    joint = np.bincount(
        np.ravel_multi_index((reached, rows, winner), size), minlength=int(np.prod(size))
    ).reshape(size)
    # foreground[t] sums the pixels that reach more than t thresholds; the rest is background.
    foreground = joint[::-1].cumsum(axis=0)[::-1][1:]
    sweep[:, :, ids] = foreground
    sweep[:, :, 0] = joint.sum(axis=(0, 2)) - foreground.sum(axis=2)
    return sweep


def _result(matrix: NDArray[np.int64], classes: Mapping[int, str], images: int) -> dict[str, Any]:
    if not matrix.any():
        raise TrainingError(
            "The true masks hold no class at all, only 255 (void); there is nothing to measure."
        )
    names = {0: BACKGROUND_NAME, **classes}
    iou = {
        names[class_id]: 100 * float(value)
        for class_id, value in enumerate(class_iou(matrix))
        if not np.isnan(value)
    }
    return {
        "miou": 100 * miou(matrix),
        "iou": iou,
        "threshold": None,
        "sweep": [],
        "images": images,
    }


def _label_array(value: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold integer class ids, but is {array.dtype}.")
    return array


def _count(classes: Mapping[int, str]) -> int:
    return max(classes, default=0) + 1


def _folder(path: str | Path, what: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise TrainingError(f"The folder of {what} {folder} does not exist.")
    return folder


def _require_files(names: Iterable[str], folder: Path, what: str) -> None:
    missing = [name for name in names if not (folder / f"{name}.png").is_file()]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise TrainingError(f"{len(missing)} images have no {what} in {folder}: {shown}.")


def _require_known(labels: np.ndarray, classes: Mapping[int, str], what: str) -> None:
    present = np.flatnonzero(np.bincount(labels.ravel()))
    strangers = sorted(set(present.tolist()) - {0, IGNORE, *classes})
    if strangers:
        raise TrainingError(
            f"{what} holds the ids {strangers}, which are not in the list of classes; "
            "name them with --classes."
        )


def _read_truth(path: Path, classes: Mapping[int, str]) -> np.ndarray:
    truth = read_labels(path)
    _require_known(truth, classes, f"The true mask of {path.stem}")
    return truth


def _read_maps(folder: Path, ids: Mapping[str, int]) -> tuple[np.ndarray, list[int]]:
    """An image's maps (K,h,w) and their class ids, ascending; no folder means no maps."""
    files = list(folder.glob("*.png"))
    unknown = sorted(path.name for path in files if path.stem not in ids)
    if unknown:
        raise TrainingError(
            f"{folder} holds maps of classes that are not in the list: {', '.join(unknown)}; "
            "name them with --classes."
        )
    files.sort(key=lambda path: ids[path.stem])
    maps = [read_heat(path) for path in files]
    if len({one.shape for one in maps}) > 1:
        raise TrainingError(f"The maps in {folder} differ in size; an image's maps must have one.")
    stacked = np.stack(maps) if maps else np.zeros((0, 1, 1), dtype=np.float32)
    return stacked, [ids[path.stem] for path in files]


def _size(labels: np.ndarray) -> str:
    return f"{labels.shape[1]} x {labels.shape[0]}"
