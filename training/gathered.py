"""The attention maps of an earlier run, as targets for the samples of another."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from backend.labels import read_heat
from training.errors import TrainingError
from training.run import read_config
from training.view_maps import cut_out
from training.views import View

if TYPE_CHECKING:
    from backend.exchange.sources import Source
    from training.data import Batch

LARGEST_SIDE = 128


class GatheredMaps:
    """RUN/maps/IMAGE/CLASS.png of every image and tag, kept as uint8 at feature resolution.

    Raises TrainingError where the folder is no run that made maps, and where a map is missing.
    """

    def __init__(self, folder: str, source: "Source", class_ids: Sequence[int]) -> None:
        self.folder = Path(folder)
        config = read_config(self.folder)
        self.origin: dict[str, Any] = {
            "run": self.folder.name,
            "recipe": config["recipe"],
            "settings": config["settings"],
        }
        self._classes = len(class_ids)
        self._maps: list[tuple[list[int], list[np.ndarray]]] = []
        for item in source.items:
            columns = [class_ids.index(tag) for tag in item.tags if tag in class_ids]
            heats = [self._read(item.name, source.classes[class_ids[column]]) for column in columns]
            self._maps.append((columns, heats))

    def _read(self, image: str, name: str) -> np.ndarray:
        path = self.folder / "maps" / image / f"{name}.png"
        if not path.is_file():
            raise TrainingError(
                f"{self.folder} has no map of '{name}' for {image}. Give with --from a finished "
                "run over the same images and tags."
            )
        heat = read_heat(path)
        scale = LARGEST_SIDE / max(heat.shape)
        if scale < 1:
            size = (max(1, round(heat.shape[1] * scale)), max(1, round(heat.shape[0] * scale)))
            heat = cv2.resize(heat, size, interpolation=cv2.INTER_AREA)
        return np.rint(heat * 255).astype(np.uint8)

    def batch(self, batch: "Batch", size: Sequence[int]) -> torch.Tensor:
        """The samples' targets, float32 (N,C,*size) in 0..1: zero for classes that are no tag."""
        height, width = size
        targets = np.zeros((len(batch.images), self._classes, height, width), np.float32)
        for row, index in enumerate(batch.indices.tolist()):
            view = View.of(batch.views[row])
            for column, heat in zip(*self._maps[index], strict=True):
                targets[row, column] = cut_out(heat[None] / np.float32(255), view, (height, width))
        return torch.from_numpy(targets)
