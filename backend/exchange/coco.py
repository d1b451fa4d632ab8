"""COCO's JSON, of things (`instances`) and of stuff: regions as outlines or run lengths."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import DataError
from backend.exchange.annotated import (
    IGNORED,
    Finder,
    Vocabulary,
    image_root,
    missing_note,
    vocabulary,
)
from backend.exchange.entries import Entry, encoded_json, original, unique_names
from backend.exchange.items import Draw, Item, Source, best_mask
from backend.exchange.names import image_name
from backend.exchange.painting import check_size, compressed, outlines, paint, runs, small_on_top
from backend.images import image_size
from backend.labels import BACKGROUND, IGNORE

ANNOTATIONS = "annotations/instances_all.json"
_KINDS = ("stuff", "instances")


def is_coco(told: Any) -> bool:
    """Whether a JSON file's content is COCO's by its keys."""
    return isinstance(told, dict) and {"images", "annotations", "categories"} <= told.keys()


def open_coco(files: Mapping[Path, Any], images: Path | None = None) -> Source:
    """The images of one or several COCO files (path and content), those named twice put together.

    Of regions that overlap the smaller lies on top, things over stuff. Raises DataError for files
    that are not COCO's or whose images are not there; a region that cannot be drawn is an error of
    its image only, when it is drawn.
    """
    paths = sorted(files, key=_order)
    told = [_checked(path, files[path]) for path in paths]
    root = image_root(paths[0])
    labels: dict[str, int | None] = {}
    for each in told:
        for category in each["categories"]:
            labels.setdefault(str(category["name"]), category.get("id"))
    words = vocabulary(labels, root, str(paths[0]))
    finder = Finder(images or root)
    items: dict[str, Item] = {}
    missing: list[str] = []
    for path, each in zip(paths, told, strict=True):
        ids = {c["id"]: words.ids[str(c["name"])] for c in each["categories"]}
        regions: dict[Any, list[dict[str, Any]]] = {}
        for region in each["annotations"]:
            regions.setdefault(region["image_id"], []).append(region)
        for image in each["images"]:
            file = finder.find(str(image["file_name"]))
            if file is None:
                missing.append(str(image["file_name"]))
                continue
            item = _item(path, image, file, regions.get(image["id"], []), ids, words)
            items[item.name] = _together(items.get(item.name), item)
    notes = [*words.notes, *missing_note(missing, len(items), paths[0], finder.folder)]
    return Source("coco", root, words.classes, list(items.values()), notes=tuple(notes))


def _order(path: Path) -> tuple[int, str]:
    """Stuff before things, so that things are painted over it."""
    kind = next((i for i, name in enumerate(_KINDS) if path.name.startswith(name)), len(_KINDS))
    return kind, path.name


def _checked(path: Path, told: Any) -> dict[str, Any]:
    """The file's content, every entry with the keys that are read of it; raises DataError."""
    if not is_coco(told):
        raise DataError(f"{path} is not COCO's: it lacks images, annotations or categories.")
    needs = {
        "images": ("id", "file_name", "width", "height"),
        "annotations": ("image_id", "category_id"),
        "categories": ("id", "name"),
    }
    for key, names in needs.items():
        if not isinstance(told[key], list):
            raise DataError(f"{path} is not COCO's: its {key} are no list.")
        for each in told[key]:
            if not isinstance(each, dict) or any(name not in each for name in names):
                raise DataError(
                    f"{path} is not COCO's: one of its {key} lacks {', '.join(names)}: "
                    f"{str(each)[:80]}."
                )
            keyed = (each.get(n) for n in ("id", "image_id", "category_id"))
            if not all(isinstance(k, int | str | None) for k in keyed):
                raise DataError(f"{path} is not COCO's: an id is no number: {str(each)[:80]}.")
    known = {category["id"] for category in told["categories"]}
    unknown = [a["category_id"] for a in told["annotations"] if a["category_id"] not in known]
    if unknown:
        raise DataError(
            f"{path} has a region of the category {unknown[0]}, which it does not name."
        )
    return told


