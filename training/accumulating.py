"""Online attention accumulation: what each image's tags lit up over the passes of training.

Keyed by image name, not by place in a data set: shuffled, sharded and resumed runs gather the same.
Source: OAA, section 3.2; warm-up and the other gate as in its released code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch

from backend.history import (
    ACCUMULATED,
    NO_ATTENTION,
    NO_CLASS,
    REFUSED,
    WARM_UP,
    History,
    history_path,
    write_history,
)
from backend.maps.accumulation import is_reliable, paste
from backend.maps.attention import normalise
from training.view_maps import put_back
from training.views import View

if TYPE_CHECKING:
    from lightning_fabric import Fabric

MOST_CELLS_LONG = 2
"""A grid is at most this many times longer than wide, as a network sees long images."""


@dataclass(frozen=True)
class Place:
    """One image's part of the buffer: its tags' columns, its grid, and where its maps begin."""

    columns: tuple[int, ...]
    grid: tuple[int, int]
    start: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return (len(self.columns), *self.grid)

    @property
    def cells(self) -> int:
        return len(self.columns) * self.grid[0] * self.grid[1]


class Accumulator:
    """The accumulated maps of every image and tag, in one block of memory that never grows.

    how "max" keeps uint8; "mean" a uint16 and a count for each cell. `warmup` passes are not
    stored; `gate` is a rule of `is_reliable`, or none. `told` names the images whose every pass is
    kept for the page: these do grow, by a map of each tag a pass.
    """

    def __init__(
        self,
        images: Iterable[tuple[str, Sequence[int], tuple[int, int]]],
        how: Literal["max", "mean"] = "max",
        *,
        gate: Literal["strict", "topk", "none"] = "strict",
        warmup: int = 1,
        told: Iterable[str] = (),
    ) -> None:
        """images: name, columns of its tags in the network's outputs, grid (h,w) of its maps."""
        self.how: Literal["max", "mean"] = how
        self.gate: Literal["strict", "topk", "none"] = gate
        self.warmup = warmup
        self.places: dict[str, Place] = {}
        start = 0
        for name, columns, grid in images:
            self.places[name] = Place(tuple(columns), grid, start)
            start += self.places[name].cells
        self._maps: np.ndarray = np.zeros(start, np.uint8 if how == "max" else np.uint16)
        self._full = np.float32(255 if how == "max" else 65535)
        self._counts: np.ndarray = np.zeros(start if how == "mean" else 0, np.uint8)
        self._accepted = {
            name: np.zeros(len(each.columns), np.int32) for name, each in self.places.items()
        }
        self._told: dict[str, list[Pass]] = {name: [] for name in told if name in self.places}

    @property
    def nbytes(self) -> int:
        """Bytes of the maps and their counts."""
        return self._maps.nbytes + self._counts.nbytes

    def add(self, name: str, view: View, maps: np.ndarray, scores: np.ndarray, epoch: int) -> None:
        """Adds what a sample of an image saw: raw maps (C,h,w) and scores (C,) of the network.

        epoch counts from 0; those of the warm-up are looked at but not stored.
        """
        place = self.places[name]
        columns = list(place.columns)
        attention = normalise(maps[columns])
        reliable = np.ones(len(columns), bool)
        if self.gate != "none":
            reliable = is_reliable(scores, columns, self.gate)
        verdict = np.where(reliable, ACCUMULATED, REFUSED).astype(np.uint8)
        verdict[~attention.any(axis=(1, 2))] = NO_ATTENTION
        if epoch < self.warmup:
            verdict[:] = WARM_UP
        stored = verdict == ACCUMULATED
        if not stored.any() and name not in self._told:
            return
        placed, seen = put_back(attention, view, place.grid)
        for tag in np.flatnonzero(stored):
            self._fuse(place, int(tag), placed[tag], seen)
        self._accepted[name] += stored
        if name in self._told:
            self._told[name].append(Pass.of(placed, seen, scores, columns, verdict))

    def _fuse(self, place: Place, tag: int, new: np.ndarray, seen: np.ndarray) -> None:
        size = place.grid[0] * place.grid[1]
        where = slice(place.start + tag * size, place.start + (tag + 1) * size)
        total = (self._maps[where].astype(np.float32) / self._full).reshape(place.grid)
        counts = np.zeros(place.grid, np.uint16)
        if self.how == "mean":
            counts = self._counts[where].astype(np.uint16).reshape(place.grid)
        paste(total, counts, new, seen, self.how)
        self._maps[where] = np.rint(total * self._full).ravel()
        if self.how == "mean":
            # Beyond 255 maps each further one weighs 1/256, and the oldest are slowly forgotten.
            self._counts[where] = np.minimum(counts, 255).ravel()

    def maps_of(self, name: str) -> np.ndarray:
        """The accumulated maps of an image's tags, float32 (K,h,w) in 0..1."""
        place = self.places[name]
        held = self._maps[place.start : place.start + place.cells].astype(np.float32)
        return (held / self._full).reshape(place.shape)

    def accepted(self, name: str) -> np.ndarray:
        """How many passes were stored for each tag of an image, int (K,)."""
        return self._accepted[name].copy()

    def write_histories(self, folder: Path, class_ids: Sequence[int]) -> int:
        """Writes folder/history/IMAGE.npz of every image that is told of; how many."""
        written = 0
        for name, passes in self._told.items():
            if passes:
                ids = [class_ids[column] for column in self.places[name].columns]
                write_history(history_path(folder, name), told(passes, ids, class_ids))
                written += 1
        return written

    def merge(self, fabric: "Fabric") -> None:
        """Makes every rank's maps those of all ranks together; the histories stay each rank's own.

        The maximum of the ranks' maxima is exact; means are weighted by their counts.
        """
        if fabric.world_size == 1:
            return

        def reduced(array: np.ndarray, how: str) -> np.ndarray:
            whole = fabric.all_reduce(torch.from_numpy(array), reduce_op=how)
            return cast(torch.Tensor, whole).cpu().numpy()

        if self.how == "max":
            self._maps = reduced(self._maps, "max")
        else:
            counts = self._counts.astype(np.float64)
            sums = reduced(self._maps * counts, "sum")
            counts = reduced(counts, "sum")
            self._maps = np.rint(sums / np.maximum(counts, 1)).astype(np.uint16)
            self._counts = np.minimum(counts, 255).astype(np.uint8)
        for name, own in self._accepted.items():
            self._accepted[name] = reduced(own, "sum")

    def state_dict(self) -> dict[str, Any]:
        """Everything gathered, as tensors; names go along so that another data set is noticed."""
        return {
            "how": self.how,
            "names": list(self.places),
            "columns": [list(each.columns) for each in self.places.values()],
            # torch keeps, but hardly knows, uint16: its bits go as int16.
            "maps": torch.from_numpy(self._maps.view(np.int16 if self.how == "mean" else np.uint8)),
            "counts": torch.from_numpy(self._counts),
            "accepted": {name: torch.from_numpy(a) for name, a in self._accepted.items()},
            "told": {
                name: [each.tensors() for each in passes] for name, passes in self._told.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts a state_dict in place; ValueError where it is of other images or another fusion."""
        if state["how"] != self.how or state["names"] != list(self.places):
            raise ValueError("its accumulated maps are of other images or another --fusion")
        columns = [list(each.columns) for each in self.places.values()]
        if state.get("columns", columns) != columns:
            raise ValueError("its accumulated maps are of other tags")
        maps = state["maps"].cpu().numpy()
        if maps.shape != self._maps.shape:
            raise ValueError("its accumulated maps are of another size")
        self._maps = maps.astype(self._maps.dtype)
        self._counts = state["counts"].cpu().numpy().copy()
        self._accepted = {name: a.cpu().numpy().copy() for name, a in state["accepted"].items()}
        self._told = {
            name: [Pass.from_tensors(each) for each in passes]
            for name, passes in state["told"].items()
        }


@dataclass(frozen=True)
class Pass:
    """One pass over one image, as a History has it."""

    maps: np.ndarray
    seen: np.ndarray
    scores: np.ndarray
    rival: float
    rival_column: int
    verdict: np.ndarray

    @classmethod
    def of(
        cls,
        placed: np.ndarray,
        seen: np.ndarray,
        scores: np.ndarray,
        columns: Sequence[int],
        verdict: np.ndarray,
    ) -> "Pass":
        others = np.delete(np.arange(len(scores)), list(columns))
        best = int(others[scores[others].argmax()]) if len(others) else NO_CLASS
        return cls(
            np.rint(placed * 255).astype(np.uint8),
            seen,
            scores[list(columns)].astype(np.float32),
            float(scores[best]) if len(others) else 0.0,
            best,
            verdict,
        )

    def tensors(self) -> dict[str, Any]:
        return {
            "maps": torch.from_numpy(self.maps),
            "seen": torch.from_numpy(self.seen),
            "scores": torch.from_numpy(self.scores),
            "rival": self.rival,
            "rival_column": self.rival_column,
            "verdict": torch.from_numpy(self.verdict),
        }

    @classmethod
    def from_tensors(cls, state: dict[str, Any]) -> "Pass":
        arrays = ("maps", "seen", "scores", "verdict")
        return cls(
            **{name: state[name].cpu().numpy().copy() for name in arrays},
            rival=float(state["rival"]),
            rival_column=int(state["rival_column"]),
        )


def told(passes: Sequence[Pass], ids: Sequence[int], class_ids: Sequence[int]) -> History:
    """The passes of an image as a History; ids are its tags', class_ids the network's."""
    rivals = [NO_CLASS if p.rival_column < 0 else class_ids[p.rival_column] for p in passes]
    return History(
        maps=np.stack([each.maps for each in passes]),
        seen=np.stack([each.seen for each in passes]),
        scores=np.stack([each.scores for each in passes]),
        rival=np.array([each.rival for each in passes], np.float32),
        rival_class=np.array(rivals, np.int16),
        verdict=np.stack([each.verdict for each in passes]),
        class_ids=np.array(ids, np.int16),
    )


def grid_of(height: int, width: int, cells: int) -> tuple[int, int]:
    """The grid (h,w) of an image's maps: `cells` on its shorter side, its shape kept."""
    scale = min(cells / min(height, width), MOST_CELLS_LONG * cells / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
