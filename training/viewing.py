"""How a network that paints whole images looks at one: at which sizes, mirrored too or not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from training.maps_export import SMALLEST_SIDE, resized

# An image's own size is taken as it is up to this longer side: memory and time grow with its area.
LARGEST_SIDE = 1024


@dataclass(frozen=True)
class Viewing:
    """`size` is the shorter side at scale 1, 0 the image's own size, at most LARGEST_SIDE; the
    shape is kept. fusion "mean" averages what the views give as probabilities, "max" takes the
    largest logits.
    """

    size: int = 0
    scales: Sequence[float] = (1.0,)
    flip: bool = False
    fusion: str = "mean"

    def views(self, image: np.ndarray) -> list[np.ndarray]:
        """The image uint8 (H,W,3) at each scale, unmirrored."""
        if self.size:
            return [resized(image, self.size * scale) for scale in self.scales]
        own = min(1.0, LARGEST_SIDE / max(image.shape[:2]))
        return [_scaled(image, own * scale) for scale in self.scales]

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {**asdict(self), "scales": [float(scale) for scale in self.scales]}


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = image.shape[:2]
    size = (max(SMALLEST_SIDE, round(width * scale)), max(SMALLEST_SIDE, round(height * scale)))
    if size == (width, height):
        return image
    kind = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=kind)
