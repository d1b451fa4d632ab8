"""Processes that make saliency maps: each imports no more than its detector needs.

They end with the process that started them, however that ends, and leave signals to it.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from backend.errors import SaliencyError
from backend.exchange.items import Item
from backend.images import read_image, require_usable
from backend.labels import write_heat
from backend.maps.erasing import hierarchical_saliency
from backend.saliency import SaliencySource, saliency_source
from training.errors import TrainingError


@dataclass(frozen=True)
class Salient:
    """How an image's saliency is made: the source, the saliency above which each look's finds are
    erased before the next, and the colour they are filled with, the data set's mean.
    """

    source: str
    digest: str = ""
    thresholds: tuple[float, ...] = (0.7, 0.8)
    fill: tuple[float, float, float] | None = None


# What came of an image: the sentence why there is no map, and whether the map is flat.
Outcome = tuple[str, bool]


@contextmanager
def detecting(
    source: SaliencySource, how: Salient, folder: Path, processes: int
) -> Iterator[tuple[Callable[[Item], Outcome], int]]:
    """A function that makes an image's map, and how many threads may call it at once."""
    if processes < 2:
        detector = Detector(source, how, folder)
        yield lambda item: detector(item.name, item.image), 1
        return
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(how, folder),
    )

    def ask(item: Item) -> Outcome:
        try:
            return pool.submit(_detect, item.name, item.image).result()
        except BrokenProcessPool:
            raise TrainingError(
                f"A process that computes saliency died, {item.name} among its images; the memory "
                "may not suffice for so many. Go on with --resume --processes 1."
            ) from None

    try:
        yield ask, processes
    finally:
        pool.shutdown(cancel_futures=True)


class Detector:
    """Makes the saliency map of one image after another."""

    def __init__(self, source: SaliencySource, how: Salient, folder: Path) -> None:
        self.source, self.how, self.folder = source, how, folder

    def __call__(self, name: str, path: Path) -> Outcome:
        image = require_usable(read_image(path), name)
        try:
            steps = hierarchical_saliency(
                image,
                lambda seen: self.source(seen, name=name),
                self.how.thresholds,
                self.how.fill,
            )
        except SaliencyError as problem:
            if self.source.maps is None:
                raise
            return str(problem), False
        merged = steps[-1].merged
        write_heat(self.folder / f"{name}.png", merged)
        return "", bool(merged.min() == merged.max())


_detector: Detector | None = None


def _begin(how: Salient, folder: Path) -> None:
    """In a worker: its detector; signals are its parent's to hear, and it ends with its parent."""
    global _detector
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    watch = threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True)
    watch.start()
    if how.source.startswith("network:"):
        import torch

        # As many processes as cores: each computes with one.
        torch.set_num_threads(1)
    _detector = Detector(saliency_source(how.source), how, folder)


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _detect(name: str, path: Path) -> Outcome:
    assert _detector is not None
    return _detector(name, path)
