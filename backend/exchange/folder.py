"""A folder of images, with a tags.csv or without."""

import os
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from backend.errors import DataError
from backend.exchange.classes import read_classes
from backend.exchange.items import Item, Source
from backend.exchange.names import counted, image_name, some
from backend.exchange.tags import read_tags
from backend.images import ACCEPTED, SUFFIXES

MASK_FOLDERS = ("masks", "SegmentationClass")
_PASSED_OVER = {"__MACOSX", *MASK_FOLDERS}


def images_in(folder: Path) -> dict[str, Path]:
    """Images of a folder and its subfolders by name, in name order.

    Hidden files and folders, `__MACOSX` and mask folders are passed over. Raises DataError where
    two files would carry the same name.
    """
    found: dict[str, Path] = {}
    for relative in files_in(folder, SUFFIXES):
        name = image_name(relative)
        path = folder / relative
        if name in found:
            raise DataError(
                f"{found[name]} and {path} would both be the image {name}. Rename one of them."
            )
        found[name] = path
    return dict(sorted(found.items()))


def masks_in(root: Path, folders: Iterable[str]) -> dict[str, Path]:
    """PNGs of mask folders by the name of the image they belong to; an earlier folder wins."""
    masks: dict[str, Path] = {}
    for folder in folders:
        for relative in files_in(root / folder, {".png"}):
            masks.setdefault(image_name(relative), root / folder / relative)
    return masks


def files_in(folder: Path, suffixes: Container[str]) -> Iterator[str]:
    """Paths relative to a folder, with `/`, of the files that end so, in order."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if each not in _PASSED_OVER and each[0] != ".")
        inner = Path(here).relative_to(folder).as_posix()
        begin = "" if inner == "." else f"{inner}/"
        for file in sorted(files):
            _, dot, suffix = file.rpartition(".")
            if file[0] != "." and f"{dot}{suffix}".lower() in suffixes:
                yield f"{begin}{file}"


def open_tagged(root: Path, split: str | None = None) -> Source:
    """A folder with tags.csv: images beside it or in images/, masks in masks/; raises DataError."""
    _refuse_split(root, split)
    named = root / "classes.txt"
    classes = read_classes(named) if named.is_file() else None
    tags, classes = read_tags(root / "tags.csv", classes)
    found = images_in(_image_folder(root))
    missing = [name for name in tags if name not in found]
    if missing:
        raise DataError(
            f"{root / 'tags.csv'} names {counted(len(missing), 'image')} not to be found: "
            f"{some(missing)}. "
            "Images stand beside tags.csv or in a folder images."
        )
    if not found:
        raise DataError(f"{root} holds a tags.csv but no images. {ACCEPTED} are read.")
    masks = masks_in(root, MASK_FOLDERS)
    items = [
        Item(name=name, image=path, tags=tags.get(name, ()), truth=masks.get(name))
        for name, path in found.items()
    ]
    untagged = sum(not item.tags for item in items)
    notes = (f"{untagged} of {len(items)} images have no tags.",) if untagged else ()
    return Source("tagged", root, classes, items, notes=notes)


def open_images(root: Path, split: str | None = None) -> Source:
    """A folder of images and nothing else; raises DataError where there is none."""
    _refuse_split(root, split)
    found = images_in(_image_folder(root))
    if not found:
        raise DataError(
            f"{root} holds no data set Tagmask knows: no JPEGImages, no tags.csv, no "
            "manifest.json, no images."
        )
    items = [Item(name=name, image=path) for name, path in found.items()]
    return Source("images", root, {}, items)


def _image_folder(root: Path) -> Path:
    return root / "images" if (root / "images").is_dir() else root


def _refuse_split(root: Path, split: str | None) -> None:
    if split not in (None, "all"):
        raise DataError(
            f"{root} has no split {split}: splits are lists in ImageSets/Segmentation of a folder "
            "in VOC layout."
        )
