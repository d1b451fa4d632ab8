"""A data set written out for other programs, as a folder or as a zip."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from backend.errors import DataError
from backend.exchange.coco import coco_entries
from backend.exchange.cvat import cvat_entries
from backend.exchange.entries import Entry, classes_txt, original, tags_csv, unique_names
from backend.exchange.items import Item, Source, checked_mask
from backend.exchange.label_studio_writing import label_studio_entries
from backend.exchange.writing import Tell, write_folder, write_zip
from backend.images import encode_jpeg, plain_jpeg, read_image
from backend.labels import encode_labels

JPEG_QUALITY = 95
SPLIT = "train"
ORIGINALS = "Originals"
"""Beside JPEGImages: the files that had to be written anew as JPEG, as they were."""


def voc_entries(source: Source) -> Iterator[Entry]:
    """A source in VOC layout: JPEGImages, SegmentationClass (the curated mask, else the true one),
    ImageSets, tags.csv and classes.txt, images first.

    What is no plain JPEG is written anew as one, for VOC's readers, and as it is in Originals.
    """
    named = list(unique_names(source.items))
    for done, (name, item) in enumerate(named, start=1):
        if plain_jpeg(item.image):
            yield Entry(f"JPEGImages/{name}.jpg", item.image, done)
        else:
            yield Entry(f"JPEGImages/{name}.jpg", partial(_jpeg, item), done)
            yield original(f"{ORIGINALS}/{name}", item, done)
        mask = item.mask or item.truth
        if mask is not None:
            content = partial(_mask, mask, item, source)
            yield Entry(f"SegmentationClass/{name}.png", content, done)
    names, done = [name for name, _ in named], len(named)
    listed = "".join(f"{name}\n" for name in names).encode()
    yield Entry(f"ImageSets/Segmentation/{SPLIT}.txt", listed, done)
    yield Entry("tags.csv", tags_csv(names, source), done)
    if source.classes:
        yield Entry("classes.txt", classes_txt(source.classes), done)


FORMATS: dict[str, Callable[[Source], Iterator[Entry]]] = {
    "voc": voc_entries,
    "coco": coco_entries,
    "label-studio": label_studio_entries,
    "cvat": cvat_entries,
}
"""What writes a source for other programs, by the format's name."""


def entries_of(source: Source, format: str) -> Iterator[Entry]:
    """The files of an export; raises DataError for an empty source."""
    if not source.items:
        raise DataError(f"There are no images in {source.root} to export.")
    return FORMATS[format](source)


def export_folder(
    source: Source,
    destination: str | Path,
    format: str = "voc",
    *,
    key: str | None = None,
    tell: Tell | None = None,
) -> Path:
    """Writes a source as a folder; returns the folder.

    Written beside the destination first and renamed at the end. Raises DataError where the
    destination is there already, a mask does not fit its image, or the disk is full, and
    ImageError for an unreadable image. `key` and `tell`: as `backend.exchange.writing` says.
    """
    return write_folder(entries_of(source, format), Path(destination), key=key, tell=tell)


def export_zip(
    source: Source,
    destination: str | Path,
    format: str = "voc",
    *,
    key: str | None = None,
    tell: Tell | None = None,
) -> Path:
    """Writes a source as a zip, in one folder named as the zip; returns the zip.

    As `export_folder` otherwise; the same source gives the same bytes.
    """
    return write_zip(entries_of(source, format), Path(destination), key=key, tell=tell)


def _jpeg(item: Item) -> bytes:
    return encode_jpeg(read_image(item.image), JPEG_QUALITY)


def _mask(path: Path, item: Item, source: Source) -> bytes:
    """The label PNG, byte for byte where it has a palette, so that its digest stays."""
    labels = checked_mask(path, item, source.classes)
    data = path.read_bytes()
    return data if b"PLTE" in data[:64] else encode_labels(labels)
