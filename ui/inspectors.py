"""Which weights can be chosen, the networks loaded from them, and recent inspections."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.errors import TagmaskError, WeightsError
from backend.inspection import Inspector
from backend.saliency import SaliencySource
from backend.weights import WeightsCard, load, read_card, shipped

if TYPE_CHECKING:
    from backend.refinement import CrfPool
    from backend.store import Run, Store

# Two networks cover switching to and fro between a pair of weights.
KEPT_NETWORKS = 2
# The maps of a 1000 x 750 photograph with three tags come to some 45 MB.
KEPT_BYTES = 192 * 1024 * 1024

INSPECTED_KIND = "cam"


@dataclass(frozen=True)
class Choice:
    """Weights that a person can choose. `id` is `shipped:NAME` or `run:NUMBER`."""

    id: str
    title: str
    detail: str
    card: WeightsCard


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
        self.saliency = dict(saliency)
        self._store = store
        self._crf = crf
        self._device = device
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._networks: OrderedDict[str, Inspector] = OrderedDict()
        self._cards: dict[tuple[Path, int, int], WeightsCard] = {}
        self._caches: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self._shipped: list[WeightsCard] | None = None

    def choices(self) -> tuple[list[Choice], list[str]]:
        """Shipped weights, then those of finished runs, the newest first; and a sentence for each
        that should be there but cannot be used."""
        found: list[Choice] = []
        problems: list[str] = []
        try:
            if self._shipped is None:
                self._shipped = shipped()
            for card in self._shipped:
                found.append(Choice(f"shipped:{card.name}", card.name, _detail(card), card))
        except WeightsError as error:
            problems.append(str(error))
        for run in self._store.runs.all():
            if run.weights_path is None or run.finished is None:
                continue
            try:
                card = self._card(_weights_of(self._store, run))
            except WeightsError as error:
                problems.append(f"Run {run.id}: {error}")
                continue
            found.append(Choice(f"run:{run.id}", f"{run.name} (run {run.id})", _detail(card), card))
        return [choice for choice in found if choice.card.kind == INSPECTED_KIND], problems

    def choice(self, id: str | None) -> Choice:
        """The weights of this id, or the first there are; WeightsError where there are none."""
        choices, problems = self.choices()
        for choice in choices:
            if id is None or choice.id == id:
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
        """The loaded network of a choice; loading happens once, by one thread."""
        key = choice.card.digest
        with self._loading:
            with self._lock:
                if key in self._networks:
                    self._networks.move_to_end(key)
                    return self._networks[key]
            network, card = load(choice.card.path or choice.card.name, device=self._chosen_device())
            inspector = Inspector(network, card, self.saliency, self._crf)
            with self._lock:
                self._networks[key] = inspector
                while len(self._networks) > KEPT_NETWORKS:
                    self._networks.popitem(last=False)
            return inspector

    def warm_up(self) -> threading.Thread:
        """Loads the first weights and starts a CRF worker beside the server's own start, so that
        the first image does not wait for them."""

        def warm() -> None:
            try:
                choice = self.choice(None)
                plain = np.zeros((32, 32, 3), np.uint8)
                tags = [(1, choice.card.classes[0])]
                for _ in self.inspector(choice).inspect(plain, tags):
                    pass
            except TagmaskError as error:
                print(f"tagmask: {error}", file=sys.stderr)

        thread = threading.Thread(target=warm, name="warm-up", daemon=True)
        thread.start()
        return thread

    def cache(self, image_digest: str, choice: Choice) -> dict[str, Any]:
        """What was kept of the inspections of this image with these weights; give it to
        `Inspector.inspect`, and call `tidy` when done."""
        key = (image_digest, choice.card.digest)
        with self._lock:
            cache = self._caches.setdefault(key, {})
            self._caches.move_to_end(key)
            return cache

    def tidy(self) -> int:
        """Forgets the inspections longest unused until the rest fits; bytes that are kept."""
        with self._lock:
            sizes = {key: _bytes_of(list(cache.values())) for key, cache in self._caches.items()}
            total = sum(sizes.values())
            while total > self._kept_bytes and len(self._caches) > 1:
                key, _ = self._caches.popitem(last=False)
                total -= sizes[key]
            return total

    def _card(self, path: Path) -> WeightsCard:
        try:
            stat = path.stat()
        except OSError as error:
            raise WeightsError(f"The weights file {path.name} is gone.") from error
        key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self._cards:
            self._cards[key] = read_card(path)
        return self._cards[key]

    def _chosen_device(self) -> str:
        if self._device != "auto":
            return self._device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"


def _weights_of(store: "Store", run: "Run") -> Path:
    """A run's weights file: within its folder, which is within the workspace."""
    return store.path.parent / run.folder / (run.weights_path or "")


def _detail(card: WeightsCard) -> str:
    return f"{card.backbone}, stride {card.stride}, {len(card.classes)} classes"


def _bytes_of(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, list | tuple):
        return sum(map(_bytes_of, value))
    return 0
