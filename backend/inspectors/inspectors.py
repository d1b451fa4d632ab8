"""The networks loaded for inspection, and what is kept of recent inspections."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from backend.errors import RefinementError, TagmaskError, WeightsError
from backend.inspection import Caches, Inspector, Kept
from backend.inspectors.choices import Choice, Choices
from backend.saliency import SaliencySource
from backend.weights import classifiers, load

if TYPE_CHECKING:
    from backend.random_walk import RandomWalk
    from backend.refinement import CrfPool
    from backend.store import Store

# Two networks side by side, and switching each of them to and fro.
KEPT_NETWORKS = 4
# The maps of a 1000 x 750 photograph with three tags come to some 45 MB a method.
KEPT_BYTES = 256 * 1024 * 1024

KEPT_WALKS = 2
NO_AFFINITIES = "There are no affinity weights here, so no map can walk"

# What is kept of an image, of it with some weights, of both with some method.
Key = tuple[str, str, str]
ONE_INSPECTION = 3


class Inspectors:
    """The few networks last used and what is worth keeping of recent inspections.

    Safe to use from many threads. `device` is auto, cpu or cuda.
    """

    def __init__(
        self,
        store: "Store",
        crf: "CrfPool | None",
        saliency: Mapping[str, SaliencySource],
        *,
        device: str = "auto",
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self.saliency = saliency
        self._crf = crf
        self._device = device
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._choices = Choices(store)
        self._networks: OrderedDict[str, Inspector] = OrderedDict()
        self._walks: OrderedDict[str, RandomWalk] = OrderedDict()
        self._kept: OrderedDict[Key, Kept] = OrderedDict()

    def choices(self) -> tuple[list[Choice], list[str]]:
        """The weights that can be chosen; and a sentence for each that should be there but cannot
        be used."""
        return self._choices.all()

    def choice(self, id: str | None) -> Choice:
        """The weights of this id, or the first there are; WeightsError where there are none."""
        choices, problems = self.choices()
        for choice in choices:
            if choice.id == id or (id is None and not choice.absent):
                return choice
        if id is None:
            raise WeightsError(
                "There are no weights to make maps with. "
                + (problems[0] if problems else "Train a run first, in the Train tab.")
            )
        raise WeightsError(
            f"There are no weights {id[:60]!r} here; choose others in the list of weights."
        )

    def inspector(self, choice: Choice) -> Inspector:
        """The loaded network of a choice; loading happens once, by one thread. Raises WeightsError
        where it cannot be loaded."""
        with self._loading:
            with self._lock:
                if choice.key in self._networks:
                    self._networks.move_to_end(choice.key)
                    return self._networks[choice.key]
            inspector = self._load(choice)
            with self._lock:
                self._networks[choice.key] = inspector
                while len(self._networks) > KEPT_NETWORKS:
                    self._networks.popitem(last=False)
            return inspector

    def affinities(self) -> list[Choice]:
        """The affinity weights by which maps can walk: shipped, then of runs, the newest first."""
        return self._choices.of_kind("affinity")

    def scorers(self) -> list[Choice]:
        """The mask scorers: shipped, then of runs, the newest first."""
        return self._choices.of_kind("scorer")

    def segmenters(self, kind: str) -> list[Choice]:
        """The segmenters of one kind that runs have left."""
        return [each for each in self._choices.of_kind(kind) if each.id.startswith("run:")]

    def walk(self, id: str) -> "RandomWalk":
        """The random walk by the affinity weights of this id, "" the first there are; loading
        happens once. RefinementError where there are none, or they cannot be loaded."""
        from backend.random_walk import RandomWalk

        found = [each for each in self.affinities() if each.id == id or not id]
        if not found:
            what = f"There are no affinity weights {id[:60]!r} here" if id else NO_AFFINITIES
            raise RefinementError(
                f"{what}. Train some with the recipe affinity in the Train tab, or choose another "
                "refinement."
            )
        choice = found[0]
        with self._loading:
            if choice.key not in self._walks:
                assert choice.card is not None
                where = choice.card.path or choice.card.name
                try:
                    self._walks[choice.key] = RandomWalk.load(where, self._chosen_device())
                except WeightsError as error:
                    raise RefinementError(str(error)) from error
            self._walks.move_to_end(choice.key)
            while len(self._walks) > KEPT_WALKS:
                self._walks.popitem(last=False)
            return self._walks[choice.key]

    def warm_up(self) -> threading.Thread:
        """Loads the first weights and starts a CRF worker beside the server's own start, so that
        the first image does not wait for them."""

        def warm() -> None:
            try:
                inspector = self.inspector(self.choice(None))
                plain = np.zeros((32, 32, 3), np.uint8)
                tags = [(1, inspector.card.classes[0])]
                for _ in inspector.inspect(plain, tags):
                    pass
            except TagmaskError as error:
                print(f"tagmask: {error}", file=sys.stderr)

        thread = threading.Thread(target=warm, name="warm-up", daemon=True)
        thread.start()
        return thread

    def caches(self, image_digest: str, choice: Choice, method: str) -> Caches:
        """What was kept of the inspections of this image; give it to `Inspector.inspect`, and call
        `tidy` when done."""
        keys: tuple[Key, ...] = (
            (image_digest, "", ""),
            (image_digest, choice.key, ""),
            (image_digest, choice.key, method),
        )
        with self._lock:
            kept = [self._kept.setdefault(key, Kept()) for key in keys]
            for key in keys:
                self._kept.move_to_end(key)
            return Caches(*kept)

    def tidy(self) -> int:
        """Forgets what was longest unused until the rest fits, but never the last inspection; bytes
        that are kept."""
        with self._lock:
            sizes = {key: kept.nbytes for key, kept in self._kept.items()}
            total = sum(sizes.values())
            while total > self._kept_bytes and len(self._kept) > ONE_INSPECTION:
                key, _ = self._kept.popitem(last=False)
                total -= sizes[key]
            return total

    def _load(self, choice: Choice) -> Inspector:
        device = self._chosen_device()
        if choice.card is None:
            network, card = classifiers.load(choice.id, device)
            return Inspector(network, card, self.saliency, self._crf, walks=self.walk)
        loaded = load(choice.card.path or choice.card.name, device=device)
        return Inspector(*loaded, self.saliency, self._crf, folder=choice.folder, walks=self.walk)

    def _chosen_device(self) -> str:
        if self._device != "auto":
            return self._device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
