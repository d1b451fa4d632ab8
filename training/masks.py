"""Which mask each image is learnt from: a run's proxy labels, a snapshot's, or true ones."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.exchange.names import some
from backend.exchange.sources import Item, Source, open_source
from backend.labels import BACKGROUND, IGNORE
from training.errors import TrainingError
from training.run import CONFIG, Run, read_config
from training.sources import to_measure

LABELS = "labels"
READERS = 4


@dataclass(frozen=True)
class Masked:
    """What a segmenter learns from.

    whole: the images of --data; taught: those of them that have a mask, which is the `mask` of the
    Item; class_ids: the ids, ascending, that any mask holds; origin: for the run's record.
    """

    whole: Source
    taught: Source
    class_ids: list[int]
    origin: dict[str, Any]


def open_masked(run: Run, earlier: str, strong: str) -> Masked:
    """The images of --data with the masks that they are learnt from.

    earlier: the folder of a run with labels/IMAGE.png; "" for the masks of a snapshot. strong: a
    list of ImageSets/Segmentation whose images are learnt from their true masks instead. Every mask
    is read once, so that what is wrong with one is said before the training. Raises TrainingError
    where no image has a mask or none holds a class, DataError for a mask of another size than its
    image or with an id that is no class.
    """
    if run.data is None:
        raise TrainingError(
            "--data is missing. Name a VOC devkit, a folder with tags.csv or a snapshot's "
            "manifest.json."
        )
    whole = to_measure(open_source(run.data, run.split), run)
    for note in whole.notes:
        run.message(note)
    source = with_labels(whole, Path(earlier)) if earlier else whole
    if strong:
        source = with_true_masks(run, source, strong)
    taught = with_masks_only(run, source, earlier, strong)
    held, digest = look_through(run, taught)
    class_ids = classes_in(held, len(taught.items))
    absent = [name for id, name in source.classes.items() if id not in class_ids]
    if absent:
        run.message(
            f"No mask holds {some(absent, 25)}; the network does not learn "
            f"{'it' if len(absent) == 1 else 'them'}."
        )
    return Masked(whole, taught, class_ids, _origin(taught, earlier, strong, digest))


def classes_in(held: set[int], masks: int) -> list[int]:
    """The ids of classes, ascending, among all that so many masks hold; TrainingError for none."""
    class_ids = sorted(held - {BACKGROUND, IGNORE})
    if not class_ids:
        raise TrainingError(
            f"None of the {masks} masks holds a pixel of a class: there is nothing to tell from "
            "the background. Make other labels, or accept masks with objects in them."
        )
    return class_ids


def with_labels(source: Source, earlier: Path) -> Source:
    """The source with the labels of a run as its masks; images without any have none.

    Raises TrainingError where the folder holds no labels.
    """
    folder = earlier / LABELS
    there = {path.stem for path in folder.glob("*.png")}
    if not there:
        raise TrainingError(
            f"{earlier} has no labels ({LABELS}/IMAGE.png). Give with --from a finished run that "
            "made some, such as one of the recipe labels."
        )
    items = [
        replace(item, mask=folder / f"{item.name}.png" if item.name in there else None)
        for item in source.items
    ]
    return replace(source, items=items)


def with_true_masks(run: Run, source: Source, strong: str) -> Source:
    """The source with the true masks of a list's images in the place of whatever they had.

    Only images of the source are learnt from: others of the list are counted in a message. Raises
    DataError where there is no such list, TrainingError where an image of it has no true mask.
    """
    assert run.data is not None
    listed = {item.name for item in open_source(run.data, strong).items}
    known = [item for item in source.items if item.name in listed]
    bare = [item.name for item in known if item.truth is None]
    if bare:
        raise TrainingError(
            f"{len(bare)} images of the list {strong} have no true mask: {some(bare)}. Name with "
            "--strong a list of images that have one."
        )
    if not known:
        raise TrainingError(
            f"No image of the list {strong} is among the {len(source.items)} images that are learnt"
            " from. Name another with --strong, or another --split."
        )
    beside = len(listed) - len(known)
    more = f" {beside} others of the list are not in the split." if beside else ""
    run.message(f"{len(known)} images are learnt from their true masks ({strong}).{more}")
    names = {item.name for item in known}
    items = [
        replace(item, mask=item.truth if item.name in names else item.mask) for item in source.items
    ]
    return replace(source, items=items)


def with_masks_only(run: Run, source: Source, earlier: str = "", strong: str = "") -> Source:
    """The images that have a mask; how many have none is said. TrainingError where none has."""
    items = [item for item in source.items if item.mask is not None]
    if not items:
        where = f"in {earlier}/{LABELS}" if earlier else "as its mask"
        raise TrainingError(
            f"None of the {len(source.items)} images of {source.root} has a label map {where}. "
            "Give with --from a run over the same images that made labels, train on a snapshot "
            "with accepted masks, or name with --strong a list of images with true masks."
        )
    left = len(source.items) - len(items)
    if left:
        bare = [item.name for item in source.items if item.mask is None]
        run.message(
            f"{left} of {len(source.items)} images have no label map and are left out: "
            f"{some(bare)}."
        )
    return replace(source, items=items)


def look_through(run: Run, source: Source) -> tuple[set[int], str]:
    """The ids that the masks hold, and a digest of them all; raises as `Source.mask` does.

    Masks in which nothing but 255 stands are counted in a message: they teach nothing.
    """
    told = hashlib.sha256()
    held: set[int] = set()
    empty: list[str] = []
    for number, (item, ids, digest) in enumerate(_each_mask(source)):
        run.check()
        told.update(f"{item.name} ".encode() + digest)
        held |= ids
        if ids == {IGNORE}:
            empty.append(item.name)
        run.progress(number + 1, len(source.items), stage="masks")
    if len(empty) == len(source.items):
        raise TrainingError(
            f"All {len(empty)} masks hold nothing but 255, which is ignored: there is nothing to "
            "learn from. Make other labels."
        )
    if empty:
        run.message(f"{len(empty)} masks hold nothing but 255 and teach nothing: {some(empty)}.")
    return held, told.hexdigest()


def _each_mask(source: Source) -> Iterator[tuple[Item, set[int], bytes]]:
    def read(item: Item) -> tuple[Item, set[int], bytes]:
        mask = source.mask(item)
        ids = set(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist())
        return item, ids, hashlib.sha256(mask.tobytes()).digest()

    # A part at a time, so that a stop is heard and what waits to be looked at stays small.
    part = 64 * READERS
    with ThreadPoolExecutor(READERS) as readers:
        for first in range(0, len(source.items), part):
            yield from readers.map(read, source.items[first : first + part])


def _origin(taught: Source, earlier: str, strong: str, digest: str) -> dict[str, Any]:
    """What a run's record says of the masks."""
    told: dict[str, Any] = {"masks": len(taught.items), "digest": digest}
    if earlier:
        told["run"] = Path(earlier).name
        if (Path(earlier) / CONFIG).is_file():
            config = read_config(Path(earlier))
            told |= {"recipe": config["recipe"], "settings": config["settings"]}
    else:
        told["of"] = "the true masks" if strong else "the snapshot"
    if strong:
        told["strong"] = strong
        told["true_masks"] = sum(item.mask == item.truth for item in taught.items)
    return told
