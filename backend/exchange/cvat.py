"""CVAT for images 1.1: one XML file of masks, polygons and tags.

Read piece by piece through defusedxml, which refuses documents that declare entities or fetch
others, so that a small file cannot unfold to a large one.
"""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from backend.errors import DataError
from backend.exchange.annotated import IGNORED, Finder, missing_note, vocabulary
from backend.exchange.entries import Entry, classes_txt, original, unique_names
from backend.exchange.items import Item, Source, best_mask
from backend.exchange.names import image_name, some
from backend.exchange.painting import Layer, check_size, outlines, paint, row_runs, to_row_runs
from backend.images import image_size
from backend.labels import BACKGROUND, IGNORE

ANNOTATIONS = "annotations.xml"
_DRAWN = ("mask", "polygon", "ellipse")
_NAMED_ONLY = ("tag", "box", "polyline", "points", "cuboid", "skeleton")
_ELLIPSE_CORNERS = 90
_TAGS = "tagmask_tags"
"""An attribute of our images: the tags, parted by commas, which no class's name has. CVAT lets it
go, so that an image that was worked on there has the tags of its shapes."""


class _Shape(NamedTuple):
    kind: str
    label: str
    order: int
    about: dict[str, str]


class _Image(NamedTuple):
    name: str
    width: str
    height: str
    shapes: list[_Shape]
    tags: list[str] | None
    """What a file of ours says are the tags; None in others, where every label is one."""


def open_cvat(path: Path, images: Path | None = None) -> Source:
    """The images of an annotations.xml; what lies higher (z_order) or later is on top.

    Masks, polygons and ellipses are drawn; of boxes, lines and points only the label is taken, as
    a tag. Raises DataError for other XML, for videos, and where no image is there.
    """
    labels, found = _read(path)
    words = vocabulary(labels, path.parent, str(path))
    finder = Finder(images or path.parent)
    items: dict[str, Item] = {}
    missing: list[str] = []
    for image in found:
        file = finder.find(image.name)
        if file is None:
            missing.append(image.name)
            continue
        item = Item(
            name=image_name(image.name),
            image=file,
            tags=words.tags(
                [each.label for each in image.shapes]
                if image.tags is None
                else [each for each in image.tags if each in words.ids]
            ),
            drawn=partial(_drawn, image, words.ids) if _is_labelled(image) else None,
        )
        if item.name in items:
            raise DataError(f"{path} names the image {image.name} more than once.")
        items[item.name] = item
    notes = [*words.notes, *missing_note(missing, len(items), path, finder.folder)]
    boxed = sorted({each.kind for image in found for each in image.shapes} - {*_DRAWN, "tag"})
    if boxed:
        notes.append(f"Of {some(boxed)} only the labels were taken, as tags: they are no masks.")
    return Source("cvat", path.parent, words.classes, list(items.values()), notes=tuple(notes))


def _is_labelled(image: _Image) -> bool:
    """Whether its pixels were labelled: drawn on, or tagged as nothing but background."""
    return any(each.kind in _DRAWN or each.label == "background" for each in image.shapes)


def _read(path: Path) -> tuple[dict[str, int | None], list[_Image]]:
    labels: dict[str, int | None] = {}
    images: list[_Image] = []
    root: Element | None = None
    inside: list[str] = []
    try:
        with path.open("rb") as file:
            for event, each in iterparse(file, events=("start", "end"), forbid_dtd=True):
                if event == "start":
                    root = _checked_root(path, each) if root is None else root
                    inside.append(each.tag)
                    continue
                inside.pop()
                if each.tag == "name" and inside[-2:] == ["labels", "label"]:
                    labels.setdefault((each.text or "").strip(), None)
                elif each.tag == "track":
                    raise DataError(
                        f"{path} is a video's: export the task as “CVAT for images 1.1”."
                    )
                elif each.tag == "image" and len(inside) == 1 and root is not None:
                    images.append(_image(path, each, labels))
                    # What was read is let go, so that memory does not grow with the file.
                    root.clear()
    except (ParseError, DefusedXmlException, UnicodeDecodeError, ValueError) as problem:
        raise DataError(f"{path} is not readable XML ({problem}).") from problem
    except OSError as problem:
        raise DataError(f"{path} could not be read: {problem.strerror}.") from problem
    if not images:
        raise DataError(f"{path} names no images.")
    return labels, images


def _checked_root(path: Path, root: Element) -> Element:
    if root.tag != "annotations":
        raise DataError(f"{path} is not CVAT's: it begins with <{root.tag[:40]}>.")
    return root


def _image(path: Path, element: Element, labels: dict[str, int | None]) -> _Image:
    shapes = []
    for each in element:
        if each.tag in _DRAWN + _NAMED_ONLY:
            label = each.get("label", "")
            labels.setdefault(label, None)
            order = each.get("z_order", "0")
            place = int(order) if order.lstrip("-").isdecimal() and len(order) < 9 else 0
            shapes.append(_Shape(each.tag, label, place, dict(each.attrib)))
    name = element.get("name")
    if not name:
        raise DataError(f"{path} has an image without a name.")
    size = element.get("width", ""), element.get("height", "")
    tags = element.get(_TAGS)
    return _Image(name, *size, shapes, None if tags is None else [*filter(None, tags.split(","))])


