"""What a pipeline leaves for people: OUT/labels with their scores and OUT/references, what these
were scored against; OUT/predictions and OUT/weights.safetensors.

OUT/published.json remembers what it put there. A PNG that somebody else put into these folders, or
changed there, is neither deleted nor overwritten: it is moved to OUT/set-aside, and told.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
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
        ours = self._all.get(folder.name)
        if ours is None:
            ours = {path.name: [digest(path.read_bytes())] for path in folder.glob("*.png")}
        self._ours = ours
        self._now: dict[str, list[str]] = {}
        self.aside: list[str] = []

    def expect(self, wanted: Mapping[str, str]) -> None:
        """Puts on record what is to lie here, by name and digest, beside what may lie here still:
        a pipeline that is killed on its way finds its own files again.
        """
        self._now = {name: [each] for name, each in wanted.items()}
        known = {**self._ours}
        for name, new in self._now.items():
            known[name] = [*self._ours.get(name, []), *new]
        self._ours = known
        self._write(known)

    def put(self, name: str, content: bytes) -> None:
        """Makes the folder hold this file; one that is as it should be is left alone."""
        path = self.folder / name
        try:
            there = path.read_bytes()
        except OSError:
            there = None  # It is not there yet.
        if there == content:
            return
        if there is not None and not self._is_ours(name, there):
            self._set_aside(path)
        write_whole(path, content)

    def keep_only_these(self) -> None:
        """Takes away every PNG that is not expected, and writes the record."""
        for path in sorted(self.folder.glob("*.png")):
            if path.name in self._now:
                continue
            if self._is_ours(path.name, path.read_bytes()):
                path.unlink()
            else:
                self._set_aside(path)
        self._write(self._now)

    def _write(self, told: Mapping[str, list[str]]) -> None:
        folders = {**self._all, self.folder.name: told}
        text = json.dumps({"format": FORMAT, "folders": folders}, indent=1)
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

    def _is_ours(self, name: str, there: bytes) -> bool:
        return digest(there) in self._ours.get(name, ())

    def _set_aside(self, path: Path) -> None:
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


def _read(path: Path) -> dict[str, dict[str, list[str]]]:
    try:
        told = json.loads(path.read_bytes())
        if told["format"] != FORMAT:
            return {}
        folders: dict[str, dict[str, list[str]]] = told["folders"]
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

    def contents() -> Iterator[tuple[str, bytes | None]]:
        for item in source.items:
            check()
            try:
                yield item.name, (made / f"{item.name}.png").read_bytes()
            except OSError:
                yield item.name, _ignored(item.image) if fill else None

    shelf = Shelf(to)
    shelf.expect({f"{name}.png": digest(each) for name, each in contents() if each is not None})
    for name, content in contents():
        if not (made / f"{name}.png").is_file():
            without.append(name)
        if content is not None:
            shelf.put(f"{name}.png", content)
    shelf.keep_only_these()
    if shelf.aside:
        tell(shelf.told())
    return without


def take_back(folder: Path, tell: Callable[[str], None]) -> None:
    """Takes what earlier pipelines have put into a folder away, and the folder once it is empty."""
    shelf = Shelf(folder)
    shelf.keep_only_these()
    if shelf.aside:
        tell(shelf.told())
    if not any(folder.iterdir()):
        folder.rmdir()


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
