"""The true mask of an image, and how far a mask made here agrees with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.labels import BACKGROUND, IGNORE

Tag = tuple[int, str]

RIGHT_BACKGROUND, HIT, MISSED, FALSE_ALARM, WRONG_CLASS, UNKNOWN = 0, 1, 2, 3, 4, 255
ERRORS = {
    RIGHT_BACKGROUND: "right background",
    HIT: "hit",
    MISSED: "missed",
    FALSE_ALARM: "false alarm",
    WRONG_CLASS: "wrong class",
}


@dataclass(frozen=True)
class Truth:
    """A true mask: its key, what reads it (uint8 labels (H,W)), its class names by id."""

    key: str
    read: Callable[[], np.ndarray]
    names: Mapping[int, str]

    def numbered(self, tags: Sequence[Tag]) -> tuple[np.ndarray, dict[int, str]]:
        """The labels, under the tags' ids where a class is a tag by name, and all names by id.

        An image's tags may be numbered by themselves; a class that is none of them keeps its id,
        or gets a free one where a tag has it.
        """
        labels = self.read()
        ids = {name.casefold(): id for id, name in tags}
        names = {BACKGROUND: "background", **dict(tags)}
        taken = {BACKGROUND, IGNORE, *ids.values()}
        free = (id for id in range(254, 0, -1) if id not in taken and id not in self.names)
        table = np.arange(256, dtype=np.uint8)
        for id in np.unique(labels).tolist():
            if id in (BACKGROUND, IGNORE):
                continue
            name = self.names.get(id, f"class {id}")
            new = ids.get(name.casefold())
            if new is None:
                new = id if id not in taken else next(free, IGNORE)
                names[new] = name
            table[id] = new
        return table[labels], names


def overlap(labels: np.ndarray, truth: np.ndarray, names: Mapping[int, str]) -> dict[str, Any]:
    """{"iou": {class: 0..1}, "miou": 0..1} of labels (H,W) over the pixels whose truth is known.

    Ignored pixels count as background. "iou" has the classes of either mask, "miou" is the mean
    over those in the truth, as everywhere (training.evaluation). {} where no pixel is known.
    """
    known = truth != IGNORE
    if not known.any():
        return {}
    said = np.where(labels == IGNORE, BACKGROUND, labels)[known].astype(np.int64)
    counts = np.bincount(truth[known].astype(np.int64) * 256 + said, minlength=65536)
    matrix = counts.reshape(256, 256)
    true, found, hits = matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal()
    classes = np.flatnonzero(true + found)
    iou = {int(c): float(hits[c] / (true[c] + found[c] - hits[c])) for c in classes}
    return {
        "iou": {names.get(c, f"class {c}"): value for c, value in iou.items()},
        "miou": float(np.mean([value for c, value in iou.items() if true[c]])),
    }


def errors(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """What is right and wrong about each pixel of labels (H,W): uint8 (H,W) of the codes above."""
    said = np.where(labels == IGNORE, BACKGROUND, labels)
    codes = np.full(truth.shape, RIGHT_BACKGROUND, np.uint8)
    is_object, says_object = truth != BACKGROUND, said != BACKGROUND
    codes[is_object & says_object] = WRONG_CLASS
    codes[is_object & (said == truth)] = HIT
    codes[is_object & ~says_object] = MISSED
    codes[~is_object & says_object] = FALSE_ALARM
    codes[truth == IGNORE] = UNKNOWN
    return codes


def error_shares(codes: np.ndarray) -> dict[str, float]:
    """The share of each outcome among the known pixels."""
    counts = np.bincount(codes.ravel(), minlength=256)
    known = max(int(counts[:UNKNOWN].sum()), 1)
    return {name: float(counts[code] / known) for code, name in ERRORS.items()}


def precision(kept: np.ndarray, truth: np.ndarray) -> float | None:
    """The share of right ones among labels (H,W) that stand alone, all else 0; None where the truth
    knows none of their pixels."""
    counted = (kept != BACKGROUND) & (truth != IGNORE)
    return float((kept == truth)[counted].mean()) if counted.any() else None


def strongest(attention: np.ndarray, ids: Sequence[int], threshold: float) -> np.ndarray:
    """Labels uint8 (H,W) of attention (K,H,W) in 0..1: the strongest tag where it reaches the
    threshold, else background, as `training evaluate --maps` has them."""
    labels = np.asarray(ids, np.uint8)[attention.argmax(axis=0)]
    labels[attention.max(axis=0) < threshold] = BACKGROUND
    return labels
