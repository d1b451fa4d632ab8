"""Which part of an image a sample shows, and that part cut from image and mask alike."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from backend.labels import IGNORE

# isort: split
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as transforms

CROPS = ("whole", "area", "scale")


@dataclass(frozen=True)
class Augmentation:
    """How an image becomes `size` x `size` pixels.

    crop "whole": the image squashed to the square. "area": a box of `least`..1 of its area and of
    an aspect from 3/4 to 4/3, resized (as ImageNet training does). "scale": resized so that its
    shorter side is `least`..`most` times `size`, then cut, padded where it is smaller (as
    segmenters do). `jitter` changes brightness, contrast and saturation by up to this part.
    """

    size: int
    crop: str = "whole"
    least: float = 1.0
    most: float = 1.0
    flip: bool = True
    jitter: float = 0.0
    fill: tuple[int, int, int] = (124, 116, 104)


class View(NamedTuple):
    """The part of an image that a sample shows, in parts of its height and width, and mirrored or
    not. It reaches beyond 0..1 where the sample is padded.
    """

    top: float
    left: float
    height: float
    width: float
    flip: bool

    @classmethod
    def of(cls, row: torch.Tensor) -> "View":
        """The view in a row of a batch's `views`."""
        top, left, height, width, flip = row.tolist()
        return cls(top, left, height, width, bool(flip))


def choose_view(height: int, width: int, how: Augmentation, random: np.random.Generator) -> View:
    """A random view of an image of this size."""
    flip = bool(how.flip and random.random() < 0.5)
    if how.crop == "whole":
        return View(0.0, 0.0, 1.0, 1.0, flip)
    if how.crop == "scale":
        scale = random.uniform(how.least, how.most) * how.size / min(height, width)
        part = np.array([how.size / (height * scale), how.size / (width * scale)])
        # Where the image is the larger, the view lies inside it; where it is the smaller, around.
        top, left = random.random(2) * (1.0 - part)
        return View(float(top), float(left), float(part[0]), float(part[1]), flip)
    for _ in range(10):
        area = random.uniform(how.least, 1.0) * height * width
        aspect = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
        across, down = np.sqrt(area * aspect) / width, np.sqrt(area / aspect) / height
        if across <= 1.0 and down <= 1.0:
            top, left = random.random(2) * (1.0 - np.array([down, across]))
            return View(float(top), float(left), float(down), float(across), flip)
    return View(0.0, 0.0, 1.0, 1.0, flip)


def show(
    view: View, how: Augmentation, image: tv_tensors.Image, mask: tv_tensors.Mask | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The view of an image uint8 (3,H,W), and of its mask uint8 (H,W), as `size` x `size` pixels.

    Padding has the fill colour in the image and 255 in the mask.
    """
    height, width = image.shape[-2:]
    top, left = round(view.top * height), round(view.left * width)
    down, across = max(1, round(view.height * height)), max(1, round(view.width * width))
    beyond = [
        max(0, -left),
        max(0, -top),
        max(0, left + across - width),
        max(0, top + down - height),
    ]

    def cut(pixels: Any, fill: Any) -> torch.Tensor:
        if any(beyond):
            pixels = transforms.pad(pixels, beyond, fill=fill)
        # Masks are resized to the nearest pixel, images smoothly: torchvision knows them apart.
        pixels = transforms.resized_crop(
            pixels,
            top + beyond[1],
            left + beyond[0],
            down,
            across,
            [how.size, how.size],
            antialias=True,
        )
        pixels = transforms.horizontal_flip(pixels) if view.flip else pixels
        return pixels.as_subclass(torch.Tensor)

    return cut(image, list(how.fill)), None if mask is None else cut(mask, IGNORE)


def jitter_colours(image: torch.Tensor, amount: float, random: np.random.Generator) -> torch.Tensor:
    """Brightness, contrast and saturation, each times 1 - amount .. 1 + amount."""
    for change in (
        transforms.adjust_brightness,
        transforms.adjust_contrast,
        transforms.adjust_saturation,
    ):
        image = change(image, float(random.uniform(1.0 - amount, 1.0 + amount)))
    return image
