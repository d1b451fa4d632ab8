"""Tags as people write them: in a field, and in a tags.csv."""

import csv
import io
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from backend.errors import DataError
from backend.exchange.classes import classes_of_words, read_text
from backend.exchange.names import image_name, nearest, some

_LIST_SIGNS = re.compile(r"[,;|\n\r\t]+")


def parse_tags(
    text: str, classes: Mapping[int, str], *, required: bool = False, where: str = ""
) -> tuple[int, ...]:
    """Class ids, ascending, of tags separated by spaces, commas or semicolons.

    Case does not matter, nor do `_` and `-` inside a name; a tag given twice counts once. `where`
    begins the message ("tags.csv, line 7"). Raises DataError for an unknown tag, naming the nearest
    known ones, and for no tag at all where one is `required`.
    """
    exact, loose, most_words = _spellings(tuple(classes.items()))
    ids: set[int] = set()
    unknown: list[str] = []
    for part in _LIST_SIGNS.split(text):
        words = part.split()
        while words:
            # The longest class name made of several words wins: "traffic light" before "traffic".
            for count in range(min(len(words), most_words), 0, -1):
                found = exact.get(_folded(" ".join(words[:count])))
                if found is not None:
                    break
            else:
                found = loose.get(_loose(words[0]))
            if found is not None:
                ids.add(found)
            elif words[0] not in unknown:
                unknown.append(words[0])
            words = words[count:]
    begin = f"{where}: " if where else ""
    if unknown:
        raise DataError(begin + _unknown_tags(unknown, classes))
    if required and not ids:
        raise DataError(f"{begin}no tag is given. Name at least one of: {_known(classes)}.")
    return tuple(sorted(ids))


def read_tags(
    path: Path, classes: Mapping[int, str] | None = None
) -> tuple[dict[str, tuple[int, ...]], dict[int, str]]:
    """A tags.csv as ({image name: ids}, classes).

    Columns `image,tags`, more are ignored; tags separated by spaces; several lines for one image
    are put together. Image names are as `image_name` makes them, so with or without extension.
    Without `classes` they follow from the words, as `classes_of_words` says. Raises DataError.
    """
    rows = _rows(path)
    if classes is None:
        words = [word for _, _, tags in rows for word in re.split(r"[\s,;|]+", tags) if word]
        classes = classes_of_words(words, str(path))
    tags_of: dict[str, tuple[int, ...]] = {}
    for line, image, text in rows:
        ids = parse_tags(text, classes, where=f"{path}, line {line} ({image})")
        tags_of[image] = tuple(sorted({*tags_of.get(image, ()), *ids}))
    return tags_of, dict(classes)


def _rows(path: Path) -> list[tuple[int, str, str]]:
    """(line number, image name, tags text) of every row that names an image."""
    text = read_text(path)
    head = text.split("\n", 1)[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if ";" in head and "," not in head else ","
    )
    rows: list[tuple[int, str, str]] = []
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
        if "image" not in header or "tags" not in header:
            raise DataError(
                f"{path} must begin with the line image,tags; it begins with {head[:60].strip()!r}."
            )
        image_at, tags_at = header.index("image"), header.index("tags")
        tags_last = tags_at == len(header) - 1
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= image_at or not row[image_at].strip():
                raise DataError(f"{path}, line {reader.line_num}: no image is named.")
            # Unquoted commas between tags make more cells than the header has.
            cells = row[tags_at:] if tags_last else row[tags_at : tags_at + 1]
            rows.append((reader.line_num, image_name(row[image_at].strip()), " ".join(cells)))
    except csv.Error as problem:
        raise DataError(f"{path}, line {reader.line_num}: {problem}.") from problem
    return rows


@lru_cache(maxsize=16)
def _spellings(classes: tuple[tuple[int, str], ...]) -> tuple[dict[str, int], dict[str, int], int]:
    """Ids by folded name, ids by name without `_` and `-`, and the most words of a name."""
    exact = {_folded(name): number for number, name in classes}
    loose: dict[str, int] = {}
    for name, number in exact.items():
        loose.setdefault(_loose(name), number)
    return exact, loose, max((name.count(" ") + 1 for name in exact), default=1)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _loose(name: str) -> str:
    return re.sub(r"[\s_\-]", "", _folded(name))


def _known(classes: Mapping[int, str]) -> str:
    return some(classes.values(), 25) or "(no classes are defined yet)"


def _unknown_tags(unknown: list[str], classes: Mapping[int, str]) -> str:
    told = []
    for word in unknown[:5]:
        hint = nearest(word, classes.values())
        told.append(f"{word!r} (nearest: {hint})" if hint else f"{word!r}")
    names = f"{some(told)}{f' and {len(unknown) - 5} more' if len(unknown) > 5 else ''}"
    return (
        f"unknown tag{'s' if len(unknown) > 1 else ''} {names}. Known classes: {_known(classes)}."
    )
