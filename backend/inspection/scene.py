"""One image and its tags, as one network sees them."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
import torch
from torch import nn

from backend.inspection.kept import Caches
from backend.inspection.settings import Settings
from backend.maps import attention
from backend.weights import WeightsCard

if TYPE_CHECKING:
    from backend.inspection.inspector import Inspector

Tag = tuple[int, str]
Value = TypeVar("Value")

SMALLEST_SIDE = 32
"""A network needs some pixels to pool; only very long images come down to it."""

LARGEST_SIDE = 1024
"""Of an image that a network sees at its own size: memory and time grow with its area."""


class Scene:
    """What a method or a stage may ask for: the image, its tags, the network, what was kept."""

    def __init__(
        self,
        inspector: "Inspector",
        image: np.ndarray | Callable[[], np.ndarray],
        tags: Sequence[Tag],
        settings: Settings,
        caches: Caches,
        name: str | None,
    ) -> None:
        self.inspector = inspector
        self.card = inspector.card
        self.settings = settings
        self.caches = caches
        self.name = name
        self._image_or_reader = image
        self.tags, self.unknown = split_tags(tags, inspector.card)
        self.ids = tuple(class_id for class_id, _ in self.tags)
        found = (output_of(tag, inspector.card) for _, tag in self.tags)
        self.outputs = tuple(output for output in found if output is not None)
        # An id alone is no key: one that was only borrowed may later be another class's.
        self.made_for = (inspector.card.digest, self.ids, self.outputs)

    @cached_property
    def original(self) -> np.ndarray:
        """The image at its own size, read when first needed."""
        given = self._image_or_reader
        return given() if callable(given) else given

    @property
    def image(self) -> np.ndarray:
        """The image at the working size."""
        side = self.inspector.working_side
        return self.caches.image.keep("image", side, lambda: fit(self.original, side))

    @property
    def size(self) -> tuple[int, int]:
        """The working size (H, W)."""
        height, width = self.image.shape[:2]
        return height, width

    @property
    def batch(self) -> torch.Tensor:
        """The network's input (1,3,h,w), on its device."""

        def prepare() -> torch.Tensor:
            height, width = network_size(self.original.shape[:2], self.card.input_size)
            shrinks = height * width < self.original.shape[0] * self.original.shape[1]
            kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            small = cv2.resize(self.original, (width, height), interpolation=kind)
            return self.card.normalisation.tensor(small)[None].to(self.inspector.device)

        return self.caches.weights.keep("batch", self.card.digest, prepare)

    @property
    def tag_row(self) -> torch.Tensor:
        """The known tags (1,C) as 0 and 1, on the network's device."""
        row = torch.zeros(1, len(self.card.classes), device=self.inspector.device)
        row[0, list(self.outputs)] = 1
        return row

    def run(self, work: Callable[[nn.Module], Value]) -> Value:
        """What `work` makes with the network, which serves one thread at a time, without gradients.

        Raises TagmaskError where the device's memory does not suffice.
        """
        return self.inspector.run(work, tuple(self.batch.shape[2:]))

    def resized(self, maps: np.ndarray) -> np.ndarray:
        """Maps (K,h,w) smoothly at the working size, float32 (K,H,W)."""
        return attention.resize(maps, self.size)

    def spread(self, codes: np.ndarray) -> np.ndarray:
        """A map (h,w) of codes at the working size, each pixel its nearest cell's."""
        height, width = codes.shape
        rows = ((np.arange(self.size[0]) + 0.5) * height / self.size[0]).astype(np.intp)
        columns = ((np.arange(self.size[1]) + 0.5) * width / self.size[1]).astype(np.intp)
        return codes[rows[:, None], columns]

    def why_no_tags(self) -> str:
        """The sentence for an image none of whose tags can be looked for."""
        if not self.unknown:
            return "The image has no tags yet. Choose at least one: maps are made for tags only."
        if not self.card.class_ids:
            return (
                "None of the image's tags is a class that this classifier knows; choose tags among "
                "its own classes, or other weights."
            )
        return "None of the image's tags is known to these weights; choose other weights or tags."


def split_tags(tags: Sequence[Tag], card: WeightsCard) -> tuple[list[Tag], list[tuple[str, str]]]:
    """The tags that the weights know, each once, and a sentence for each that they do not."""
    known: list[Tag] = []
    unknown: list[tuple[str, str]] = []
    for class_id, tag in dict.fromkeys(tags):
        if output_of(tag, card) is None:
            unknown.append(
                (tag, f"The weights {card.name} do not know '{tag}', so it is left out.")
            )
        else:
            known.append((class_id, tag))
    return known, unknown


def output_of(tag: str, card: WeightsCard) -> int | None:
    """Which of the network's outputs a tag is. By name, in any case: ids are each data set's own,
    and weights made on one may look at another."""
    wanted = tag.casefold()
    return next((i for i, name in enumerate(card.classes) if name.casefold() == wanted), None)


def fit(image: np.ndarray, side: int | None) -> np.ndarray:
    """The image, made smaller where its long side is longer than `side`."""
    height, width = image.shape[:2]
    if side is None or max(height, width) <= side:
        return image
    scale = side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def network_size(size: tuple[int, int], input_size: int) -> tuple[int, int]:
    """How large (H,W) a network sees an image (H,W): its short side at the weights' input size,
    its shape kept, its long side at most twice the input size; at its own size where that is 0."""
    height, width = size
    scale = min(input_size / min(height, width), 2 * input_size / max(height, width))
    if not input_size:
        scale = min(1.0, LARGEST_SIDE / max(height, width))
    return max(round(height * scale), SMALLEST_SIDE), max(round(width * scale), SMALLEST_SIDE)
