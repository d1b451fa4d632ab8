"""Which cells of an image are surely a tag or surely background, by its attention maps.

What AffinityNet learns from: of two readings of the maps one gives the background much, the other
little; a cell is a tag where even the first says so, background where even the second does, and
255 between. Made once an image, and kept as RUN/seeds/IMAGE.png: the shares of background and tags
by both readings, one below the other, 8-bit grey, so that samples can be cut out of them.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from backend.atomic import write_whole
from backend.errors import ImageError, RefinementError
from backend.exchange.names import some
from backend.images import encode_png, read_image, require_usable
from backend.inspection.inspector import WORKING_SIDE
from backend.inspection.scene import fit
from backend.labels import BACKGROUND, IGNORE, read_heat
from backend.maps import crf, walk
from backend.maps.attention import resize
from training.earlier_run import maps_digest
from training.errors import TrainingError
from training.run import Run
from training.run_maps import RunMaps
from training.streaming import stream
from training.view_maps import cut_out
from training.views import View

if TYPE_CHECKING:
    from backend.exchange.sources import Item, Source
    from backend.refinement import CrfPool
    from training.data import Batch

SEEDS = "seeds"
MADE_WITH = "seeds.json"
LARGEST_SIDE = 256
# Samples are cut so many times finer than the cells and then averaged: labels are those of a cell.
FINER = 2


@dataclass(frozen=True)
class Sowing:
    """How the two readings are made.

    "crf": the background counts (1 - the strongest attention)^low, and ^high, each drawn to edges
    by the CRF of this preset. "thresholds": no CRF; the background counts `sure_object` in the
    first reading and `sure_background` in the second.
    """

    how: str
    low: float
    high: float
    preset: str
    sure_object: float
    sure_background: float

    def readings(
        self, image: np.ndarray, heats: np.ndarray, pool: "CrfPool"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Both readings of attention (K,H,W) of an image uint8 (H,W,3), float32 (K+1,H,W)."""
        if self.how == "thresholds":
            even = np.ones((1, *heats.shape[1:]), np.float32)
            return (
                np.concatenate([even * np.float32(self.sure_object), heats]),
                np.concatenate([even * np.float32(self.sure_background), heats]),
            )
        first, second = (
            pool.refine(image, walk.with_background(heats, alpha), crf.PRESETS[self.preset])
            for alpha in (self.low, self.high)
        )
        return first, second


def sow(
    run: Run, source: "Source", maps: RunMaps, how: Sowing, pool: "CrfPool", threads: int
) -> None:
    """Makes the seeds of every image that has none yet; those that cannot have any are named.

    Raises TrainingError where no image has seeds in the end, DataError on a full disk, Cancelled.
    """
    _begin(run, maps, how)
    folder = run.folder / SEEDS
    todo = [item for item in source.items if not (folder / f"{item.name}.png").is_file()]
    why_not: list[str] = []

    def make(item: "Item") -> str:
        if not maps.tags(item):
            return f"{item.name} is left out: the run {maps.folder.name} has no map of its tags."
        try:
            image = fit(require_usable(read_image(item.image), item.name), WORKING_SIDE)
            heats = resize(maps.of(item), (image.shape[0], image.shape[1]))
            both = np.concatenate(how.readings(image, heats, pool))
        except (ImageError, RefinementError) as problem:
            return f"{item.name} is left out: {problem}"
        write_whole(folder / f"{item.name}.png", encode_png(packed(both)))
        return ""

    done, total = len(source.items) - len(todo), len(source.items)
    for said in stream(run, todo, make, threads, total=total, done=done, stage=SEEDS):
        if said:
            why_not.append(said)
            run.message(said)
    if len(why_not) == len(source.items):
        raise TrainingError(f"No image has anything to learn from. {some(why_not, 3)}")
    if why_not:
        run.message(f"{len(why_not)} of {total} images teach nothing, since they were left out.")


def _begin(run: Run, maps: RunMaps, how: Sowing) -> None:
    """Notes what the seeds are made with; those of other maps or numbers are thrown away."""
    told = {"maps": {**maps.origin, "digest": maps_digest(maps.folder)}, **asdict(how)}
    text = (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()
    note = run.folder / MADE_WITH
    if note.is_file() and note.read_bytes() == text:
        return
    if (run.folder / SEEDS).exists():
        shutil.rmtree(run.folder / SEEDS)
    write_whole(note, text)


def packed(shares: np.ndarray) -> np.ndarray:
    """Maps float32 (M,H,W) in 0..1 one below the other, uint8 (M h,w), no longer than is needed."""
    height, width = shares.shape[1:]
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in shares]
    return np.rint(np.concatenate(small) * 255).astype(np.uint8)


class Seeds:
    """The seeds of a source's images as labels of samples; without any, all of it is 255."""

    def __init__(self, folder: Path, source: "Source", maps: RunMaps) -> None:
        self.folder = folder / SEEDS
        self.items = source.items
        self.maps = maps

    def batch(self, batch: "Batch", size: Sequence[int]) -> torch.Tensor:
        """The labels of the samples' cells, int64 (N,*size): 0, class ids, 255 where nothing is
        sure and outside the image.
        """
        grid = (int(size[0]), int(size[1]))
        labels = np.full((len(batch.images), *grid), IGNORE, np.int64)
        for row, index in enumerate(batch.indices.tolist()):
            self._label(self.items[index], View.of(batch.views[row]), labels[row])
        return torch.from_numpy(labels)

    def _label(self, item: "Item", view: View, labels: np.ndarray) -> None:
        path = self.folder / f"{item.name}.png"
        if not path.is_file():
            return
        ids = self.maps.tags(item)
        rows = read_heat(path)
        if len(rows) % (2 * (len(ids) + 1)):
            raise TrainingError(
                f"{path} does not fit the tags of {item.name}: the images' tags or the maps of "
                f"{self.maps.folder} changed since it was made. Start a new run in another --out."
            )
        shares = rows.reshape(2 * (len(ids) + 1), -1, rows.shape[1])
        height, width = labels.shape
        cut = cut_out(shares, view, (height * FINER, width * FINER))
        cells = cut.reshape(len(cut), height, FINER, width, FINER).mean(axis=(2, 4))
        labels[:] = agreed(cells, ids)


def agreed(cells: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """Labels (h,w) of two readings (2(K+1),h,w), the one with much background first: what both say.

    A tag where the first says so, background where the second says so, else 255; 255 too where both
    readings are zero, outside the image. Source: AffinityNet, section 4.1, and its code.
    """
    first, second = cells.reshape(2, len(ids) + 1, *cells.shape[1:])
    known = np.array([BACKGROUND, *ids])
    labels = known[first.argmax(axis=0)]
    labels[labels == BACKGROUND] = IGNORE
    labels[known[second.argmax(axis=0)] == BACKGROUND] = BACKGROUND
    labels[cells.max(axis=0) < 1e-5] = IGNORE
    return labels
