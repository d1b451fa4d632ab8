"""How pixels become a network's input: channel order, range, mean and deviation."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch


@dataclass(frozen=True)
class Normalisation:
    """One input convention: pixels in 0..scale, channels in `order`, minus `mean`, over `std` (both
    in that order).
    """

    order: Literal["rgb", "bgr"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if self.order not in ("rgb", "bgr"):
            raise ValueError(f"The channel order is '{self.order}'; it can be 'rgb' or 'bgr'.")
        if self.scale not in (1.0, 255.0):
            raise ValueError(f"Pixels were scaled to 0..{self.scale}; accepted are 1.0 and 255.0.")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError("A normalisation has three means and three deviations above zero.")

    @property
    def mean_colour(self) -> tuple[int, int, int]:
        """The RGB colour, 0..255, that the network sees as zero: for padding and for erasing."""
        levels = [round(value * 255.0 / self.scale) for value in self.mean]
        if self.order == "bgr":
            levels.reverse()
        return (levels[0], levels[1], levels[2])

    def tensor(self, image: np.ndarray) -> torch.Tensor:
        """The network's input, float32 (3,H,W), for an RGB image, uint8 (H,W,3)."""
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"An RGB image is (H,W,3); this one is {image.shape}.")
        return self.batch(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None])[0]

    def batch(self, images: torch.Tensor) -> torch.Tensor:
        """The network's input, float32 (N,3,H,W), for RGB images (N,3,H,W) of any dtype in 0..255,
        on their device.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"A batch of RGB images is (N,3,H,W); this one is {images.shape}.")
        if self.order == "bgr":
            images = images.flip(1)
        mean = images.new_tensor(self.mean, dtype=torch.float32).view(1, 3, 1, 1)
        std = images.new_tensor(self.std, dtype=torch.float32).view(1, 3, 1, 1)
        return (images.float().mul(self.scale / 255.0) - mean) / std

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values, the inverse of from_json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Normalisation":
        """The normalisation that to_json described; ValueError where it is incomplete or has other
        values.
        """
        try:
            mean = tuple(float(value) for value in values["mean"])
            std = tuple(float(value) for value in values["std"])
            return cls(values["order"], float(values["scale"]), mean, std)  # type: ignore[arg-type]
        except (KeyError, TypeError) as error:
            raise ValueError(f"A normalisation has order, scale, mean and std: {error}.") from error


TORCHVISION = Normalisation("rgb", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CAFFE = Normalisation("bgr", 255.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))
