"""Tags from folder names: DIR/cat/1.jpg is an image of a cat."""

from dataclasses import replace
from pathlib import Path

from backend.errors import DataError
from backend.exchange.annotated import vocabulary
from backend.exchange.folder import open_images
from backend.exchange.items import Source
from backend.exchange.names import fit_class_name

NOT_CLASSES = frozenset(
    {"train", "val", "valid", "validation", "test", "images", "jpegimages", "all", "data"}
)
"""Folders that part a data set instead of naming what is in it; the next one below counts."""


def open_by_folders(root: Path) -> Source:
    """A folder of images, each tagged with the first folder above it that is no split's.

    Raises DataError where no image lies in such a folder.
    """
    source = open_images(root)
    named: dict[str, str] = {}
    for item in source.items:
        folders = item.image.relative_to(root).parts[:-1]
        first = next((each for each in folders if each.casefold() not in NOT_CLASSES), None)
        if first is not None:
            # People write traffic_light where a class is called traffic light: both are names.
            named[item.name] = fit_class_name(first)
    if not named:
        raise DataError(
            f"No image of {root} lies in a folder that names what it shows, as {root}/cat/1.jpg "
            "would. Bring the images in without tags from folder names."
        )
    spelt: dict[str, str] = {}
    for each in named.values():
        spelt.setdefault(each.casefold(), each)
    words = vocabulary(dict.fromkeys(spelt.values()), root, str(root))
    items = [
        replace(item, tags=words.tags([spelt[named[item.name].casefold()]]))
        if item.name in named
        else item
        for item in source.items
    ]
    bare = len(items) - len(named)
    notes = (f"{bare} of {len(items)} images lie in no such folder: no tags.",) if bare else ()
    return Source("folders", root, words.classes, items, notes=notes)
