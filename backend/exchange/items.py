"""What every data set is once it has been read: a Source of Items."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from backend.errors import DataError
from backend.exchange.names import nearest, some
from backend.images import image_size
from backend.labels import BACKGROUND, IGNORE, read_labels

Draw = Callable[[], np.ndarray]
"""Makes a label map, uint8 (H,W), when it is asked for; raises DataError where it cannot."""


@dataclass(frozen=True)
class Offer:
    """One of several masks that a data set has of an image; `by` is who or what made it."""

    by: str
    draw: Draw
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One image of a data set; `name` is safe as a file name and unique in its source.

    tags are class ids, ascending; truth is a true mask, mask the curated one of a snapshot, verdict
    what was decided ("accept" or "fix", which put the mask there, "reject" or "undecided");
    candidate is the mask that a network proposed for it, whatever was decided, scores its scores.
    Formats that keep outlines or runs instead of files have `drawn` for truth, and `offers` for
    what other people and models drew.
    """

    name: str
    image: Path
    tags: tuple[int, ...] = ()
    truth: Path | None = None
    mask: Path | None = None
    verdict: str | None = None
    candidate: Path | None = None
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    drawn: Draw | None = field(default=None, hash=False, compare=False)
    offers: tuple[Offer, ...] = field(default=(), hash=False, compare=False)


@dataclass(frozen=True)
class Source:
    """A data set: kind ("voc", "tagged", "images", "snapshot", ...), classes by id, items, splits.

    `split` is the split the items are of, None where all are there. `notes` are sentences about
    what was assumed while reading.
    """

    kind: str
    root: Path
    classes: dict[int, str]
    items: list[Item]
    splits: list[str] = field(default_factory=list)
    split: str | None = None
    notes: tuple[str, ...] = ()
    digest: str | None = None

    def only(self, names: Iterable[str]) -> "Source":
        """The same source with just these images, in this order; raises DataError for others."""
        known = {item.name: item for item in self.items}
        wanted = list(dict.fromkeys(names))
        missing = [name for name in wanted if name not in known]
        if missing:
            hint = nearest(missing[0], known)
            raise DataError(
                f"{len(missing)} of the images asked for are not in {self.root}: {some(missing)}."
                + (f" Nearest to {missing[0]}: {hint}." if hint else "")
            )
        return replace(self, items=[known[name] for name in wanted])

    def tagged(self) -> "Source":
        """The same source without untagged images; raises DataError when none is left."""
        items = [item for item in self.items if item.tags]
        if not items:
            raise DataError(
                f"None of the {len(self.items)} images of {self.root} has a tag. Add a tags.csv "
                "with the columns image,tags (tags separated by spaces), or tag them on the page."
            )
        return replace(self, items=items)

    def truth(self, item: Item) -> np.ndarray:
        """The true mask of an item, uint8 (H,W); raises DataError as `checked_mask` does."""
        if item.truth is None:
            raise DataError(f"There is no true mask for {item.name} in {self.root}.")
        return checked_mask(item.truth, item, self.classes)

    def mask(self, item: Item) -> np.ndarray:
        """The curated mask of an item, uint8 (H,W); raises DataError as `checked_mask` does."""
        if item.mask is None:
            raise DataError(f"There is no curated mask for {item.name} in {self.root}.")
        return checked_mask(item.mask, item, self.classes)


def checked_mask(path: Path, item: Item, classes: dict[int, str]) -> np.ndarray:
    """A mask that fits its image, uint8 (H,W).

    Raises DataError naming the image where the mask is of another size or holds an id that is
    neither 0, 255 nor a class, and ImageError where the image itself is unreadable.
    """
    return fitting(read_labels(path), item, classes, str(path))


def best_mask(item: Item, classes: dict[int, str]) -> np.ndarray | None:
    """The curated mask of an item, else its true one, else None; raises as `checked_mask` does."""
    path = item.mask or item.truth
    if path is not None:
        return checked_mask(path, item, classes)
    return None if item.drawn is None else fitting(item.drawn(), item, classes, "its data set")


def fitting(labels: np.ndarray, item: Item, classes: dict[int, str], where: str) -> np.ndarray:
    """The labels, where they fit their image; raises DataError as `checked_mask` says."""
    width, height = image_size(item.image)
    if labels.shape != (height, width):
        raise DataError(
            f"The mask of {item.name} is {labels.shape[1]}x{labels.shape[0]} pixels, its image "
            f"{width}x{height}. A mask must have the size of its image ({where})."
        )
    unknown = set(np.unique(labels).tolist()) - {BACKGROUND, IGNORE} - set(classes)
    if unknown:
        raise DataError(
            f"The mask of {item.name} holds the unknown class id{'s' if len(unknown) > 1 else ''} "
            f"{some(sorted(unknown))}. Known ids: 0 (background), {some(sorted(classes), 25)}, "
            f"255 (ignore). Correct {where} or name the class in classes.txt."
        )
    return labels
