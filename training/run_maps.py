"""The attention maps of an earlier run as files, read one image at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.exchange.names import some
from backend.labels import read_heat
from backend.maps.attention import resize
from training.errors import TrainingError
from training.run import read_config

if TYPE_CHECKING:
    from backend.exchange.sources import Item, Source
    from training.run import Run


class RunMaps:
    """The attention maps of an earlier run, RUN/maps/IMAGE/CLASS.png, read one image at a time.

    Raises TrainingError where the folder is no run that made maps.
    """

    def __init__(self, folder: str, source: "Source", class_ids: Sequence[int]) -> None:
        self.folder = Path(folder)
        self.classes = {id: source.classes[id] for id in class_ids}
        config = read_config(self.folder)
        if not (self.folder / "maps").is_dir():
            raise TrainingError(
                f"{self.folder} has no maps (maps/IMAGE/CLASS.png). Give with --from a finished "
                "run of an attention method over the same images."
            )
        self.origin: dict[str, Any] = {
            "run": self.folder.name,
            "recipe": config["recipe"],
            "settings": config["settings"],
        }

    def path(self, item: "Item", class_id: int) -> Path:
        return self.folder / "maps" / item.name / f"{self.classes[class_id]}.png"

    def tags(self, item: "Item") -> list[int]:
        """The ids of an image's tags that the run has a map of, ascending."""
        return [id for id in item.tags if id in self.classes and self.path(item, id).is_file()]

    def tell_missing(self, run: "Run", source: "Source") -> None:
        """Names the images of which the run lacks the map of some tag, but not of all."""
        short = [
            item.name
            for item in source.items
            if 0 < len(self.tags(item)) < sum(tag in self.classes for tag in item.tags)
        ]
        if short:
            run.message(
                f"{len(short)} of {len(source.items)} images lack the map of one of their tags, "
                f"whose object becomes background: {some(short)}."
            )

    def of(self, item: "Item") -> np.ndarray:
        """The maps of those tags, float32 (K,h,w) in 0..1, all at the size of the largest."""
        heats = [read_heat(self.path(item, id)) for id in self.tags(item)]
        size = max((heat.shape for heat in heats), key=lambda shape: shape[0] * shape[1])
        return np.concatenate([resize(heat[None], size) for heat in heats])
