"""Which classes a data set has, and which ids they carry."""

from collections.abc import Iterable
from pathlib import Path

from backend.errors import DataError
from backend.exchange.names import check_class_name, some
from backend.labels import VOC_CLASSES

MOST_CLASSES = 254
VOC_IDS = {index: name for index, name in enumerate(VOC_CLASSES, start=1)}
BACKGROUND_NAMES = {"background", "_background_", "__background__"}
IGNORE_NAMES = {"__ignore__", "_ignore_"}


def read_classes(path: Path) -> dict[int, str]:
    """Classes of a classes.txt: one name a line, the id is the line's number, from 1.

    An empty line leaves its number unused. A first line "background" counts as line 0 (and a
    "__ignore__" before it is passed over), as other tools write it. Raises DataError.
    """
    lines = [line.strip() for line in read_text(path).splitlines()]
    if lines and lines[0].casefold() in IGNORE_NAMES:
        lines = lines[1:]
    first = 0 if lines and lines[0].casefold() in BACKGROUND_NAMES else 1
    classes = {number: name for number, name in enumerate(lines, start=first) if name and number}
    if not classes:
        raise DataError(f"{path} names no class. Write one class name a line.")
    return check_classes(classes, str(path))


def check_classes(classes: dict[int, str], where: str) -> dict[int, str]:
    """Classes by ascending id, each name fit and unique, each id 1..254; raises DataError."""
    seen: dict[str, str] = {}
    for number, name in classes.items():
        if not 1 <= number <= MOST_CLASSES:
            raise DataError(
                f"{where} gives the class {name} the id {number}. Class ids run from 1 to "
                f"{MOST_CLASSES}: 0 is background and 255 is ignore."
            )
        check_class_name(name)
        if name.casefold() in BACKGROUND_NAMES | IGNORE_NAMES:
            raise DataError(f"{where} names {name} as a class; background is always id 0.")
        if name.casefold() in seen:
            raise DataError(
                f"{where} names the class {name} twice"
                + (f" (also as {seen[name.casefold()]})" if seen[name.casefold()] != name else "")
                + ". Every class needs a name of its own."
            )
        seen[name.casefold()] = name
    return dict(sorted(classes.items()))


def classes_of_words(words: Iterable[str], where: str) -> dict[int, str]:
    """Classes for a data set that only uses names, without a classes.txt.

    VOC's ids and spelling where every name is one of VOC's in any case, else 1, 2, ... in
    alphabetical order. Names that differ only in case are one class. Raises DataError.
    """
    spelt: dict[str, str] = {}
    for word in words:
        spelt.setdefault(word.casefold(), word)
    voc = {name: number for number, name in VOC_IDS.items()}
    if all(word in voc for word in spelt):
        return dict(sorted((voc[word], word) for word in spelt))
    if len(spelt) > MOST_CLASSES:
        raise DataError(
            f"{where} uses {len(spelt)} different tags ({some(sorted(spelt))}); at most "
            f"{MOST_CLASSES} classes fit into a mask."
        )
    ordered = [spelt[word] for word in sorted(spelt)]
    return check_classes(dict(enumerate(ordered, start=1)), where)


def read_text(path: Path) -> str:
    """A small UTF-8 text file, with or without a byte order mark; raises DataError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise DataError(f"{path} could not be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise DataError(f"{path} is not UTF-8 text. Save it again as UTF-8.") from problem
    if "\0" in text:
        raise DataError(f"{path} is not a text file.")
    return text
