"""Label Studio's JSON, in: brush strokes, polygons and choices of every task.

Nothing is fetched: of an image's address only the last parts count, found among the files there.
"""

import math
import re
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from backend.errors import DataError
from backend.exchange.annotated import (
    Finder,
    Vocabulary,
    image_root,
    missing_note,
    vocabulary,
)
from backend.exchange.brush import decode_brush
from backend.exchange.items import Item, Offer, Source
from backend.exchange.names import image_name, some
from backend.exchange.painting import Layer, check_size, outlines, paint

_UPLOAD_MARK = re.compile(r"^[0-9a-f]{8}-(?=.)")
_LABELS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels", "keypointlabels")
_NAMES = (*_LABELS, "labels", "choices")
_DRAWN = ("brushlabels", "polygonlabels", "brush", "polygon", "labels")
NOTHING = "background"
"""The choice that says of an image that all of it was looked at and is background."""
TAGS = "tagmask_tags"
"""A key of our annotations: the tags, which need not be what the mask shows. Label Studio lets it
go, so that an annotation that was worked on there has the tags of its labels and choices."""


def is_label_studio(told: Any) -> bool:
    """Whether a JSON file's content is a list of Label Studio's tasks."""
    return (
        isinstance(told, list)
        and bool(told)
        and all(isinstance(each, dict) and isinstance(each.get("data"), dict) for each in told)
        and any({"annotations", "predictions", "completions"} & each.keys() for each in told)
    )


def open_label_studio(path: Path, told: Any, images: Path | None = None) -> Source:
    """The images of an export in the format JSON (its path and content), with their masks.

    Of several annotations the ground truth, else the newest that was not skipped, is the image's
    mask; the others and the predictions are offers. Later regions lie on top. Raises DataError for
    other files, and where no image is there.
    """
    if not is_label_studio(told):
        raise DataError(f"{path} is not Label Studio's: export the project as JSON (not JSON-MIN).")
    root = image_root(path)
    labels: dict[str, int | None] = {}
    for task in told:
        for result in _results(path, task):
            labels.update(dict.fromkeys(_labels_of(result)))
    words = vocabulary(labels, root, str(path))
    finder = Finder(images or root)
    items: dict[str, Item] = {}
    missing: list[str] = []
    for task in told:
        named = _image_of(path, task)
        file = finder.find(named) or finder.find(_UPLOAD_MARK.sub("", named.rpartition("/")[2]))
        if file is None:
            missing.append(named)
            continue
        item = _item(task, image_name(file.name), file, words)
        known = items.get(item.name)
        if known is not None:
            raise DataError(f"{path} has two tasks for the image {item.name}; merge them first.")
        items[item.name] = item
    notes = [*words.notes, *missing_note(missing, len(items), path, finder.folder)]
    kinds = {str(r.get("type")) for task in told for r in _results(path, task)}
    left = sorted(kinds - {*_DRAWN, "choices"})
    if left:
        notes.append(f"Of {some(left)} only the labels were taken, as tags: they are no masks.")
    return Source("label-studio", root, words.classes, list(items.values()), notes=tuple(notes))


