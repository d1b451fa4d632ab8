"""A run's label maps, taken into the store as candidates."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from backend.errors import DataError
from backend.intake.lines import read_lines
from backend.labels import IGNORE, read_labels
from backend.store import Store
from backend.store.candidates import CheckedCandidate
from backend.store.files import FileBatch

BATCH = 64
"""Rows entered in one transaction, so that a decision waits for milliseconds at most."""

_THREADS = 4
_MOST_SENTENCES = 20

Progress = Callable[[int, int], None]
Thing = TypeVar("Thing")


@dataclass
class Refusals:
    """What was left out: how many, and the first twenty reasons, a sentence each."""

    count: int = 0
    sentences: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def add(self, sentence: str) -> None:
        """Counts one more and keeps its reason while there is room; from any thread."""
        with self._lock:
            self.count += 1
            if len(self.sentences) < _MOST_SENTENCES:
                self.sentences.append(sentence)

    def told(self) -> list[str]:
        """The reasons that were kept, and how many more there were."""
        more = self.count - len(self.sentences)
        return [*self.sentences, *([f"{more} more were refused likewise."] if more else [])]

    def sift(self, checked: Iterable[Thing | str | None]) -> list[Thing]:
        """What is neither missing nor a sentence; the sentences are added."""
        good: list[Thing] = []
        for each in checked:
            if isinstance(each, str):
                self.add(each)
            elif each is not None:
                good.append(each)
        return good


class ScoreLine(NamedTuple):
    """What a line of a scores.jsonl says of an image's labels; `mask` is the sha256 of the label
    PNG that was scored, None where an older line does not say.
    """

    method: str
    scores: dict[str, float]
    mask: str | None = None

    def is_of(self, digest: str) -> bool:
        """Whether it was this label PNG that was scored, as far as the line says."""
        return self.mask is None or self.mask == digest


@dataclass(frozen=True)
class Intake:
    """How many candidates are new, how many were there already, and what was refused."""

    new: int
    known: int
    refused: Refusals


def take_in_labels(
    store: Store,
    run_folder: Path,
    run_id: int | None,
    progress: Progress | None = None,
    *,
    skip_undecided: bool = False,
) -> Intake:
    """Enters a run folder's labels/IMAGE.png as candidates, with the scores of scores.jsonl.

    Images are found by name. Taken in twice, nothing is doubled. A label map that does not fit (no
    such image, another size, unknown ids) is refused with a sentence and the rest goes on; one that
    has changed since it was scored comes in without its scores, with a sentence. `skip_undecided`
    passes over those that are 255 throughout: there is nothing to review. Raises DataError where
    the folder holds no labels at all.
    """
    folder = Path(run_folder)
    paths = sorted((folder / "labels").glob("*.png"))
    if not paths:
        raise DataError(
            f"{folder} holds no label maps to take in: labels/IMAGE.png is where a run puts them."
        )
    method = method_of(folder)
    scores = read_scores(folder / "scores.jsonl", method)
    refused = Refusals()
    new = known = 0

    def check(path: Path, batch: FileBatch) -> CheckedCandidate | str | None:
        image = store.images.by_name(path.stem)
        if image is None:
            return f"The workspace has no image {path.stem} for {path.name}."
        line = scores.get(path.stem, ScoreLine(method, {}))
        try:
            if skip_undecided and (read_labels(path) == IGNORE).all():
                return None
            found = store.candidates.check(image.id, line.method, path, line.scores, into=batch)
        except DataError as error:
            return str(error)
        if line.is_of(found.digest):
            return found
        refused.add(changed_since(path.stem))
        return replace(found, scores={})

    with ThreadPoolExecutor(_THREADS) as threads:
        for batch in batches(paths):
            with store.files.batch() as files:
                checked = list(threads.map(partial(check, batch=files), batch))
            good = refused.sift(checked)
            entered = [is_new for _, is_new in store.candidates.enter(good, run_id)]
            new += sum(entered)
            known += len(entered) - sum(entered)
            if progress:
                progress(min(new + known + refused.count, len(paths)), len(paths))
    return Intake(new, known, refused)


def changed_since(name: str) -> str:
    """The sentence about scores of labels that are others now."""
    return (
        f"The labels of {name} have changed since they were scored, so these scores are left out. "
        "Run `score` on them again."
    )


def read_scores(path: Path, method: str) -> dict[str, ScoreLine]:
    """The lines of a scores.jsonl by image name; what is no line is passed over.

    The last line of an image counts, as a resumed run writes it again; `method` stands in where
    a line names none.
    """
    if not path.is_file():
        return {}
    found: dict[str, ScoreLine] = {}
    for told in read_lines(path):
        named, mask = told.get("method"), told.get("mask")
        found[told["image"]] = ScoreLine(
            named if isinstance(named, str) else method,
            _numbers(told),
            mask if isinstance(mask, str) else None,
        )
    return found


def method_of(folder: Path) -> str:
    """The method, fusion rule or recipe that a run folder's config.json names, else `labels`."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return "labels"
    if not isinstance(config, dict):
        return "labels"
    named = (config.get(key) for key in ("method", "fusion", "recipe"))
    return next((name for name in named if isinstance(name, str) and name), "labels")


def _numbers(told: dict[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in told.items()
        if name not in ("image", "mask", "method") and type(value) in (int, float)
    }


def batches(things: Iterable[Thing]) -> Iterator[list[Thing]]:
    """The things in lists of BATCH, the last one shorter."""
    rest = iter(things)
    while batch := list(islice(rest, BATCH)):
        yield batch
