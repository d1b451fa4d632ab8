"""A trained network as a saliency detector: loaded once a process, shared between threads."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from backend.errors import SaliencyError, WeightsError
from backend.inspection.scene import network_size
from backend.networks.normalisation import Normalisation
from backend.networks.saliency import SaliencyNetwork
from backend.weights import WeightsCard, load, read_card, shipped
from backend.weights.networks import resolve

KIND = "saliency"
MOST_LOADED = 4


def card_of(path_or_name: str | Path) -> WeightsCard:
    """The card of a saliency network's weights: a shipped name, a file or a run's folder.

    Raises SaliencyError where there are none, or they are of another kind of network.
    """
    try:
        card = read_card(resolve(path_or_name))
    except WeightsError as error:
        raise SaliencyError(f"There is no saliency network here. {error}") from error
    if card.kind != KIND:
        raise SaliencyError(
            f"{path_or_name} holds a network of the kind '{card.kind}', which gives no saliency. "
            "Train one with `python -m training saliency`, or use classical."
        )
    return card


def shipped_cards() -> list[WeightsCard]:
    """The saliency networks that came with the program; WeightsError where one is damaged."""
    return [card for card in shipped() if card.kind == KIND]


class NetworkDetector:
    """A detector that loads its network when it is first asked, on "cpu", "cuda" or "auto". Safe to
    share between threads, which take turns.
    """

    def __init__(self, card: WeightsCard, device: str = "cpu") -> None:
        self.card = card
        self.device = device
        self._turn = threading.Lock()
        self._network: SaliencyNetwork | None = None

    def __call__(self, image: np.ndarray) -> NDArray[np.float32]:
        """The saliency of an image uint8 (H,W,3), float32 (H,W) in 0..1.

        Raises SaliencyError where the weights cannot be loaded or the device's memory is full.
        """
        with self._turn:
            network = self._loaded()
            try:
                return look(
                    network,
                    self.card.normalisation,
                    image,
                    self.card.input_size,
                    scales=network.scales,
                    flip=network.flip,
                )
            except torch.OutOfMemoryError as error:
                raise SaliencyError(
                    f"The memory of {self.device} does not suffice for the saliency network "
                    f"{self.card.name}. Stop what else runs there, or take --device cpu."
                ) from error

    def _loaded(self) -> SaliencyNetwork:
        if self._network is None:
            device = self.device
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            try:
                network, card = load(self.card.path or self.card.name, device)
            except WeightsError as error:
                raise SaliencyError(f"The saliency network cannot be used. {error}") from error
            if card.digest != self.card.digest:
                # What is made with it would carry the digest of other weights.
                raise SaliencyError(
                    f"The saliency network {self.card.path} was changed after it was chosen; "
                    "choose it again, or start again."
                )
            assert isinstance(network, SaliencyNetwork)
            self._network = network
        return self._network


# A page, its inspections and a recipe ask for the same few files again and again, each by itself;
# the digest names their bytes, so that a file that was trained anew is another detector. So is the
# same network in another file: the first may be gone when it is loaded.
_detectors: OrderedDict[tuple[str, str, str], NetworkDetector] = OrderedDict()
_lock = threading.Lock()


def network_detector(card: WeightsCard, device: str = "cpu") -> NetworkDetector:
    """The detector of these weights on a device, the same one for the same file and bytes."""
    key = (card.digest, str(card.path), device)
    with _lock:
        found = _detectors.setdefault(key, NetworkDetector(card, device))
        _detectors.move_to_end(key)
        while len(_detectors) > MOST_LOADED:
            _detectors.popitem(last=False)
    return found


@torch.no_grad()
def look(
    network: nn.Module,
    normalisation: Normalisation,
    image: np.ndarray,
    size: int,
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> NDArray[np.float32]:
    """What a network that has `saliency` sees in an image uint8 (H,W,3): float32 (H,W) in 0..1.

    At scale 1 the image's shorter side is `size`, its longer at most twice that. What is seen at
    several scales, and mirrored, is averaged at the image's size.
    """
    device = next(network.parameters()).device
    height, width = image.shape[:2]
    total = torch.zeros(1, 1, height, width, device=device)
    for scale in scales:
        seen_height, seen_width = network_size((height, width), round(size * scale))
        shrinks = seen_height * seen_width < height * width
        kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(image, (seen_width, seen_height), interpolation=kind)
        batch = normalisation.tensor(small)[None].to(device)
        if flip:
            batch = torch.cat([batch, batch.flip(-1)])
        seen = network.saliency(batch.contiguous(memory_format=torch.channels_last))  # type: ignore[operator]
        if flip:
            seen = (seen[:1] + seen[1:].flip(-1)) / 2
        total += functional.interpolate(
            seen.float(), size=(height, width), mode="bilinear", align_corners=False
        )
    heat: NDArray[np.float32] = (total[0, 0] / len(scales)).clamp(0, 1).cpu().numpy()
    return heat
