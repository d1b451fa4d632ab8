"""The seeds of SEC and DSRG for a data set: cues cut out of an attention run's maps and saliency.

Each image's are written to RUN/cues/IMAGE.png (the data set's ids, 255 none, the whole image on the
network's grid), so that a killed run does not make them again and a person can look at them. While
a network learns they are kept in memory.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from backend.atomic import write_whole
from backend.errors import SaliencyError
from backend.exchange.names import some
from backend.images import read_image, require_usable
from backend.labels import BACKGROUND, IGNORE, read_labels, write_labels
from backend.maps.cues import static_cues
from backend.maps.growing import grow
from backend.saliency import SaliencySource
from training.errors import TrainingError
from training.predictions import cores
from training.run import Run
from training.run_maps import RunMaps
from training.streaming import stream
from training.views import View

if TYPE_CHECKING:
    from backend.exchange.sources import Item, Source
    from training.data import Batch

FOLDER = "cues"
MADE_WITH = "cues.json"


@dataclass(frozen=True)
class CueMaker:
    """What cues are made of: an earlier run's maps, saliency, the grid's (height, width), and the
    shares of backend.maps.cues.
    """

    maps: RunMaps
    saliency: SaliencySource
    grid: tuple[int, int]
    high: float
    background_part: float

    @property
    def origin(self) -> dict[str, Any]:
        """What the cues are made with, for the record."""
        return {
            "maps": self.maps.origin,
            "saliency": {"name": self.saliency.name, "origin": self.saliency.origin},
            "grid": list(self.grid),
            "threshold": self.high,
            "background_part": self.background_part,
        }

    def make(self, item: "Item") -> np.ndarray:
        """The cues of an image in the data set's ids, uint8 (*grid)."""
        image = require_usable(read_image(item.image), item.name)
        cues = static_cues(
            np.stack([self._on_grid(heat) for heat in self.maps.of(item)]),
            self._on_grid(self.saliency(image, item.name)),
            high=self.high,
            background_part=self.background_part,
        )
        ids = np.full(256, IGNORE, np.uint8)
        ids[: 1 + len(item.tags)] = (BACKGROUND, *item.tags)
        return ids[cues]

    def require(self, source: "Source") -> None:
        """Raises TrainingError where the map of a tag is missing, SaliencyError where an image has
        no saliency; both name images.
        """
        missing = [
            f"{item.name} ({source.classes[tag]})"
            for item in source.items
            for tag in sorted(set(item.tags) - set(self.maps.tags(item)))
        ]
        if missing:
            raise TrainingError(
                f"{self.maps.folder} has no attention map of {len(missing)} tags: {some(missing)}. "
                "Give with --from a finished run over the same images and tags."
            )
        bare = self.saliency.missing(item.name for item in source.items)
        if bare:
            raise SaliencyError(
                f"{len(bare)} of {len(source.items)} images have no saliency map in "
                f"{self.saliency.name.partition(':')[2]}: {some(bare)}. Put an IMAGE.png of each "
                "there, or take --saliency classical."
            )

    def _on_grid(self, heat: np.ndarray) -> np.ndarray:
        height, width = self.grid
        small = heat.shape[0] < height or heat.shape[1] < width
        how = cv2.INTER_LINEAR if small else cv2.INTER_AREA
        # Rounding may leave 0..1 by a last digit.
        return np.clip(cv2.resize(heat, (width, height), interpolation=how), 0, 1)


@dataclass(frozen=True)
class Cues:
    """The cues of each image of a source by its name, uint8 (h,w) in the data set's ids, and where
    they come from.
    """

    by_name: Mapping[str, np.ndarray]
    origin: dict[str, Any]

    def taught(self, run: Run, source: "Source") -> "Source":
        """The images that have a cue; those without are left out and named.

        Says how many tags and backgrounds have none. Raises TrainingError where no tag of any
        image has one, and where no background has although it should.
        """
        found = {name: set(np.unique(cues).tolist()) for name, cues in self.by_name.items()}
        tags = sum(len(item.tags) for item in source.items)
        bare = [
            f"{item.name} ({source.classes[tag]})"
            for item in source.items
            for tag in item.tags
            if tag not in found[item.name]
        ]
        if len(bare) == tags:
            raise TrainingError(
                f"None of the {tags} tags has a cue: their maps are empty, or --cue-threshold is "
                "too high. Give another run with --from."
            )
        if bare:
            run.message(
                f"{len(bare)} of {tags} tags have no cue, as their map is empty or smaller regions "
                f"cover it: {some(bare)}."
            )
        flat = [item.name for item in source.items if BACKGROUND not in found[item.name]]
        if flat and self.origin["background_part"]:
            if len(flat) == len(source.items):
                raise TrainingError(
                    f"None of the {len(flat)} images has a cue of the background: their saliency "
                    "is the same everywhere. Take another --saliency."
                )
            run.message(f"{len(flat)} images have no cue of the background: {some(flat)}.")
        empty = [item.name for item in source.items if found[item.name] == {IGNORE}]
        if empty:
            run.message(f"{len(empty)} images have no cue at all and are left out: {some(empty)}.")
        lost = set(empty)
        return replace(source, items=[item for item in source.items if item.name not in lost])


