"""What the formats of annotation programs have in common: labels by name, images named in a file.

Nothing that such a file says becomes a path: images are looked for among those that lie there.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from backend.errors import DataError
from backend.exchange.classes import (
    BACKGROUND_NAMES,
    IGNORE_NAMES,
    MOST_CLASSES,
    check_classes,
    classes_of_words,
    read_classes,
    read_text,
)
from backend.exchange.folder import files_in
from backend.exchange.names import fit_class_name, some
from backend.images import SUFFIXES
from backend.labels import BACKGROUND, IGNORE

IGNORED = "__ignore__"
"""What a region that counts for nothing (255) is called where everything needs a name."""


@dataclass(frozen=True)
class Vocabulary:
    """Class ids by another program's label; `background` and `__ignore__` are 0 and 255."""

    classes: dict[int, str]
    ids: dict[str, int]
    notes: list[str] = field(default_factory=list)

    def tags(self, labels: Iterable[str]) -> tuple[int, ...]:
        """The class ids among labels, ascending."""
        found = {self.ids[label] for label in labels}
        return tuple(sorted(found & self.classes.keys()))


def vocabulary(labels: Mapping[str, int | None], beside: Path, where: str) -> Vocabulary:
    """Ids for labels: of a classes.txt beside the file, else as given, else as `tags.csv` has them.

    Names that cannot be class names are changed and told of. Raises DataError.
    """
    plain = [name for name in labels if _special(name) is None]
    named = {name: fit_class_name(name) for name in plain}
    changed = [name for name in plain if named[name] != name]
    notes = [f"Renamed: {some(f'{name} to {named[name]}' for name in changed)}."] if changed else []
    if (beside / "classes.txt").is_file():
        known = read_classes(beside / "classes.txt")
    else:
        wishes = {labels[name] for name in plain}
        fit = all(type(id) is int and 1 <= id <= MOST_CLASSES for id in wishes)
        if plain and fit and len(wishes) == len(plain):
            known = {int(labels[name] or 0): named[name] for name in plain}
        else:
            known = classes_of_words(named.values(), where)
    numbers = {name.casefold(): number for number, name in known.items()}
    for name in plain:
        if named[name].casefold() not in numbers:
            free = next((n for n in range(1, MOST_CLASSES + 1) if n not in known), None)
            if free is None:
                raise DataError(f"{where} has more than {MOST_CLASSES} classes.")
            known[free], numbers[named[name].casefold()] = named[name], free
    ids = {name: numbers[named[name].casefold()] for name in plain}
    ids |= {name: number for name in labels if (number := _special(name)) is not None}
    return Vocabulary(check_classes(known, where), ids, notes)


def _special(name: str) -> int | None:
    folded = name.strip().casefold()
    return BACKGROUND if folded in BACKGROUND_NAMES else IGNORE if folded in IGNORE_NAMES else None


class Finder:
    """The images below a folder, found by the path that a file gives them, or its last parts."""

    def __init__(self, folder: Path) -> None:
        self._by_name: dict[str, list[PurePosixPath]] = {}
        self.folder = folder
        for relative in files_in(folder, SUFFIXES):
            path = PurePosixPath(relative)
            self._by_name.setdefault(path.name, []).append(path)

    def find(self, named: str) -> Path | None:
        """The image with this last name; of several, the one whose folders agree; else None."""
        parts = PurePosixPath(named.replace("\\", "/")).parts
        found = self._by_name.get(parts[-1] if parts else "", [])
        alike = sorted(((_agreeing(each.parts, parts), each) for each in found), reverse=True)
        if not alike or (len(alike) > 1 and alike[0][0] == alike[1][0]):
            return None
        return self.folder / alike[0][1]


def _agreeing(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def missing_note(missing: list[str], found: int, where: Path, looked: Path) -> list[str]:
    """A sentence about images that are not there; raises DataError where none is."""
    if missing and not found:
        raise DataError(
            f"None of the {len(missing)} images that {where} names is under {looked} "
            f"({some(missing, 3)}). Put them beside it, or name their folder with --images."
        )
    return (
        [f"{len(missing)} images that {where.name} names are not there: {some(missing)}."]
        if missing
        else []
    )


def read_json(path: Path) -> Any:
    """A JSON file's content; raises DataError for what is none."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as problem:
        raise DataError(f"{path} is not readable JSON ({problem}).") from problem


def image_root(path: Path) -> Path:
    """Where the images of an annotation file may lie: its folder, or what holds `annotations`."""
    return path.parent.parent if path.parent.name.casefold() == "annotations" else path.parent
