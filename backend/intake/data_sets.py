"""A data set's images, tags and masks, taken into the store."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from backend.errors import DataError, ImageError
from backend.exchange.items import Item, Source, checked_mask, fitting
from backend.intake.masks import BATCH, Refusals
from backend.labels import IGNORE, encode_labels
from backend.store import Store
from backend.store.candidates import CheckedCandidate, finite
from backend.store.checking import CheckedImage, check_labels
from backend.store.files import FileBatch

FILES_AT_ONCE = 256
"""Files synced together: each sync waits for the disk, and reviewers do not wait for it."""

_THREADS = 4

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Import:
    """How many images and candidates are new, how many images were there, what was refused."""

    new: int
    known: int
    candidates: int
    refused: Refusals


class _Mask(NamedTuple):
    method: str
    digest: str
    scores: dict[str, float]


class _Looked(NamedTuple):
    """An item whose files were looked at and wait to be stored; no image where it was refused."""

    item: Item
    image: CheckedImage | None
    masks: list[_Mask]


def take_in_source(
    store: Store,
    source: Source,
    *,
    origin: str,
    truth: bool = False,
    as_candidates: str | None = None,
    progress: Progress | None = None,
    start: int = 0,
    counted: dict[str, int] | None = None,
    refused: Refusals | None = None,
) -> Import:
    """Brings in a data set's images and tags, streaming; done twice, it adds nothing.

    Classes are found by name, and keep their ids where these are free; masks are rewritten where
    ids differ. `truth`: keep true masks as truth. `as_candidates`: offer masks (a snapshot's
    curated ones, else the true ones) for review under this name, and what else a data set offers
    under NAME/WHO. What cannot be read is refused with a sentence and the rest goes on. `start`
    passes over items that came in before; `counted` and `refused` are kept up to date for
    `progress` to look at.
    Raises StoreError where the store cannot go on.
    """
    taking = _Taking(store, source, origin, truth, as_candidates, counted, refused)
    done, total = start, len(source.items)
    rest = iter(source.items[start:])
    ahead: _Ahead | None = None
    with ThreadPoolExecutor(_THREADS) as threads:
        try:
            ahead = _look_ahead(threads, taking, rest)
            while ahead is not None:
                # While this batch is synced and entered, which mostly waits, the next is looked at.
                batch, ahead = ahead, _look_ahead(threads, taking, rest)
                with batch.files:
                    wait(batch.looking)
                    looked = [each.result() for each in batch.looking]
                taking.enter(looked)
                done += len(looked)
                if progress:
                    progress(done, total)
        finally:
            if ahead is not None:
                wait([each for each in ahead.looking if not each.cancel()])
                ahead.files.drop()
    counts = taking.counts
    return Import(counts["new"], counts["known"], counts["candidates"], taking.refused)


class _Ahead(NamedTuple):
    """A batch that threads are looking at, and where its files wait."""

    files: FileBatch
    looking: "list[Future[_Looked]]"


def _look_ahead(
    threads: ThreadPoolExecutor, taking: "_Taking", rest: Iterator[Item]
) -> _Ahead | None:
    items = list(islice(rest, FILES_AT_ONCE))
    if not items:
        return None
    files = taking.store.files.batch()
    return _Ahead(files, [threads.submit(taking.look, item, files) for item in items])


class _Taking:
    """One import: the ids, what is counted, and the two halves of taking a batch in."""

    def __init__(
        self,
        store: Store,
        source: Source,
        origin: str,
        truth: bool,
        as_candidates: str | None,
        counted: dict[str, int] | None,
        refused: Refusals | None,
    ) -> None:
        self.store, self.source, self.origin = store, source, origin
        self.truth, self.method = truth, as_candidates
        self.ids = classes_in(store, source.classes)
        self.class_ids = {each.id for each in store.classes.all()}
        self.same = all(old == id for old, id in self.ids.items())
        self.refused = Refusals() if refused is None else refused
        self.counts = {} if counted is None else counted
        for name in ("new", "known", "candidates", "refused"):
            self.counts.setdefault(name, 0)
        self.refused_before = self.counts["refused"]

    def look(self, item: Item, files: FileBatch) -> _Looked:
        """Decodes an image and its masks into the batch; from any thread."""
        try:
            image = self.store.images.check(item.name, item.image, into=files)
        except ImageError as error:
            self.refused.add(str(error))
            return _Looked(item, None, [])
        size, masks = (image.height, image.width), []
        if self.truth:
            image = replace(image, truth_digest=self._mask(files, item, item.truth, size))
        if self.method is not None:
            digest = self._mask(files, item, item.mask or item.truth, size)
            if digest is not None:
                masks.append(_Mask(self.method, digest, {}))
            for offer in item.offers:
                name = f"{self.method}/{offer.by}"
                found = self._drawn(files, item, offer.draw, size)
                if found is not None:
                    masks.append(_Mask(name, found, finite(offer.scores)))
        return _Looked(item, image, masks)

    def enter(self, looked: Iterable[_Looked]) -> None:
        """Enters the rows of a batch whose files are stored."""
        good = [each for each in looked if each.image is not None]
        for place in range(0, len(good), BATCH):
            some = good[place : place + BATCH]
            rows = [
                (each.image, [self.ids[tag] for tag in each.item.tags])
                for each in some
                if each.image is not None
            ]
            added = self.store.images.enter(rows, source=self.origin)
            self.counts["new"] += sum(each.new for each in added)
            self.counts["known"] += sum(not each.new for each in added)
            masks = [
                CheckedCandidate(row.image.id, row.image.digest, *mask, parent_id=None)
                for each, row in zip(some, added, strict=True)
                for mask in each.masks
            ]
            if masks:
                entered = self.store.candidates.enter(masks)
                self.counts["candidates"] += sum(is_new for _, is_new in entered)
        self.counts["refused"] = self.refused_before + self.refused.count

    def _mask(
        self, files: FileBatch, item: Item, path: Path | None, size: tuple[int, int]
    ) -> str | None:
        """The digest of a mask in the workspace's ids, stored: as it is, or written anew."""
        if path is None:
            return None if item.drawn is None else self._drawn(files, item, item.drawn, size)
        try:
            if self.same:
                return check_labels(files, path, size, self.class_ids, f"The mask of {item.name}")
            labels = checked_mask(path, item, self.source.classes)
            return files.put(encode_labels(renumbered(labels, self.ids)), ".png")
        except DataError as error:
            self.refused.add(str(error))
            return None

    def _drawn(
        self,
        files: FileBatch,
        item: Item,
        draw: Callable[[], np.ndarray],
        size: tuple[int, int],
    ) -> str | None:
        try:
            labels = fitting(draw(), item, self.source.classes, "its data set")
        except DataError as error:
            self.refused.add(str(error))
            return None
        return files.put(encode_labels(renumbered(labels, self.ids)), ".png")


def renumbered(labels: np.ndarray, ids: Mapping[int, int]) -> np.ndarray:
    """Labels with other class ids; 0 and 255 stay."""
    table = np.zeros(256, np.uint8)
    table[IGNORE] = IGNORE
    table[list(ids)] = list(ids.values())
    return table[labels]


def classes_in(store: Store, classes: dict[int, str]) -> dict[int, int]:
    """Workspace ids by the data set's ids; those that can keep theirs are added first."""
    taken = {each.id for each in store.classes.all()}
    order = sorted(classes, key=lambda id: (id in taken, id))
    return {id: store.classes.add(classes[id], id).id for id in order}


def listing_of(source: Source) -> str:
    """A digest of which images a source lists, in which order: where to go on after a kill."""
    told = hashlib.sha256()
    for item in source.items:
        about = item.image.stat()
        told.update(f"{item.name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return told.hexdigest()
