"""A trained scoring network: loaded once, asked about masks of images in batches."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from backend.errors import WeightsError
from backend.labels import BACKGROUND, IGNORE
from backend.networks.scorer import ScorerNetwork
from backend.weights import WeightsCard, load, read_card
from backend.weights.networks import resolve

KIND = "scorer"
BATCH = 8


def card_of(path_or_name: str | Path) -> WeightsCard:
    """The card of a scorer's weights: a shipped name, a file or a run's folder.

    Raises WeightsError where there are none, or they are of another kind of network.
    """
    card = read_card(resolve(path_or_name))
    if card.kind != KIND:
        raise WeightsError(
            f"{path_or_name} holds a network of the kind '{card.kind}', which scores no masks. "
            "Train one with `python -m training scorer`."
        )
    return card


class MaskScorer:
    """Scores masks of any classes with the network of a card, on "cpu", "cuda" or "auto".

    half: compute in bfloat16, which is faster where the processor does so in hardware and moves a
    score by some thousandths. Safe to share between threads, which take turns. Raises WeightsError
    where the weights cannot be loaded or changed since the card was read.
    """

    def __init__(self, card: WeightsCard, device: str = "cpu", *, half: bool = False) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        network, found = load(card.path or card.name, device)
        if found.digest != card.digest:
            raise WeightsError(
                f"The scorer {card.path} was changed after it was chosen; choose it again."
            )
        last = torch.channels_last
        self.network = cast(ScorerNetwork, network.to(memory_format=last))  # type: ignore[call-overload]
        self.card, self.device, self.half = card, device, half
        self._turn = threading.Lock()

    @property
    def size(self) -> int:
        """Pixels a side of what the network sees."""
        return self.card.input_size

    def scores(
        self, pairs: Iterable[tuple[np.ndarray, np.ndarray]], batch: int = BATCH
    ) -> Iterator[float]:
        """P, 0..1, of each image uint8 (H,W,3) with its label map, or mask bool, (H,W).

        No more than a batch is held at a time.
        """
        seen = (network_input(image, mask, self.size) for image, mask in pairs)
        while waiting := list(islice(seen, batch)):
            yield from self.predict(waiting).tolist()

    @torch.inference_mode()
    def predict(self, inputs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """P (N,), clamped to 0..1, of what `network_input` made; WeightsError where the memory of
        the device is full.
        """
        stacked = torch.from_numpy(np.stack(inputs)).to(self.device).permute(0, 3, 1, 2)
        images = self.card.normalisation.batch(stacked[:, :3])
        try:
            with self._turn, torch.autocast(self.device, torch.bfloat16, enabled=self.half):
                found = self.network.score(images, stacked[:, 3:])
        except torch.OutOfMemoryError as error:
            raise WeightsError(
                f"The memory of {self.device} does not suffice for {len(inputs)} masks at a time; "
                "lower --batch, or take --device cpu."
            ) from error
        return found.float().clamp(0, 1).cpu().numpy()


def network_input(image: np.ndarray, mask: np.ndarray, size: int) -> NDArray[np.uint8]:
    """What the network sees, uint8 (size,size,4): the image squashed to a square, and the mask of 0
    and 1, where most of a cell is foreground.

    image uint8 (H,W,3); mask bool (H,W) or a label map, whose classes are foreground.
    """
    return np.dstack([squashed(image, size), squashed_mask(mask, size)])


def squashed(image: np.ndarray, size: int) -> NDArray[np.uint8]:
    """An image uint8 (H,W,3) as uint8 (size,size,3)."""
    shrinks = size * size < image.shape[0] * image.shape[1]
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=kind)  # type: ignore[return-value]


def squashed_mask(mask: np.ndarray, size: int) -> NDArray[np.bool_]:
    """A mask bool (H,W), or the foreground of a label map, as bool (size,size)."""
    if mask.dtype != np.bool_:
        mask = (mask != BACKGROUND) & (mask != IGNORE)
    part = cv2.resize(mask.astype(np.uint8) * 255, (size, size), interpolation=cv2.INTER_AREA)
    return part >= 128
