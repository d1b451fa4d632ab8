"""A data set written out in VOC layout, as a folder or as a zip: all of it or nothing."""

import csv
import io
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from backend.atomic import unwritable
from backend.errors import DataError
from backend.exchange.items import Item, Source, checked_mask
from backend.exchange.names import image_name
from backend.images import encode_jpeg, plain_jpeg, read_image
from backend.labels import encode_labels

JPEG_QUALITY = 95
SPLIT = "train"


def export_folder(source: Source, destination: str | Path) -> Path:
    """Write a source as a folder in VOC layout; returns the folder.

    JPEGImages, SegmentationClass (the curated mask, else the true one), ImageSets, tags.csv and
    classes.txt. Written beside the destination first and renamed at the end. Raises DataError
    where the destination is there already, a mask does not fit its image, or the disk is full, and
    ImageError for an unreadable image.
    """
    destination = Path(destination)

    def fill(partial: Path) -> None:
        for relative, data in _files(source):
            file = partial / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    return _whole(destination, fill, lambda partial: shutil.rmtree(partial, ignore_errors=True))


def export_zip(source: Source, destination: str | Path) -> Path:
    """Write a source as a zip in VOC layout, in one folder named as the zip; returns the zip.

    As `export_folder` otherwise; the same source gives the same bytes.
    """
    destination = Path(destination)

    def fill(partial: Path) -> None:
        with zipfile.ZipFile(partial, "x") as archive:
            for relative, data in _files(source):
                # A fixed date, so that the same source gives the same zip.
                info = zipfile.ZipInfo(f"{destination.stem}/{relative}")
                info.external_attr = 0o644 << 16
                packed = not relative.startswith(("JPEGImages", "SegmentationClass"))
                info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
                archive.writestr(info, data)

    return _whole(destination, fill, lambda partial: partial.unlink(missing_ok=True))


def _whole(
    destination: Path, fill: Callable[[Path], None], discard: Callable[[Path], None]
) -> Path:
    """Fill a partial file or folder beside the destination, then rename it there."""
    if destination.exists():
        raise DataError(f"{destination} is there already. Name another place, or remove it first.")
    partial = destination.with_name(f".{destination.name[:80]}.{secrets.token_hex(6)}.partial")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        fill(partial)
        partial.rename(destination)
    except OSError as problem:
        discard(partial)
        raise DataError(unwritable(destination, problem)) from problem
    except BaseException:
        discard(partial)
        raise
    return destination


def _files(source: Source) -> Iterator[tuple[str, bytes]]:
    """(relative path, bytes) of every file of the export, images first."""
    if not source.items:
        raise DataError(f"There are no images in {source.root} to export.")
    names = _names(source.items)
    for name, item in zip(names, source.items, strict=True):
        yield f"JPEGImages/{name}.jpg", _jpeg(item)
        mask = item.mask or item.truth
        if mask is not None:
            labels = checked_mask(mask, item, source.classes)
            yield f"SegmentationClass/{name}.png", encode_labels(labels)
    yield f"ImageSets/Segmentation/{SPLIT}.txt", "".join(f"{name}\n" for name in names).encode()
    yield "tags.csv", _tags_csv(names, source)
    if source.classes:
        lines = (source.classes.get(id, "") for id in range(1, max(source.classes) + 1))
        yield "classes.txt", "".join(f"{line}\n" for line in lines).encode()


def _names(items: list[Item]) -> list[str]:
    """File names without extension, one of its own for every item: `a.jpg`, `a.png` -> a, a-2."""
    names: dict[str, None] = {}
    for item in items:
        name = base = image_name(item.name)
        number = 1
        while name in names:
            number += 1
            name = f"{base}-{number}"
        names[name] = None
    return list(names)


def _jpeg(item: Item) -> bytes:
    """The image's own bytes where they are a JPEG that every reader shows the same way."""
    if plain_jpeg(item.image):
        return item.image.read_bytes()
    return encode_jpeg(read_image(item.image), JPEG_QUALITY)


def _tags_csv(names: list[str], source: Source) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "tags"])
    for name, item in zip(names, source.items, strict=True):
        writer.writerow([name, " ".join(source.classes[tag] for tag in item.tags)])
    return text.getvalue().encode()
