"""Which saliency a person can choose for inspection: by name, as it is at this moment."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.errors import SaliencyError, WeightsError
from backend.saliency import FOLDER_PREFIX, NETWORK_PREFIX, SaliencySource, saliency_source

if TYPE_CHECKING:
    from backend.store import Store

CLASSICAL = "classical"
RECIPE = "saliency"


class SaliencySources(Mapping[str, SaliencySource]):
    """The classical detector, the workspace's own, the shipped networks, and those of finished runs
    of the recipe saliency, the newest first. Safe between threads.

    given: the workspace's by name, a folder of maps or what `saliency_source` takes; SaliencyError
    where one cannot be used. A shipped network or a run's that is damaged stays in the list, and
    says so when it is asked for a map.
    """

    def __init__(self, store: "Store", given: Mapping[str, str], device: str = "cpu") -> None:
        self._store = store
        self._device = device
        self._runs: dict[tuple[Path, int, int], SaliencySource] = {}
        self._fixed = {CLASSICAL: saliency_source(CLASSICAL)}
        for name, where in given.items():
            known = where == CLASSICAL or where.startswith((FOLDER_PREFIX, NETWORK_PREFIX))
            spec = where if known else f"{FOLDER_PREFIX}{where}"
            self._fixed[name] = saliency_source(spec, device)
        for name in shipped_names():
            self._fixed.setdefault(name, self._network(name))

    def __getitem__(self, name: str) -> SaliencySource:
        return self._fixed[name] if name in self._fixed else self._of_runs()[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._fixed, **self._of_runs()})

    def __len__(self) -> int:
        return len({**self._fixed, **self._of_runs()})

    def _of_runs(self) -> dict[str, SaliencySource]:
        return {
            f"{run.name} (run {run.id})": self._of_file(
                self._store.path.parent / run.folder / run.weights_path
            )
            for run in self._store.runs.all()
            if run.recipe == RECIPE and run.weights_path and run.finished is not None
        }

    def _of_file(self, path: Path) -> SaliencySource:
        try:
            stat = path.stat()
        except OSError as error:
            return unusable(str(path), SaliencyError(f"The weights file {path} is gone: {error}."))
        key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self._runs:
            self._runs[key] = self._network(str(path))
        return self._runs[key]

    def _network(self, name: str) -> SaliencySource:
        try:
            return saliency_source(f"{NETWORK_PREFIX}{name}", self._device)
        except SaliencyError as error:
            return unusable(name, error)


def shipped_names() -> list[str]:
    """The shipped saliency networks; none where the manifest is damaged, which the list of weights
    says.
    """
    from backend.saliency_network import shipped_cards

    try:
        return [card.name for card in shipped_cards()]
    except WeightsError:
        return []


def unusable(name: str, error: SaliencyError) -> SaliencySource:
    """A source that answers with what is wrong with it."""

    def refuse(image: np.ndarray) -> NDArray[np.float32]:
        raise error

    return SaliencySource(f"{NETWORK_PREFIX}{name}", str(error), detector=refuse)
