"""One network with its detector and its CRF, ready to look at images."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from backend.errors import SaliencyError, TagmaskError
from backend.inspection.settings import Settings
from backend.inspection.stages import StageMap, standing_after
from backend.inspection.walk import Tag, Walk
from backend.refinement import CrfPool
from backend.saliency import SaliencySource
from backend.weights import WeightsCard

WORKING_SIDE = 1000
"""Maps are made at the image's size, but no longer than this: beyond it only waiting grows."""

SMALLEST_SIDE = 32
"""A network needs some pixels to pool; only very long images come down to it."""


class Inspector:
    """One network and what stands around it. Safe to share between threads.

    `saliency` is one source or several by name (`Settings.saliency` chooses; one source answers to
    any name). `crf` None, or a pool that is not available, leaves refinement out with a sentence.
    `working_side` None keeps maps at the image's own size.
    """

    def __init__(
        self,
        network: nn.Module,
        card: WeightsCard,
        saliency: SaliencySource | Mapping[str, SaliencySource],
        crf: CrfPool | None = None,
        *,
        working_side: int | None = WORKING_SIDE,
    ) -> None:
        self.network = network.eval()
        self.card = card
        self.saliency = saliency
        self.crf = crf
        self.working_side = working_side
        self.device = next(network.parameters()).device
        self._running = threading.Lock()

    def inspect(
        self,
        image: np.ndarray | Callable[[], np.ndarray],
        tags: Sequence[Tag],
        settings: Settings | None = None,
        after: str | Collection[str] | None = None,
        cache: MutableMapping[str, Any] | None = None,
        *,
        name: str | None = None,
        only: Collection[str] | None = None,
    ) -> Iterator[StageMap]:
        """Every stage of one image uint8 (H,W,3), each as soon as it is made.

        `image` may be a function that reads it, called only where the cache does not suffice.
        `tags` are (class id, class name). `after`: only the stages that stand after this stage or
        setting. `cache`: a dictionary kept for this image and these weights, filled and read here.
        `name`: the image's name, for precomputed saliency. `only`: which stages are wanted.
        """
        settings = settings or Settings()
        wanted = [s for s in standing_after(after, settings) if only is None or s in only]
        yield from Walk(self, image, tags, settings, {} if cache is None else cache, name)(wanted)

    def run_network(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Class scores as probabilities float32 (C,) and raw class maps (C,h,w) of an image.

        Raises TagmaskError where the device's memory does not suffice.
        """
        height, width = network_size(image.shape[:2], self.card.input_size)
        shrinks = height * width < image.shape[0] * image.shape[1]
        kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(image, (width, height), interpolation=kind)
        batch = self.card.normalisation.tensor(small)[None]
        try:
            with self._running, torch.inference_mode():
                output = self.network(batch.to(self.device))
                scores, maps = output.scores[0].sigmoid(), output.maps[0]
                return scores.float().cpu().numpy(), maps.float().cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise TagmaskError(
                f"The memory of {self.device} does not suffice for {self.card.backbone} at "
                f"{width} × {height} pixels. Stop what else runs there, choose a smaller backbone, "
                "or start the app with --device cpu."
            ) from error

    def source(self, name: str) -> SaliencySource:
        """The saliency source of this name; SaliencyError where there is none."""
        if not isinstance(self.saliency, Mapping):
            return self.saliency
        if name not in self.saliency:
            raise SaliencyError(
                f"There is no saliency source {name!r}; there are {', '.join(self.saliency)}."
            )
        return self.saliency[name]


def inspect(
    image: np.ndarray | Callable[[], np.ndarray],
    tags: Sequence[Tag],
    *,
    network: nn.Module,
    card: WeightsCard,
    saliency: SaliencySource | Mapping[str, SaliencySource],
    crf: CrfPool | None = None,
    settings: Settings | None = None,
    after: str | Collection[str] | None = None,
    cache: MutableMapping[str, Any] | None = None,
) -> Iterator[StageMap]:
    """Every stage of one image, as `Inspector.inspect` yields them, without an Inspector to keep.

    The network is put into evaluation mode. Where several threads share one network, share one
    Inspector instead: it lets them run one after another.
    """
    bench = Inspector(network, card, saliency, crf)
    yield from bench.inspect(image, tags, settings, after, cache)


def network_size(size: tuple[int, int], input_size: int) -> tuple[int, int]:
    """How large (H,W) a network sees an image (H,W): its short side at the weights' input size,
    its shape kept, its long side at most twice the input size."""
    height, width = size
    scale = min(input_size / min(height, width), 2 * input_size / max(height, width))
    return max(round(height * scale), SMALLEST_SIDE), max(round(width * scale), SMALLEST_SIDE)
