"""Where saliency maps come from: computed without weights, or read from a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.errors import ImageError, SaliencyError
from backend.images import read_image
from backend.saliency_classical import classical

__all__ = ["Detector", "FolderMaps", "SaliencySource", "classical", "folder", "saliency_source"]

# uint8 (H,W,3) RGB -> float32 (H,W) in 0..1
Detector = Callable[[np.ndarray], NDArray[np.float32]]

FOLDER_PREFIX = "folder:"
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class FolderMaps:
    """Saliency maps by image name in a folder: NAME.png (or .jpg, ...), grey, 255 salient."""

    root: Path

    def __call__(self, name: str) -> NDArray[np.float32]:
        """The map of an image, float32 (h,w) in 0..1 at its own size.

        Raises SaliencyError where there is none, or it is not a grey image.
        """
        path = self.find(name)
        try:
            pixels = read_image(path)
        except ImageError as error:
            raise SaliencyError(f"The saliency map of {name} cannot be used: {error}") from error
        # JPEG may move the channels of a grey image apart by a level or two.
        if int(np.ptp(pixels.astype(np.int16), axis=2).max()) > 8:
            raise SaliencyError(
                f"{path} is in colour; a saliency map is grey, black for 0 and white for 1."
            )
        return pixels.mean(axis=2, dtype=np.float32) / np.float32(255)

    def find(self, name: str) -> Path:
        """The file with an image's map; SaliencyError with what was looked for where none is."""
        plain = Path(name).name
        stem = Path(plain).stem if Path(plain).suffix.lower() in IMAGE_SUFFIXES else plain
        for suffix in IMAGE_SUFFIXES:
            path = self.root / f"{stem}{suffix}"
            if path.is_file():
                return path
        raise SaliencyError(
            f"There is no saliency map for {name} in {self.root}; {stem}.png was looked for."
        )


def folder(path: str | Path) -> FolderMaps:
    """The maps of a folder by image name; SaliencyError where there is no such folder."""
    root = Path(path)
    if not root.is_dir():
        raise SaliencyError(
            f"There is no folder of saliency maps at {root}; give one with a grey image per "
            "photograph, named like it."
        )
    return FolderMaps(root)


@dataclass(frozen=True)
class SaliencySource:
    """Saliency for any image of a data set, with the name and the origin that results record."""

    name: str
    origin: str
    detector: Detector | None = None
    maps: FolderMaps | None = None

    def __call__(self, image: np.ndarray, name: str | None = None) -> NDArray[np.float32]:
        """The saliency of an image uint8 (H,W,3), float32 (H,W) in 0..1 at its size.

        A folder's map of another size is resized smoothly. Raises SaliencyError where a folder has
        no map for the image, or the image has no name to look it up by.
        """
        if self.detector is not None:
            return self.detector(image)
        if self.maps is None or not name:
            raise SaliencyError(
                "This image has no name in the data set, so no precomputed saliency map belongs "
                "to it; choose the classical detector."
            )
        found = self.maps(name)
        height, width = image.shape[:2]
        if found.shape == (height, width):
            return found
        resized = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.clip(resized, 0, 1, dtype=np.float32)


def saliency_source(spec: str) -> SaliencySource:
    """The source that `classical` or `folder:DIR` names; SaliencyError for anything else."""
    if spec == "classical":
        return SaliencySource(
            "classical",
            "minimum barrier distance with boundary cues, computed here without weights",
            detector=classical,
        )
    if spec.startswith(FOLDER_PREFIX) and spec != FOLDER_PREFIX:
        maps = folder(spec.removeprefix(FOLDER_PREFIX))
        return SaliencySource(spec, f"precomputed maps in {maps.root}", maps=maps)
    raise SaliencyError(f"There is no saliency source '{spec}'; use classical or folder:DIR.")