class CueBatches:
    """The cues of a source's images as the samples of a batch show them, in a network's channels:
    0 background, then the classes in their order, 255 none.

    channels: a table (256,) from the data set's ids.
    """

    def __init__(self, cues: Cues, source: "Source", channels: np.ndarray) -> None:
        table = channels.astype(np.uint8)
        self._cues = np.stack([table[cues.by_name[item.name]] for item in source.items])

    def of(self, batch: "Batch", size: Sequence[int]) -> np.ndarray:
        """uint8 (N,*size); 255 where a sample is padded."""
        made = [
            cut_labels(self._cues[index], View.of(view), (size[0], size[1]))
            for index, view in zip(batch.indices.tolist(), batch.views.cpu(), strict=True)
        ]
        return np.stack(made)


def make_cues(run: Run, source: "Source", maker: CueMaker) -> Cues:
    """The cues of every image of a source; those that an interrupted run made are read.

    Raises TrainingError and SaliencyError where something that they are made of is missing.
    """
    maker.require(source)
    run.begun = True
    folder = run.folder / FOLDER
    note = run.folder / MADE_WITH
    text = (json.dumps(maker.origin, indent=2, ensure_ascii=False) + "\n").encode()
    if not (note.is_file() and note.read_bytes() == text):
        if folder.exists():
            shutil.rmtree(folder)
        write_whole(note, text)

    def made(item: "Item") -> np.ndarray:
        path = folder / f"{item.name}.png"
        if path.is_file():
            return read_labels(path)
        cues = maker.make(item)
        write_labels(path, cues)
        return cues

    total = len(source.items)
    work = stream(run, source.items, made, cores(), total=total, stage=FOLDER)
    by_name = {item.name: cues for item, cues in zip(source.items, work, strict=True)}
    told = hashlib.sha256()
    for name, cues in by_name.items():
        told.update(name.encode() + cues.tobytes())
    return Cues(by_name, {**maker.origin, "digest": told.hexdigest()})


def grown(
    cues: np.ndarray,
    probabilities: np.ndarray,
    tags: np.ndarray,
    foreground: float,
    background: float,
) -> np.ndarray:
    """An image's cues uint8 (h,w), in a network's channels, with what they grow into.

    probabilities (C+1,h,w) of the channels; tags (C,) of 0 and 1: only these classes grow.
    """
    channels = np.flatnonzero(np.concatenate([[1], tags > 0])).astype(np.uint8)
    own = np.where(cues == IGNORE, IGNORE, np.searchsorted(channels, cues)).astype(np.uint8)
    labels = grow(own, probabilities[channels], foreground=foreground, background=background)
    return np.where(labels == IGNORE, IGNORE, channels[np.minimum(labels, len(channels) - 1)])


def cut_labels(labels: np.ndarray, view: View, size: tuple[int, int]) -> np.ndarray:
    """Labels (h,w) of a whole image as a view shows them, (*size), the nearest cell; 255 in
    padding.
    """
    rows, columns = size
    y = view.top + (np.arange(rows) + 0.5) / rows * view.height
    x = (np.arange(columns) + 0.5) / columns
    x = view.left + (1 - x if view.flip else x) * view.width
    inside = ((y >= 0) & (y < 1))[:, None] & ((x >= 0) & (x < 1))[None, :]
    down = np.clip((y * labels.shape[0]).astype(int), 0, labels.shape[0] - 1)
    across = np.clip((x * labels.shape[1]).astype(int), 0, labels.shape[1] - 1)
    return np.where(inside, labels[down[:, None], across[None, :]], np.uint8(IGNORE))
