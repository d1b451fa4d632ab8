"""The few images that stand for a data set while a network is watched."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from backend.errors import DataError, ImageError
from backend.exchange.sources import Item, Source
from backend.images import read_image, require_usable
from backend.labels import resize_labels
from training.maps_export import resized
from training.run import Run


@dataclass(frozen=True)
class Example:
    """An image as it is looked at, uint8 (H,W,3), the tag it was chosen for, and the true mask of
    that size or smaller, where there is one.
    """

    item: Item
    tag: int
    image: np.ndarray
    truth: np.ndarray | None


def spread(items: Iterable[Item], class_ids: Iterable[int], count: int) -> list[tuple[Item, int]]:
    """At most `count` items, each with the tag it stands for, the classes taking turns.

    The order of `items` does not matter: those with a true mask go first, then the digest of the
    name decides.
    """
    ranked = sorted(
        items,
        key=lambda item: (item.truth is None, hashlib.sha256(item.name.encode()).digest()),
        reverse=True,
    )
    waiting = {id: [item for item in ranked if id in item.tags] for id in class_ids}
    chosen: dict[str, tuple[Item, int]] = {}
    while any(waiting.values()):
        for id, left in waiting.items():
            while left and left[-1].name in chosen:
                left.pop()
            if len(chosen) == count:
                return list(chosen.values())
            if left:
                item = left.pop()
                chosen[item.name] = (item, id)
    return list(chosen.values())


def read(
    run: Run, source: Source, chosen: Iterable[tuple[Item, int]], size: int
) -> Iterator[Example]:
    """The examples of a source in their own shape, with about as many pixels as `size` x `size`.

    What cannot be read is left out and named in a message: an image with its mask, or the mask.
    """
    for item, tag in chosen:
        try:
            image = require_usable(read_image(item.image), item.name)
        except ImageError as problem:
            run.message(f"{problem} Watching goes on without it.")
            continue
        height, width = image.shape[:2]
        image = resized(image, size * math.sqrt(min(height, width) / max(height, width)))
        yield Example(item, tag, image, _truth(run, source, item, image.shape[:2]))


def _truth(run: Run, source: Source, item: Item, size: tuple[int, int]) -> np.ndarray | None:
    if item.truth is None:
        return None
    try:
        truth = source.truth(item)
    except (DataError, ImageError) as problem:
        run.message(f"{problem} Watching goes on without it.")
        return None
    return truth if truth.shape[0] <= size[0] else resize_labels(truth, size)
