"""What a run of OAA left in its folder: how it fused, what it gathered, its final maps."""

import json
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from backend.errors import DataError
from backend.labels import read_heat

Source = Literal["history", "maps", "model"]

CONFIG, RECORD = "config.json", "accumulated.json"


@dataclass(frozen=True)
class Gathered:
    """fusion max or mean; gate strict, topk or none; record: image -> class -> passes gathered."""

    folder: Path
    fusion: str
    gate: str
    record: dict[str, dict[str, int]]

    @classmethod
    def of(cls, folder: Path) -> "Gathered":
        """Read from config.json and accumulated.json; what is missing there has its default."""
        settings = read_object(folder / CONFIG).get("settings")
        settings = settings if isinstance(settings, dict) else {}
        record = {
            image: {name: count for name, count in counts.items() if isinstance(count, int)}
            for image, counts in read_object(folder / RECORD).items()
            if isinstance(counts, dict)
        }
        fusion = str(settings.get("fusion", "max"))
        return cls(folder, fusion, str(settings.get("gate", "strict")), record)

    @staticmethod
    def state(folder: Path) -> tuple[Hashable, ...]:
        """What changes when one of the files that `of` reads does."""
        return folder, state_of(folder / CONFIG), state_of(folder / RECORD)

    def passes(self, image: str, class_name: str) -> int | None:
        """How many passes were gathered for a tag; None where the run did not learn it from the
        image.
        """
        return self.record.get(image, {}).get(class_name)

    def map_path(self, image: str, class_name: str) -> Path:
        """Where the run's final map of a tag lies, if it wrote one."""
        return self.folder / "maps" / image / f"{class_name}.png"

    def map(self, image: str, class_name: str, size: tuple[int, int]) -> np.ndarray | None:
        """The run's final map float32 (h,w) of a tag of an image of this size (H,W), None where
        there is none to read, or it is of an image of another shape.
        """
        path = self.map_path(image, class_name)
        try:
            inside = path.resolve().is_relative_to((self.folder / "maps").resolve())
            heat = read_heat(path) if inside else None
        except DataError:
            return None
        return heat if heat is not None and fits(heat.shape, size) else None


def fits(grid: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether maps (h,w) can be of an image (H,W): they have its shape, to within a cell.

    Images of two data sets may have the same name.
    """
    height, width = size
    return abs(grid[0] * width - grid[1] * height) <= max(size)


def state_of(path: Path) -> tuple[int, int] | None:
    """What changes when a file does: its time and size; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file, {} where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
