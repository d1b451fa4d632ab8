"""Images with masks of what stands out in them, read as one class, "salient".

Masks are 0, 1 and 255, so that whatever learns from or looks at a Source works on them.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from backend.errors import DataError
from backend.exchange.folder import MASK_FOLDERS, masks_in
from backend.exchange.items import Item, Source, checked_mask
from backend.exchange.names import some
from backend.images import image_size, read_image
from backend.labels import BACKGROUND, IGNORE
from training.errors import TrainingError
from training.run import Run

SALIENT = 1
READERS = 4
# JPEG may move the channels of a grey mask apart by a level or two.
COLOURLESS = 8


@dataclass(frozen=True)
class SalientSource(Source):
    """A source whose masks are uint8 (H,W): 1 salient, 0 not, 255 ignored.

    named: the classes of its mask files, any of which is salient; None where white is.
    """

    named: dict[int, str] | None = None

    def truth(self, item: Item) -> np.ndarray:
        """The mask of an item; DataError where it is unreadable, of another size, or in colour."""
        return self.mask(item)

    def mask(self, item: Item) -> np.ndarray:
        """As `truth`: what is learnt from is what is measured against, on other images."""
        if item.mask is None:
            raise DataError(f"There is no mask for {item.name} in {self.root}.")
        if self.named is None:
            return white_mask(item.mask, item)
        return any_class(checked_mask(item.mask, item, self.named))


@dataclass(frozen=True)
class Looked:
    """What a mask holds: its class ids, which part is salient, which is known, and a digest."""

    ids: frozenset[int]
    salient: float
    known: float
    digest: bytes


def with_masks(run: Run, opened: Source, masks: str, reading: str) -> SalientSource:
    """The images of a source that have a mask; those without are left out and named."""
    folder = Path(masks) if masks else None
    if folder is not None and not folder.is_dir():
        raise DataError(f"The folder of masks {folder} does not exist.")
    if folder is not None:
        beside = masks_in(folder, (".",))
    else:
        beside = masks_in(opened.root, MASK_FOLDERS) if opened.kind == "images" else {}
    items, bare = [], []
    for item in opened.items:
        path = beside.get(item.name) if beside or folder else item.mask or item.truth
        if path is None:
            bare.append(item.name)
        else:
            items.append(replace(item, mask=path, truth=path))
    if not items:
        what = (
            "Accept masks first, and train on a snapshot of them."
            if opened.kind == "snapshot"
            else "Put a mask named like its image, IMAGE.png, into a folder masks beside images, "
            "or name the folder with --masks."
        )
        raise DataError(
            f"None of the {len(opened.items)} images of {opened.root} has a mask. {what}"
        )
    if bare:
        run.message(
            f"{len(bare)} of {len(opened.items)} images have no mask and are left out: "
            f"{some(bare)}."
        )
    if reading == "auto":
        reading = "white" if opened.kind == "images" else "classes"
    if reading == "classes" and not opened.classes:
        raise TrainingError(
            f"{opened.root} names no classes, so its masks cannot be read as class ids. Write a "
            "classes.txt and a tags.csv, or take --reading white."
        )
    named = None if reading == "white" else opened.classes
    values = {each.name: getattr(opened, each.name) for each in fields(Source)}
    return SalientSource(**{**values, "items": items, "classes": {SALIENT: "salient"}}, named=named)


def look_through(run: Run, source: SalientSource) -> tuple[SalientSource, dict[str, Looked]]:
    """The images whose masks say something, tagged "salient", and what each mask holds.

    A mask of nothing but 255 is left out and named. Raises DataError for a mask that cannot be
    read, is of another size or in colour, and TrainingError where nothing is salient anywhere.
    """
    looked: dict[str, Looked] = {}
    kept, empty = [], []
    for number, (item, found) in enumerate(_each(source)):
        run.check()
        run.progress(number + 1, len(source.items), stage="masks")
        if found.known == 0:
            empty.append(item.name)
            continue
        # What it was tagged with counts, too: a mask may leave an object out.
        looked[item.name] = replace(found, ids=found.ids | frozenset(item.tags))
        kept.append(replace(item, tags=(SALIENT,)))
    if empty:
        run.message(f"{len(empty)} masks hold nothing but 255 and are left out: {some(empty)}.")
    if not any(found.salient for found in looked.values()):
        hint = " If white means salient in them, add --reading white." if source.named else ""
        raise TrainingError(
            f"None of the {len(source.items)} masks has a salient pixel: there is nothing to "
            f"learn.{hint}"
        )
    return replace(source, items=kept), looked


def white_mask(path: Path, item: Item) -> np.ndarray:
    """A grey mask as uint8 (H,W): 1 from half white on. Where nothing is above 1, 1 is salient."""
    pixels = read_image(path)
    width, height = image_size(item.image)
    if pixels.shape[:2] != (height, width):
        raise DataError(
            f"The mask of {item.name} is {pixels.shape[1]}x{pixels.shape[0]} pixels, its image "
            f"{width}x{height}. A mask must have the size of its image ({path})."
        )
    if int(np.ptp(pixels.astype(np.int16), axis=2).max()) > COLOURLESS:
        raise DataError(
            f"{path} is in colour; a saliency mask is grey, white where it is salient. If its "
            "colours are class ids of a palette PNG, add --reading classes."
        )
    grey = pixels[..., 0]
    return (grey > (127 if grey.max() > 1 else 0)).astype(np.uint8)


def any_class(labels: np.ndarray) -> np.ndarray:
    """Labels uint8 (H,W) with every class as 1; 255 stays."""
    return np.where(labels == IGNORE, IGNORE, labels != BACKGROUND).astype(np.uint8)


def _each(source: SalientSource) -> Iterator[tuple[Item, Looked]]:
    def read(item: Item) -> tuple[Item, Looked]:
        assert item.mask is not None
        ids: frozenset[int] = frozenset()
        if source.named is None:
            mask = white_mask(item.mask, item)
        else:
            labels = checked_mask(item.mask, item, source.named)
            ids = frozenset(np.unique(labels).tolist()) - {BACKGROUND, IGNORE}
            mask = any_class(labels)
        digest = hashlib.sha256(mask.tobytes()).digest()
        return item, Looked(
            ids, float((mask == SALIENT).mean()), float((mask != IGNORE).mean()), digest
        )

    # A part at a time, so that a stop is heard and what waits to be looked at stays small.
    chunk = 64 * READERS
    with ThreadPoolExecutor(READERS) as readers:
        for first in range(0, len(source.items), chunk):
            yield from readers.map(read, source.items[first : first + chunk])