def _drawn(image: _Image, ids: dict[str, int]) -> np.ndarray:
    try:
        size = check_size(_whole(image.height), _whole(image.width))
        shapes = sorted(image.shapes, key=lambda shape: shape.order)
        return paint(size, [_layer(s, ids, size) for s in shapes if s.kind in _DRAWN])
    except DataError as problem:
        raise DataError(f"The mask of {image.name} cannot be drawn: {problem}.") from None


def _layer(shape: _Shape, ids: dict[str, int], size: tuple[int, int]) -> Layer:
    about = shape.about
    if shape.kind == "mask":
        return ids[shape.label], _mask(about, size)
    if shape.kind == "ellipse":
        x, y, rx, ry, turn = (
            _number(about.get(key, "0")) for key in ("cx", "cy", "rx", "ry", "rotation")
        )
        angles = np.linspace(0, 2 * math.pi, _ELLIPSE_CORNERS, endpoint=False)
        tilt = math.radians(turn)
        across, along = rx * np.cos(angles), ry * np.sin(angles)
        xs = x + across * math.cos(tilt) - along * math.sin(tilt)
        ys = y + across * math.sin(tilt) + along * math.cos(tilt)
        return ids[shape.label], outlines([np.stack([xs, ys], 1).ravel().tolist()], size)
    pairs = [pair.split(",") for pair in about.get("points", "").split(";")]
    return ids[shape.label], outlines([[_number(n) for pair in pairs for n in pair]], size)


def _mask(about: dict[str, str], size: tuple[int, int]) -> np.ndarray:
    left, top, width, height = (
        _whole(about.get(key, "")) for key in ("left", "top", "width", "height")
    )
    if top + height > size[0] or left + width > size[1]:
        raise DataError("a mask reaches over the edge")
    check_size(height, width)
    counts = [_whole(each) for each in about.get("rle", "").split(",")]
    covered = np.zeros(size, bool)
    covered[top : top + height, left : left + width] = row_runs(counts, height, width)
    return covered


def _whole(text: str) -> int:
    text = text.strip()
    if not text.isdecimal() or len(text) > 9:
        raise DataError(f"{text[:20]!r} is no whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{text[:20]!r} is no number") from None


def cvat_entries(source: Source) -> Iterator[Entry]:
    """A source as CVAT's: images byte for byte, a mask a class and image, tags as tags.

    classes.txt stands beside, because CVAT's labels have no ids; 255 is the label `__ignore__`.
    """
    pieces = [_head(source)]
    for number, (name, item) in enumerate(unique_names(source.items)):
        entry = original(f"images/{name}", item, number + 1)
        yield entry
        pieces.append(_element(source, item, number, entry.path.removeprefix("images/")))
    pieces.append("</annotations>\n")
    if source.classes:
        yield Entry("classes.txt", classes_txt(source.classes), len(source.items))
    yield Entry(ANNOTATIONS, "".join(pieces).encode(), len(source.items))


def _head(source: Source) -> str:
    labels = "".join(
        f"<label><name>{escape(name)}</name><type>any</type><attributes></attributes></label>"
        for name in [*source.classes.values(), IGNORED]
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><job>'
        f"<size>{len(source.items)}</size><mode>annotation</mode><labels>{labels}</labels>"
        "</job></meta>\n"
    )


def _element(source: Source, item: Item, number: int, file: str) -> str:
    width, height = image_size(item.image)
    tags = quoteattr(",".join(source.classes[tag] for tag in item.tags))
    about = f'width="{width}" height="{height}" {_TAGS}={tags}'
    lines = [f'<image id="{number}" name={quoteattr(file)} {about}>']
    labels = best_mask(item, source.classes)
    shown = [] if labels is None else [n for n in np.unique(labels).tolist() if n != BACKGROUND]
    for each in shown:
        assert labels is not None
        name = IGNORED if each == IGNORE else source.classes[each]
        lines.append(_mask_element(name, labels == each))
    lines += [_tag(source.classes[tag]) for tag in item.tags]
    if labels is not None and not shown:
        lines.append(_tag("background"))
    return "\n".join([*lines, "</image>\n"])


def _tag(name: str) -> str:
    return f'<tag label={quoteattr(name)} source="manual"></tag>'


def _mask_element(name: str, covered: np.ndarray) -> str:
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    box: dict[str, Any] = {"left": int(columns[0]), "top": int(rows[0])}
    inner = covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box |= {"width": inner.shape[1], "height": inner.shape[0], "z_order": 0}
    rle = ", ".join(map(str, to_row_runs(inner)))
    about = " ".join(f'{key}="{value}"' for key, value in box.items())
    return f'<mask label={quoteattr(name)} source="manual" occluded="0" rle="{rle}" {about}></mask>'
