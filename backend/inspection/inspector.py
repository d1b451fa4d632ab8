"""One network with its detector and its CRF, ready to look at images."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import nn

from backend.errors import RefinementError, SaliencyError, TagmaskError
from backend.inspection.kept import Caches, Kept
from backend.inspection.methods import Method, method_for, trained_with
from backend.inspection.scene import Scene, Tag, output_of
from backend.inspection.settings import Settings
from backend.inspection.stages import StageMap
from backend.inspection.table import TRUTH_STAGES, standing_after
from backend.inspection.truth import Truth
from backend.inspection.walk import Walk
from backend.refinement import CrfPool
from backend.saliency import SaliencySource
from backend.weights import WeightsCard

if TYPE_CHECKING:
    from backend.random_walk import RandomWalk

Value = TypeVar("Value")

WORKING_SIDE = 1000
"""Maps are made at the image's size, but no longer than this: beyond it only waiting grows."""


class Inspector:
    """One network and what stands around it. Safe to share between threads.

    `saliency` is one source or several by name (`Settings.saliency` chooses; one source answers to
    any name). `crf` None, or a pool that is not available, leaves refinement out with a sentence.
    `folder` is that of the run that made the weights: OAA looks there for what it gathered.
    `working_side` None keeps maps at the image's own size. `walks` gives the random walk by the
    affinity weights of a name (`Settings.affinity`), RefinementError where there are none.
    """

    def __init__(
        self,
        network: nn.Module,
        card: WeightsCard,
        saliency: SaliencySource | Mapping[str, SaliencySource],
        crf: CrfPool | None = None,
        *,
        folder: Path | None = None,
        working_side: int | None = WORKING_SIDE,
        walks: "Callable[[str], RandomWalk] | None" = None,
    ) -> None:
        self.network = network.eval()
        self.card = card
        self.saliency = saliency
        self.crf = crf
        self.folder = folder
        self.working_side = working_side
        self._walks = walks
        self.device = next(network.parameters()).device
        # What is the same for every image.
        self.kept = Kept()
        self._running = threading.Lock()

    @property
    def settings(self) -> Settings:
        """The settings to start from: the defaults, and what the network was trained with."""
        return Settings.from_json(trained_with(self.card))

    def knows(self, tag: str) -> bool:
        """Whether a tag of this name is among the network's classes."""
        return output_of(tag, self.card) is not None

    def method(self, settings: Settings) -> type[Method]:
        """The attention source that these settings choose; DataError where it cannot be had."""
        return method_for(settings.method, self.card, self.folder)

    def stages(
        self,
        settings: Settings,
        after: str | Collection[str] | None = None,
        only: Collection[str] | None = None,
        *,
        truth: bool = False,
    ) -> list[str]:
        """The stages that `inspect` goes through, in order: those that the settings choose, and of
        the truth where it is known.

        Raises DataError for a stage, setting or method that there is not.
        """
        stale = standing_after(after, settings, self.method(settings))
        known = [stage for stage in stale if truth or stage not in TRUTH_STAGES]
        return [stage for stage in known if only is None or stage in only]

    def inspect(
        self,
        image: np.ndarray | Callable[[], np.ndarray],
        tags: Sequence[Tag],
        settings: Settings | None = None,
        after: str | Collection[str] | None = None,
        caches: Caches | None = None,
        *,
        name: str | None = None,
        only: Collection[str] | None = None,
        truth: Truth | None = None,
    ) -> Iterator[StageMap]:
        """Every stage of one image uint8 (H,W,3), each as soon as it is made.

        `image` may be a function that reads it, called only where the caches do not suffice.
        `tags` are (class id, class name). `after`: only the stages that stand after this stage or
        setting. `caches`: what was kept of this image, filled and read here. `name`: the image's
        name, for precomputed saliency and OAA's history. `only`: which stages are wanted. `truth`:
        its true mask, which everything is then compared with.
        """
        settings = settings or self.settings
        wanted = self.stages(settings, after, only, truth=truth is not None)
        scene = Scene(self, image, tags, settings, caches or Caches(), name)
        yield from Walk(scene, self.method(settings), truth)(wanted)

    def run(self, work: Callable[[nn.Module], Value], size: tuple[int, ...]) -> Value:
        """What `work` makes with the network, which serves one thread at a time, without gradients.

        `size` (h,w) of the input is for the sentence of the TagmaskError that is raised where the
        device's memory does not suffice.
        """
        try:
            with self._running, torch.inference_mode():
                return work(self.network)
        except torch.OutOfMemoryError as error:
            raise TagmaskError(
                f"The memory of {self.device} does not suffice for {self.card.backbone} at "
                f"{size[1]} × {size[0]} pixels. Stop what else runs there, choose a smaller "
                "backbone, or start the app with --device cpu."
            ) from error

    def walk(self, name: str) -> "RandomWalk":
        """The random walk by the affinity weights of this name; RefinementError where there are
        none.
        """
        if self._walks is None:
            raise RefinementError(
                "There are no affinity weights here, so no map can walk. Train some with the "
                "recipe affinity, or choose another refinement."
            )
        return self._walks(name)

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
    caches: Caches | None = None,
) -> Iterator[StageMap]:
    """Every stage of one image, as `Inspector.inspect` yields them, without an Inspector to keep.

    The network is put into evaluation mode. Where several threads share one network, share one
    Inspector instead: it lets them run one after another.
    """
    bench = Inspector(network, card, saliency, crf)
    yield from bench.inspect(image, tags, settings, after, caches)
