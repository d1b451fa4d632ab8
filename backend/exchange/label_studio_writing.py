"""Label Studio's JSON, out: tasks with brush strokes, and the interface that shows them."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from backend.exchange.annotated import IGNORED
from backend.exchange.brush import encode_brush
from backend.exchange.entries import Entry, classes_txt, encoded_json, original, unique_names
from backend.exchange.items import Item, Source, best_mask
from backend.exchange.label_studio import NOTHING, TAGS
from backend.images import image_size
from backend.labels import BACKGROUND, IGNORE

TASKS = "annotations.json"
LOCAL_FILES = "/data/local-files/?d=images/"
"""Where Label Studio serves local files from; LOCAL_FILES_DOCUMENT_ROOT is the unpacked folder."""


def label_studio_entries(source: Source) -> Iterator[Entry]:
    """A source as Label Studio's: images byte for byte, one brush region a class and image.

    Tags are choices, 255 is the label `__ignore__`. classes.txt stands beside, because labels have
    no ids there, and label-config.xml is the labelling interface to paste into the project.
    """
    tasks = []
    for number, (name, item) in enumerate(unique_names(source.items), start=1):
        entry = original(f"images/{name}", item, number)
        yield entry
        tasks.append(_task(source, item, number, entry.path.removeprefix("images/")))
    if source.classes:
        yield Entry("classes.txt", classes_txt(source.classes), len(source.items))
    yield Entry("label-config.xml", _interface(source).encode(), len(source.items))
    yield Entry(TASKS, partial(encoded_json, tasks), len(source.items))


def _task(source: Source, item: Item, number: int, file: str) -> dict[str, Any]:
    width, height = image_size(item.image)
    size = {"original_width": width, "original_height": height, "image_rotation": 0}
    labels = best_mask(item, source.classes)
    results = []
    shown = [] if labels is None else [n for n in np.unique(labels).tolist() if n != BACKGROUND]
    for each in shown:
        named = IGNORED if each == IGNORE else source.classes[each]
        value = {"format": "rle", "rle": encode_brush(labels == each), "brushlabels": [named]}
        results.append(
            {"id": f"{number}-{each}", "type": "brushlabels", "from_name": "mask"}
            | {"to_name": "image", "value": value, **size}
        )
    choices = [source.classes[tag] for tag in item.tags]
    if labels is not None and not shown:
        results.append(_choices(f"{number}-nothing", "looked", [NOTHING]) | size)
    if choices:
        results.append(_choices(f"{number}-tags", "tags", choices) | size)
    return {
        "id": number,
        "data": {"image": f"{LOCAL_FILES}{file}"},
        "annotations": [{"id": number, "result": results, "was_cancelled": False, TAGS: choices}],
    }


def _choices(id: str, name: str, choices: list[str]) -> dict[str, Any]:
    value = {"choices": choices}
    return {"id": id, "type": "choices", "from_name": name, "to_name": "image", "value": value}


def _interface(source: Source) -> str:
    named = [*source.classes.values()]
    labels = "\n".join(f"    <Label value={quoteattr(name)}/>" for name in [*named, IGNORED])
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in named)
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="mask" toName="image">\n{labels}\n  </BrushLabels>\n'
        f'  <Choices name="tags" toName="image" choice="multiple">\n{choices}\n  </Choices>\n'
        '  <Choices name="looked" toName="image" choice="single">\n'
        f'    <Choice value="{NOTHING}"/>\n  </Choices>\n</View>\n'
    )