def _item(
    path: Path,
    image: dict[str, Any],
    file: Path,
    regions: list[dict[str, Any]],
    ids: dict[Any, int],
    words: Vocabulary,
) -> Item:
    found = {ids[region["category_id"]] for region in regions}
    named = image.get("tags")
    if isinstance(named, list):
        # A file of ours: what a mask shows need not be a tag, nor a tag be shown.
        found = {ids[each] for each in named if isinstance(each, int | str) and each in ids}
    # Images without a region say nothing of their pixels where others were never looked at;
    # a file of ours says so of each.
    whole = bool(regions) or image.get("labelled") is True
    size = image["height"], image["width"]
    return Item(
        name=image_name(str(image["file_name"])),
        image=file,
        tags=tuple(sorted(found & words.classes.keys())),
        drawn=partial(_drawn, path, file.name, size, regions, ids) if whole else None,
    )


def _together(one: Item | None, other: Item) -> Item:
    if one is None:
        return other
    draws = [each.drawn for each in (one, other) if each.drawn is not None]
    return Item(
        name=one.name,
        image=one.image,
        tags=tuple(sorted({*one.tags, *other.tags})),
        drawn=partial(_over, draws) if draws else None,
    )


def _over(draws: list[Draw]) -> np.ndarray:
    """Later label maps over earlier ones, wherever they are not background."""
    labels = draws[0]()
    for draw in draws[1:]:
        above = draw()
        if above.shape != labels.shape:
            raise DataError("COCO's files of things and stuff give one image two sizes.")
        labels = np.where(above == BACKGROUND, labels, above)
    return labels


def _drawn(
    path: Path,
    name: str,
    size: tuple[Any, Any],
    regions: list[dict[str, Any]],
    ids: dict[Any, int],
) -> np.ndarray:
    try:
        known = check_size(*size)
        layers = [
            (ids[each["category_id"]], _covered(each["segmentation"], known))
            for each in regions
            if each.get("segmentation")
        ]
        return paint(known, small_on_top(layers))
    except DataError as problem:
        raise DataError(f"The mask of {name} in {path.name} cannot be drawn: {problem}.") from None


def _covered(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    return (
        runs(segmentation, size) if isinstance(segmentation, dict) else outlines(segmentation, size)
    )


def coco_entries(source: Source) -> Iterator[Entry]:
    """A source as COCO's: images byte for byte, one region of run lengths a class and image.

    Beside COCO's keys an image has `tags` (which need not be what its mask shows) and `labelled`
    (its mask is known, be it all background); 255 is the category `__ignore__`.
    """
    images: list[dict[str, Any]] = []
    regions: list[dict[str, Any]] = []
    for number, (name, item) in enumerate(unique_names(source.items), start=1):
        entry = original(f"images/{name}", item, number)
        yield entry
        width, height = image_size(item.image)
        labels = best_mask(item, source.classes)
        file = entry.path.removeprefix("images/")
        images.append({"id": number, "file_name": file, "width": width, "height": height})
        images[-1] |= {"tags": [*item.tags], "labelled": labels is not None}
        for found in () if labels is None else np.unique(labels).tolist():
            if found != BACKGROUND:
                regions.append(
                    {"id": len(regions) + 1, "image_id": number, "category_id": found, "iscrowd": 0}
                    | compressed(labels == found)
                )
    named = {**source.classes, IGNORE: IGNORED}
    categories = [
        {"id": id, "name": name, "supercategory": IGNORED if id == IGNORE else "thing"}
        for id, name in named.items()
    ]
    told = {
        "info": {"description": f"Exported by Tagmask: {source.digest or source.root.name}"},
        "images": images,
        "annotations": regions,
        "categories": categories,
    }
    yield Entry(ANNOTATIONS, partial(encoded_json, told), len(source.items))
