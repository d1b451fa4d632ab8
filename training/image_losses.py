"""The loss of each image's labels under a trained segmenter: where the two disagree most."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from backend.errors import DataError
from backend.exchange.sources import Item, Source
from backend.labels import BACKGROUND, IGNORE
from training.predicting import MOST_VALUES, enlarged


class ImageLoss(NamedTuple):
    """An image's line for losses.jsonl, or the sentence why it has none."""

    line: dict[str, Any]
    trouble: str | None = None


def channel_table(source: Source, classes: Mapping[int, str]) -> tuple[torch.Tensor, list[str]]:
    """A table (256,) from a data set's label ids to a segmenter's channels, classes found by name;
    and the data set's classes that the segmenter lacks, which become 255 like all that is no class.

    classes: the segmenter's, id -> name in the order of its outputs.
    """
    place = {name.casefold(): index for index, name in enumerate(classes.values(), start=1)}
    table = torch.full((256,), IGNORE, dtype=torch.int64)
    table[BACKGROUND] = 0
    strangers = []
    for id, name in source.classes.items():
        if name.casefold() in place:
            table[id] = place[name.casefold()]
        else:
            strangers.append(name)
    return table, strangers


def loss_of(
    values: torch.Tensor, labels: np.ndarray, table: torch.Tensor
) -> tuple[float, float, int] | None:
    """The mean cross entropy over the labelled pixels, the part of them that the network labels
    alike, and how many they are; None where nothing is labelled.

    values float32 (C+1,h,w), whose softmax are probabilities; labels uint8 (H,W); table as
    `channel_table` makes it. At the labels' size, or at most so large that the values fit in
    memory; labels are then thinned.
    """
    targets = table[torch.from_numpy(labels).long()]
    height, width = labels.shape
    scale = min(1.0, (MOST_VALUES / (len(values) * height * width)) ** 0.5)
    size = (max(1, int(height * scale)), max(1, int(width * scale)))
    if size != (height, width):
        thinned = functional.interpolate(targets[None, None].float(), size, mode="nearest-exact")
        targets = thinned[0, 0].long()
    targets = targets.to(values.device)
    known = targets != IGNORE
    count = int(known.sum())
    if not count:
        return None
    large = enlarged(values, size)
    loss = functional.cross_entropy(large[None], targets[None], ignore_index=IGNORE)
    right = ((large.argmax(dim=0) == targets) & known).sum()
    return float(loss), float(right) / count, count


def line_of(
    source: Source, item: Item, values: torch.Tensor, table: torch.Tensor, digest: str
) -> ImageLoss:
    """What losses.jsonl says of an image: {"image", "mask" (the label PNG's sha256), "loss",
    "pixel_accuracy"}.
    """
    try:
        found = loss_of(values, source.mask(item), table)
    except DataError as problem:
        return ImageLoss({}, f"{item.name} is left out: {problem}")
    if found is None:
        return ImageLoss({}, f"{item.name} has no pixel of a class the segmenter knows; no loss.")
    loss, right, _ = found
    told = {"loss": round(loss, 6), "pixel_accuracy": round(right, 6)}
    return ImageLoss({"image": item.name, "mask": digest, **told})


def mask_digest(item: Item) -> str:
    """sha256, hex, of an item's label PNG; "" where it cannot be read, which its turn will tell."""
    assert item.mask is not None
    try:
        return hashlib.sha256(item.mask.read_bytes()).hexdigest()
    except OSError:
        return ""
