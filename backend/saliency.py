"""Where saliency maps come from: computed without weights, by a network, or read from a folder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.errors import ImageError, SaliencyError
from backend.images import image_size, read_image
from backend.saliency_classical import classical

__all__ = ["Detector", "FolderMaps", "SaliencySource", "classical", "folder", "saliency_source"]

# uint8 (H,W,3) RGB -> float32 (H,W) in 0..1
Detector = Callable[[np.ndarray], NDArray[np.float32]]

FOLDER_PREFIX = "folder:"
NETWORK_PREFIX = "network:"
SPECS = "classical, network:NAME (or FILE, or a run's folder) or folder:DIR"
# By so much of its height, and by more than rounding, a map may miss its image's shape.
ANOTHER_SHAPE, ROUNDED = 0.02, 1.5
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
        for path in self._tries(name):
            if path.is_file():
                return path
        raise SaliencyError(
            f"There is no saliency map for {name} in {self.root}; {self._tries(name)[0].name} was "
            "looked for."
        )

    def has(self, name: str) -> bool:
        """Whether there is a map of an image, readable or not."""
        return any(path.is_file() for path in self._tries(name))

    def _tries(self, name: str) -> list[Path]:
        plain = Path(name).name
        stem = Path(plain).stem if Path(plain).suffix.lower() in IMAGE_SUFFIXES else plain
        return [self.root / f"{stem}{suffix}" for suffix in IMAGE_SUFFIXES]


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
    """Saliency for any image of a data set, with the name and the origin that results record.

    digest: of a network's weights, "" for other sources.
    """

    name: str
    origin: str
    detector: Detector | None = None
    maps: FolderMaps | None = None
    digest: str = ""

    @property
    def short_name(self) -> str:
        """The name as it stands beside a mask: without the folders above a file or a folder, and
        with the beginning of its weights' digest.
        """
        kind, _, where = self.name.partition(":")
        name = f"{kind}:{Path(where).name}" if where else self.name
        return f"{name} ({self.digest[:8]})" if self.digest else name

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of these images for which there is no map: of a folder, as far as it lacks them."""
        if self.maps is None:
            return []
        return [name for name in names if not self.maps.has(name)]

    def stretched(self, images: Iterable[tuple[str, Path]]) -> list[str]:
        """Those of these images, a name and a file each, whose map in a folder has another shape
        than they, so that it is stretched: a sign that it is another image's, or of a part.

        What cannot be read is not among them: whoever reads it says so.
        """
        found: list[str] = []
        if self.maps is None:
            return found
        for name, path in images:
            try:
                width, height = image_size(path)
                across, down = image_size(self.maps.find(name))
            except (ImageError, SaliencyError):
                continue
            if abs(down - height * across / width) > max(ROUNDED, ANOTHER_SHAPE * down):
                found.append(name)
        return found

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


def saliency_source(spec: str, device: str = "cpu") -> SaliencySource:
    """The source that `classical`, `network:NAME` or `folder:DIR` names.

    NAME: the name of shipped weights, a weights file or a run's folder; its network is loaded when
    the first map is asked for, on `device`. Raises SaliencyError for anything else, and for weights
    that are missing, damaged or of another kind.
    """
    kind, colon, where = spec.partition(":")
    if spec == "classical":
        return SaliencySource(
            "classical",
            "minimum barrier distance with boundary cues, computed here without weights",
            detector=classical,
        )
    if f"{kind}{colon}" == FOLDER_PREFIX and where:
        maps = folder(where)
        return SaliencySource(spec, f"precomputed maps in {maps.root}", maps=maps)
    if f"{kind}{colon}" == NETWORK_PREFIX and where:
        # torch is imported only where a network is asked for.
        from backend.saliency_network import card_of, network_detector

        card = card_of(where)
        return SaliencySource(
            spec,
            f"saliency network {card.name} on {card.backbone}, weights sha256 {card.digest}, "
            f"{card.origin.get('text', 'of unknown origin')}",
            detector=network_detector(card, device),
            digest=card.digest,
        )
    raise SaliencyError(f"There is no saliency source '{spec}'; use {SPECS}.")


def why_flat(heat: np.ndarray) -> str:
    """What a map that is the same everywhere means for what follows; "" for any other."""
    low, high = float(heat.min()), float(heat.max())
    if high > low:
        return ""
    if high == 0:
        return "zero everywhere: nothing stands out, so no pixel goes to a tag"
    if low == 1:
        return "one everywhere: all stands out, so it tells no pixel from another"
    return f"{high:.2f} everywhere: it tells no pixel from another"
