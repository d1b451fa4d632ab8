"""How far two label maps of one image agree: pixels by class, counted once and kept."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backend.errors import DataError
from backend.labels import BACKGROUND, IGNORE, decode_labels

if TYPE_CHECKING:
    from backend.store.files import FileStore

KEPT = 200_000
"""Pairs of masks whose counts are kept; some 100 bytes each."""


@dataclass(frozen=True)
class Counts:
    """Pixels of one image by class id: in both maps, in the first, in the second.

    A pixel of the second map that is 255 (void) is left out; one of the first is background.
    """

    ids: tuple[int, ...]
    both: tuple[int, ...]
    first: tuple[int, ...]
    second: tuple[int, ...]

    def iou(self) -> dict[int, float]:
        """IoU 0..1 of each class that the second map holds."""
        rows = zip(self.ids, self.both, self.first, self.second, strict=True)
        return {id: both / (one + two - both) for id, both, one, two in rows if two}

    def agreement(self) -> float | None:
        """The mean IoU over the classes that either map holds; None where nothing was counted."""
        rows = list(zip(self.both, self.first, self.second, strict=True))
        shares = [both / (one + two - both) for both, one, two in rows if one + two]
        return float(np.mean(shares)) if shares else None

    def mean_iou(self) -> float | None:
        """The mean of `iou`, as an evaluation has it for one image; None for a void truth."""
        found = list(self.iou().values())
        return float(np.mean(found)) if found else None


def count(first: np.ndarray, second: np.ndarray) -> Counts:
    """The counts of two label maps uint8 (H,W); ValueError where their sizes differ."""
    if first.shape != second.shape:
        raise ValueError(f"the maps are {first.shape} and {second.shape}")
    counted = second != IGNORE
    one, two = first[counted].astype(np.int32), second[counted].astype(np.int32)
    one[one == IGNORE] = BACKGROUND
    pairs = np.bincount(one * 256 + two, minlength=65536).reshape(256, 256)
    firsts, seconds, both = pairs.sum(axis=1), pairs.sum(axis=0), pairs.diagonal()
    ids = np.flatnonzero(firsts + seconds)
    return Counts(
        *(tuple(int(each) for each in row) for row in (ids, both[ids], firsts[ids], seconds[ids]))
    )


class Measuring:
    """Counts by the digests of two label PNGs, which never change. Safe between threads."""

    def __init__(self, files: "FileStore", kept: int = KEPT) -> None:
        self._files = files
        self._most = kept
        self._kept: OrderedDict[tuple[bytes, bytes], Counts] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, *pairs: tuple[str, str]) -> list[Counts]:
        """The counts of some pairs (first, second), each file decoded once however many need it.

        Raises DataError where two maps have different sizes, StoreError where a file is gone.
        """
        keys = [(bytes.fromhex(one), bytes.fromhex(two)) for one, two in pairs]
        with self._lock:
            found = [self._kept.get(key) for key in keys]
        decoded: dict[str, np.ndarray] = {}

        def labels(digest: str) -> np.ndarray:
            if digest not in decoded:
                decoded[digest] = decode_labels(self._files.read(digest), f"Mask {digest[:12]}")
            return decoded[digest]

        for at, (one, two) in enumerate(pairs):
            if found[at] is None:
                try:
                    made = count(labels(one), labels(two))
                except ValueError as error:
                    raise DataError(
                        f"The masks {one[:12]} and {two[:12]} cannot be compared: {error}. Import "
                        "the image's masks again at the image's own size."
                    ) from error
                found[at] = made
                with self._lock:
                    self._kept[keys[at]] = made
                    while len(self._kept) > self._most:
                        self._kept.popitem(last=False)
        return [each for each in found if each is not None]
