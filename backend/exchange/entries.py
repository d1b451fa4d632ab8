"""The files of an export, one after another, each made when it is written."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.exchange.items import Item, Source
from backend.exchange.names import image_name
from backend.images import SUFFIXES

Content = bytes | Path | Callable[[], bytes]


@dataclass(frozen=True)
class Entry:
    """A file of an export: its path in there, its bytes (or a file, or what makes them when asked),
    and how many images are done once it is written.
    """

    path: str
    content: Content
    images: int

    def read(self) -> bytes:
        """The bytes."""
        if isinstance(self.content, bytes):
            return self.content
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content()


def unique_names(items: Sequence[Item]) -> Iterator[tuple[str, Item]]:
    """File names without extension, one of its own for every item: `a.jpg`, `a.png` -> a, a-2."""
    taken: set[str] = set()
    for item in items:
        name = base = image_name(item.name)
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        yield name, item


def original(path: str, item: Item, images: int) -> Entry:
    """The image's own file, byte for byte, under this path and its own ending."""
    suffix = item.image.suffix.lower()
    return Entry(f"{path}{suffix if suffix in SUFFIXES else '.png'}", item.image, images)


def classes_txt(classes: dict[int, str]) -> bytes:
    """classes.txt: a name a line, the id is the line's number."""
    lines = (classes.get(id, "") for id in range(1, max(classes) + 1))
    return "".join(f"{line}\n" for line in lines).encode()


def tags_csv(names: Sequence[str], source: Source) -> bytes:
    """tags.csv of a source whose items have these file names."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "tags"])
    for name, item in zip(names, source.items, strict=True):
        writer.writerow([name, " ".join(source.classes[tag] for tag in item.tags)])
    return text.getvalue().encode()


def encoded_json(told: Any) -> bytes:
    """JSON as it is written into an export."""
    return (json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
