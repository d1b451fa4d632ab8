"""The data set of a run: opened, cut to what tags can teach, and described for its record."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from backend.errors import DataError, ImageError
from backend.exchange.names import some
from backend.exchange.sources import Item, Source, open_source
from backend.images import SMALLEST_SIDE, image_size
from backend.labels import IGNORE
from training.errors import TrainingError
from training.run import Run


@dataclass(frozen=True)
class MeasuredSource(Source):
    """A source whose true masks only measure: one that cannot be used is told once, and counts
    nowhere.
    """

    tell: Callable[[str], None] = print
    told: set[str] = field(default_factory=set, compare=False)

    def truth(self, item: Item) -> np.ndarray:
        """The true mask of an item, uint8 (H,W); 255 throughout where it cannot be used."""
        try:
            return super().truth(item)
        except (DataError, ImageError) as problem:
            width, height = image_size(item.image)
            if item.name not in self.told:
                self.told.add(item.name)
                self.tell(f"{problem} {item.name} is not measured.")
            return np.full((height, width), IGNORE, np.uint8)


def to_measure(source: Source, run: Run) -> MeasuredSource:
    """A source whose unusable true masks are told in the run's messages and end nothing."""
    known = {each.name: getattr(source, each.name) for each in fields(Source)}
    return MeasuredSource(**known, tell=run.message)


def open_tagged(run: Run) -> tuple[Source, list[int]]:
    """The tagged images of --data, and the ids, ascending, of the classes that any of them has.

    Classes without an image are left out of the network and named in a message. Raises DataError
    for unusable data, data without tags or images too small to learn from, and ImageError for one
    whose header cannot be read: training would meet them half way.
    """
    if run.data is None:
        raise TrainingError(
            "--data is missing. Name a VOC devkit, a folder with tags.csv or a "
            "snapshot's manifest.json."
        )
    whole = to_measure(open_source(run.data, run.split), run)
    for note in whole.notes:
        run.message(note)
    source = whole.tagged()
    untagged = len(whole.items) - len(source.items)
    if untagged:
        run.message(f"{untagged} images without tags are left out.")
    _require_large_enough(source)
    present = sorted({tag for item in source.items for tag in item.tags})
    absent = [name for id, name in source.classes.items() if id not in present]
    if absent:
        run.message(
            f"No image has the tag {some(absent, 25)}; the network does not learn "
            f"{'it' if len(absent) == 1 else 'them'}."
        )
    return source, present


def _require_large_enough(source: Source) -> None:
    sizes = ((item.name, *image_size(item.image)) for item in source.items)
    small = [
        f"{name} ({width}x{height})"
        for name, width, height in sizes
        if min(width, height) < SMALLEST_SIDE
    ]
    if small:
        raise DataError(
            f"Too small to learn from: {some(small)}. Both sides of an image must be at least "
            f"{SMALLEST_SIDE} pixels; take {'it' if len(small) == 1 else 'them'} out of the data "
            "or of the list in --split, or put larger ones in their place."
        )


def described(source: Source) -> dict[str, Any]:
    """What a run's record says of its data: kind, split, count, and a digest of names and tags."""
    listed = "\n".join(f"{item.name} {item.tags}" for item in source.items)
    return {
        "path": str(source.root),
        "kind": source.kind,
        "split": source.split,
        "images": len(source.items),
        "digest": source.digest or hashlib.sha256(listed.encode()).hexdigest(),
    }
