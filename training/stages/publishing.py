"""What a pipeline leaves for people: OUT/labels with their scores and OUT/references, what these
were scored against; OUT/predictions and OUT/weights.safetensors.

OUT/published.json remembers what it put there. A PNG that somebody else put into these folders, or
changed there, is neither deleted nor overwritten: it is moved to OUT/set-aside, and told.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.atomic import unwritable, write_whole
from backend.errors import DataError, ImageError
from backend.exchange.names import some
from backend.images import image_size
from backend.labels import IGNORE, encode_labels
from training.errors import TrainingError

if TYPE_CHECKING:
    from backend.exchange.sources import Source

SCORES = "scores.jsonl"
PUBLISHED = "published.json"
SET_ASIDE = "set-aside"
FORMAT = "tagmask-published/1"


class Shelf:
    """OUT/labels or OUT/predictions, and what pipelines have put there, by name and digest.

    Without a record, as of an older pipeline, all that lies there counts as a pipeline's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder.parent / PUBLISHED
        self._all = _read(self._path)
        self._before = self._all.get(folder.name)
        self._now: dict[str, str] = {}
        self.aside: list[str] = []

    def put(self, name: str, content: bytes) -> None:
        """Makes the folder hold this file; one that is as it should be is left alone."""
        self._now[name] = digest(content)
        path = self.folder / name
        try:
            there = path.read_bytes()
        except OSError:
            there = None  # It is not there yet.
        if there == content:
            return
        if there is not None:
            self._clear(path, there)
        write_whole(path, content)

    def keep_only_these(self) -> None:
        """Takes away every other PNG, and writes the record."""
        for path in sorted(self.folder.glob("*.png")):
            if path.name not in self._now:
                self._clear(path, path.read_bytes())
        told = {**self._all, self.folder.name: self._now}
        text = json.dumps({"format": FORMAT, "folders": told}, indent=1)
        write_whole(self._path, text.encode() + b"\n")

    def told(self) -> str:
        """What was set aside, "" where nothing was."""
        if not self.aside:
            return ""
        where = self.folder.parent / SET_ASIDE / self.folder.name
        return (
            f"{len(self.aside)} PNGs in {self.folder} were put there or changed by somebody else; "
            f"they are kept in {where}: {some(self.aside)}."
        )

    def _clear(self, path: Path, there: bytes) -> None:
        """Deletes a file that a pipeline put there, moves any other one aside."""
        known = self._before is None or self._before.get(path.name) == digest(there)
        if known:
            path.unlink()
            return
        aside = self.folder.parent / SET_ASIDE / self.folder.name
        try:
            aside.mkdir(parents=True, exist_ok=True)
            free = (f"{path.stem}{each}{path.suffix}" for each in _endings())
            path.rename(next(aside / name for name in free if not (aside / name).exists()))
        except OSError as problem:
            raise DataError(unwritable(aside, problem)) from problem
        self.aside.append(path.stem)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _endings() -> Iterator[str]:
    yield ""
    yield from (f"-{number}" for number in count(2))


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        told = json.loads(path.read_bytes())
        if told["format"] != FORMAT:
            return {}
        folders: dict[str, dict[str, str]] = told["folders"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return folders


def require_ours(folder: Path, known: bool) -> None:
    """Raises TrainingError where a folder holds PNGs that no pipeline put there."""
    strangers = [] if known else sorted(folder.glob("*.png"))
    if strangers:
        raise TrainingError(
            f"{folder} holds {len(strangers)} PNGs that no pipeline wrote ({strangers[0].name}, "
            "...). Choose another --out."
        )


def publish(
    made: Path,
    to: Path,
    source: "Source",
    check: Callable[[], None],
    tell: Callable[[str], None],
    *,
    fill: bool,
) -> list[str]:
    """Makes OUT/labels, OUT/references or OUT/predictions hold what a stage made of a list of
    images; those that it made nothing of.

    With `fill` they get 255 throughout, as far as they can be read: nothing is known about them.
    Files that are as they should be are left alone; `tell` hears of those that somebody else had
    put there or changed. Raises DataError where a file cannot be written, and what `check` raises.
    """
    without = []
    shelf = Shelf(to)
    for item in source.items:
        check()
        name = f"{item.name}.png"
        try:
            content = (made / name).read_bytes()
        except OSError:
            without.append(item.name)
            empty = _ignored(item.image) if fill else None
            if empty is None:
                continue
            content = empty
        shelf.put(name, content)
    shelf.keep_only_these()
    if shelf.aside:
        tell(shelf.told())
    return without


def take_back(folder: Path, tell: Callable[[str], None]) -> None:
    """Takes what earlier pipelines have put into a folder away."""
    shelf = Shelf(folder)
    shelf.keep_only_these()
    if shelf.aside:
        tell(shelf.told())


def _ignored(image: Path) -> bytes | None:
    """A label map of an image that says nothing, None where the image cannot be read."""
    try:
        width, height = image_size(image)
    except ImageError:
        return None
    return encode_labels(np.full((height, width), IGNORE, np.uint8))


def publish_scores(made: Path, out: Path) -> None:
    """Puts the scores of the labels beside them; the review queue goes by them."""
    if (made / SCORES).is_file():
        _put((made / SCORES).read_bytes(), out / SCORES)
    else:
        (out / SCORES).unlink(missing_ok=True)


def publish_weights(made: Path, to: Path) -> None:
    """Makes OUT/weights.safetensors the segmenter's: the same file where the disk allows that."""
    partial = to.with_name(f".{to.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        try:
            os.link(made, partial)
        except OSError:
            shutil.copyfile(made, partial)
        partial.replace(to)
    except OSError as problem:
        raise DataError(unwritable(to, problem)) from problem
    finally:
        partial.unlink(missing_ok=True)


def _put(content: bytes, to: Path) -> None:
    try:
        if to.read_bytes() == content:
            return
    except OSError:
        pass  # It is not there yet.
    write_whole(to, content)