def _marks(task: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[Any] = []
    for key in ("annotations", "completions", "predictions"):
        given = task.get(key)
        found += given if isinstance(given, list) else []
    return [each for each in found if isinstance(each, dict)]


def _results(path: Path, task: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for mark in _marks(task):
        results = mark.get("result", [])
        if not isinstance(results, list) or not all(
            isinstance(each, dict) and isinstance(each.get("value", {}), dict) for each in results
        ):
            raise DataError(f"{path} is not Label Studio's: a result of a task is no list.")
        found += results
    return found


def _labels_of(result: dict[str, Any]) -> list[str]:
    value = result.get("value", {})
    named: list[Any] = next((value[key] for key in _NAMES if isinstance(value.get(key), list)), [])
    return [each for each in named if isinstance(each, str)]


def _image_of(path: Path, task: dict[str, Any]) -> str:
    """The path in the task's first address that names an image file."""
    for value in task["data"].values():
        if not isinstance(value, str):
            continue
        parts = urlsplit(value)
        inner = parse_qs(parts.query).get("d", [parts.path])[0]
        if re.search(r"\.(jpe?g|jpe|png|webp|bmp|tiff?|gif)$", inner, re.IGNORECASE):
            return unquote(inner)
    raise DataError(f"{path}: the task {task.get('id')} names no image.")


def _item(task: dict[str, Any], name: str, file: Path, words: Vocabulary) -> Item:
    people = [
        each
        for key in ("annotations", "completions")
        for each in task.get(key) or []
        if isinstance(each, dict) and not each.get("was_cancelled")
    ]
    people.sort(key=lambda mark: (bool(mark.get("ground_truth")), _when(mark)))
    models = [each for each in task.get("predictions") or [] if isinstance(each, dict)]
    main = people[-1] if people else None
    offers = [
        Offer(_who(mark), partial(_drawn, name, mark, words.ids))
        for mark in people[:-1]
        if _is_labelled(mark)
    ]
    offers += [
        Offer(
            str(mark.get("model_version") or "prediction")[:60],
            partial(_drawn, name, mark, words.ids),
            _score(mark),
        )
        for mark in models
        if _is_labelled(mark)
    ]
    return Item(
        name=name,
        image=file,
        tags=_tags(main or {}, words),
        drawn=partial(_drawn, name, main, words.ids) if main and _is_labelled(main) else None,
        offers=tuple(offers),
    )


def _tags(mark: dict[str, Any], words: Vocabulary) -> tuple[int, ...]:
    """What a file of ours says are the tags; else every label of an annotation."""
    named = mark.get(TAGS)
    if isinstance(named, list):
        return words.tags(each for each in named if isinstance(each, str) and each in words.ids)
    return words.tags(each for result in mark.get("result", []) for each in _labels_of(result))


def _when(mark: dict[str, Any]) -> str:
    return str(mark.get("updated_at") or mark.get("created_at") or "")


def _who(mark: dict[str, Any]) -> str:
    who = mark.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    return str(who if who is not None else "annotator")[:60]


def _score(mark: dict[str, Any]) -> dict[str, float]:
    score = mark.get("score")
    known = isinstance(score, int | float) and math.isfinite(score)
    return {"score": float(score)} if known else {}  # type: ignore[arg-type]


def _is_labelled(mark: dict[str, Any]) -> bool:
    results = mark.get("result", [])
    return any(_is_drawn(each) or _labels_of(each) == [NOTHING] for each in results)


def _is_drawn(result: dict[str, Any]) -> bool:
    value = result.get("value", {})
    return "rle" in value or "points" in value


def _drawn(name: str, mark: dict[str, Any], ids: dict[str, int]) -> np.ndarray:
    regions = [each for each in mark.get("result", []) if _is_drawn(each)]
    whole = [each for each in mark.get("result", []) if "original_width" in each]
    try:
        if not whole:
            raise DataError("it does not say how large the image is")
        size = check_size(whole[0].get("original_height"), whole[0].get("original_width"))
        return paint(size, [_layer(each, ids, size) for each in regions if _labels_of(each)])
    except DataError as problem:
        raise DataError(f"The mask of {name} cannot be drawn: {problem}.") from None


def _layer(result: dict[str, Any], ids: dict[str, int], size: tuple[int, int]) -> Layer:
    if result.get("image_rotation"):
        raise DataError("it was turned in Label Studio; turn it back there")
    value, number = result["value"], ids[_labels_of(result)[0]]
    if "rle" in value:
        if not isinstance(value["rle"], list):
            raise DataError("a brush stroke must be a list of bytes")
        return number, decode_brush(value["rle"], size)
    points = value["points"]
    if not isinstance(points, list) or not all(
        isinstance(p, list) and len(p) == 2 and all(type(n) in (int, float) for n in p)
        for p in points
    ):
        raise DataError("a polygon's points are no pairs of numbers")
    # In hundredths of the image's sides.
    outline = [n for x, y in points for n in (x * size[1] / 100, y * size[0] / 100)]
    return number, outlines([outline], size)
