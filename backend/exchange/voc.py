"""A Pascal VOC devkit: JPEGImages, SegmentationClass(Aug), ImageSets, and tags.

Tags come from the first of these that is there: tags.csv; cls_labels.npy; Annotations/*.xml; the
masks. The SBD list `train_aug` and the masks in SegmentationClassAug are understood, also where the
list's lines are pairs of paths.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from backend.errors import DataError
from backend.exchange.class_vectors import read_class_vectors
from backend.exchange.classes import VOC_IDS, read_classes, read_text
from backend.exchange.folder import images_in, masks_in
from backend.exchange.items import Item, Source
from backend.exchange.names import counted, image_name, some
from backend.exchange.tags import parse_tags, read_tags
from backend.labels import BACKGROUND, IGNORE, read_labels

DEFAULT_SPLITS = ("train_aug", "trainaug", "train")
_LARGEST_XML = 4_000_000


def find_voc(path: Path) -> Path | None:
    """The folder that holds JPEGImages: `path`, or VOC2012 in it, in a VOCdevkit or beside."""
    tries = [path]
    for parent in (path, path / "VOCdevkit", path / "TrainVal" / "VOCdevkit"):
        tries.append(parent / "VOC2012")
        tries.extend(sorted(parent.glob("VOC20[0-9][0-9]"), reverse=True))
    return next((folder for folder in tries if (folder / "JPEGImages").is_dir()), None)


def open_voc(root: Path, split: str | None = None) -> Source:
    """A VOC devkit's images of one split; raises DataError."""
    found = images_in(root / "JPEGImages")
    if not found:
        raise DataError(f"{root / 'JPEGImages'} holds no images.")
    if (root / "Originals").is_dir():
        # What an export had to write anew as JPEG stands here as it was.
        found |= {n: file for n, file in images_in(root / "Originals").items() if n in found}
    lists = root / "ImageSets" / "Segmentation"
    splits = sorted(file.stem for file in lists.glob("*.txt")) if lists.is_dir() else []
    split = _resolve(split, splits, root)
    listed = (
        {name: None for name in found}
        if split is None
        else _read_list(lists / f"{split}.txt", found)
    )
    missing = [name for name in listed if name not in found]
    if missing:
        raise DataError(
            f"{lists / f'{split}.txt'} names {counted(len(missing), 'image')} not to be found in "
            f"{root / 'JPEGImages'}: {some(missing)}."
        )
    # VOC's own masks win over SBD's, whose borders are coarser.
    masks = masks_in(root, ("SegmentationClass", "SegmentationClassAug"))
    truths = {name: _inside(root, paired) or masks.get(name) for name, paired in listed.items()}
    tags, classes, notes = _tags(root, truths)
    items = [
        Item(name=name, image=found[name], tags=tags.get(name, ()), truth=truths[name])
        for name in listed
    ]
    return Source("voc", root, classes, items, splits, split, notes)


def _resolve(split: str | None, splits: list[str], root: Path) -> str | None:
    """The split to read; None stands for every image."""
    if split is None:
        return next((name for name in DEFAULT_SPLITS if name in splits), None)
    if split in splits:
        return split
    if split == "all":
        return None
    raise DataError(
        f"{root} has no split {split}. There are: {some(splits, 20) or 'none'}; 'all' takes every "
        "image."
    )


def _read_list(path: Path, found: Mapping[str, Path]) -> dict[str, str | None]:
    """Names of a split, in order, each with the mask path the line gives beside it, if any."""
    names: dict[str, str | None] = {}
    for line in filter(None, map(str.strip, read_text(path).splitlines())):
        first, _, paired = line.partition(" ")
        if image_name(line) in found:
            first, paired = line, ""
        name = image_name(first.rpartition("JPEGImages/")[2])
        names.setdefault(name, paired.strip() if paired.strip().endswith(".png") else None)
    if not names:
        raise DataError(f"{path} is empty. Write one image name a line.")
    return names


def _inside(root: Path, paired: str | None) -> Path | None:
    """A mask path of a list, where it stays in the devkit and exists."""
    if paired is None:
        return None
    path = root / paired.lstrip("/")
    inside = path.resolve().is_relative_to(root.resolve())
    return path if inside and path.is_file() else None


def _tags(
    root: Path, truths: dict[str, Path | None]
) -> tuple[dict[str, tuple[int, ...]], dict[int, str], tuple[str, ...]]:
    """(tags by image name, classes, notes) from the first source of tags that is there."""
    named = root / "classes.txt"
    classes = read_classes(named) if named.is_file() else None
    if (root / "tags.csv").is_file():
        tags, classes = read_tags(root / "tags.csv", classes)
        return tags, classes, ()
    classes = classes or VOC_IDS
    for folder in (root, root / "ImageSets" / "Segmentation"):
        if (folder / "cls_labels.npy").is_file():
            return read_class_vectors(folder / "cls_labels.npy", classes), classes, ()
    return _tags_per_image(root, truths, classes)


def _tags_per_image(
    root: Path, truths: dict[str, Path | None], classes: dict[int, str]
) -> tuple[dict[str, tuple[int, ...]], dict[int, str], tuple[str, ...]]:
    tags: dict[str, tuple[int, ...]] = {}
    from_masks = 0
    for name, truth in truths.items():
        annotation = root / "Annotations" / f"{name}.xml"
        if annotation.is_file():
            tags[name] = _tags_of_annotation(annotation, classes)
        elif truth is not None:
            from_masks += 1
            found = set(np.unique(read_labels(truth)).tolist()) - {BACKGROUND, IGNORE}
            tags[name] = tuple(sorted(found & set(classes)))
    note = f"The tags of {from_masks} images were taken from their true masks."
    return tags, classes, (note,) if from_masks else ()


def _tags_of_annotation(path: Path, classes: dict[int, str]) -> tuple[int, ...]:
    """Ids of the objects of a VOC annotation; the parts of objects (head, hand) are no tags."""
    if path.stat().st_size > _LARGEST_XML:
        raise DataError(f"{path} is too large for an annotation.")
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError(f"{path} declares XML entities, which annotations do not need.")
    try:
        objects = ElementTree.fromstring(text).findall("object")
    except ElementTree.ParseError as problem:
        raise DataError(f"{path} is not readable XML: {problem}.") from problem
    words = [found.findtext("name", default="").strip() for found in objects]
    return parse_tags(", ".join(words), classes, where=str(path))
