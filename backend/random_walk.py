"""A trained AffinityNet with the random walk it is for: maps of one image in, refined maps out."""

import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from backend.errors import RefinementError, WeightsError
from backend.inspection.scene import network_size
from backend.maps import walk
from backend.maps.attention import resize
from backend.networks.affinity import AffinityNet
from backend.weights import WeightsCard, load

KIND = "affinity"


class Walked(NamedTuple):
    """Maps (K+1,h,w) of background and tags on the grid that they were walked on, whose cells are
    `cell` pixels of the image as the network saw it, `seen` (H,W).
    """

    maps: NDArray[np.float32]
    seen: tuple[int, int]
    cell: int

    def at(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """The maps smoothly at an image's size (H,W), float32 (K+1,H,W)."""
        rows, columns = self.maps.shape[1:]
        whole = resize(self.maps, (rows * self.cell, columns * self.cell))
        height, width = self.seen
        return resize(whole[:, :height, :width], size)


class RandomWalk:
    """Walks maps by the affinities of one network. Safe to share between threads, which take turns
    at the network and walk beside each other.
    """

    def __init__(self, network: AffinityNet, card: WeightsCard) -> None:
        self.network = network.eval()
        self.card = card
        self.device = next(network.parameters()).device
        self._turn = threading.Lock()

    @classmethod
    def load(cls, path_or_name: str | Path, device: str = "cpu") -> "RandomWalk":
        """The network of a weights file, a run's folder or a shipped name.

        Raises WeightsError where there is none, or it is of another kind.
        """
        network, card = load(path_or_name, device)
        if not isinstance(network, AffinityNet):
            raise WeightsError(
                f"{path_or_name} holds a network of the kind '{card.kind}', by which no map can "
                "walk. Give the weights of a run of the recipe affinity."
            )
        return cls(network, card)

    def affinities(self, image: np.ndarray) -> NDArray[np.float32]:
        """How alike neighbouring cells of an image uint8 (H,W,3) are, as `walk.walk` takes them.

        The network sees the image with its shorter side at the weights' input size, its border
        repeated up to a whole cell. Raises RefinementError where the device's memory is full.
        """
        cell = self.network.backbone.stride
        small = walk.padded(self._seen(image), cell)
        batch = self.card.normalisation.tensor(small)[None].to(self.device)
        try:
            with self._turn, torch.inference_mode():
                alike: NDArray[np.float32] = self.network.affinities(batch)[0].cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise RefinementError(
                f"The memory of {self.device} does not suffice for the random walk of an image of "
                f"{image.shape[1]} × {image.shape[0]} pixels. Stop what else runs there, or take "
                "--device cpu."
            ) from error
        return alike

    def __call__(
        self,
        image: np.ndarray,
        attention: ArrayLike,
        *,
        alpha: float = walk.ALPHA,
        beta: float = walk.BETA,
        steps: int = walk.STEPS,
    ) -> Walked:
        """Attention (K,h,w) in 0..1 of an image uint8 (H,W,3) with its background, walked.

        The attention may be at any resolution of the whole image. Raises ValueError for maps that
        do not fit, RefinementError as `affinities` does.
        """
        cell = self.network.backbone.stride
        height, width = network_size(image.shape[:2], self.card.input_size)
        heats = resize(np.asarray(attention, np.float32), (height, width))
        cells = walk.pooled(walk.with_background(heats, alpha), cell)
        walked = walk.walk(cells, self.affinities(image), beta=beta, steps=steps)
        return Walked(walked, (height, width), cell)

    def _seen(self, image: np.ndarray) -> np.ndarray:
        height, width = network_size(image.shape[:2], self.card.input_size)
        shrinks = height * width < image.shape[0] * image.shape[1]
        kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(image, (width, height), interpolation=kind)
