"""What exporting maps spends on loading images, and the memory it and OAA's maps take."""

import contextlib
import io
import multiprocessing
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch

from backend.exchange.sources import Item, Source
from benchmarks.costs.taken import Taken, in_channels_last, take
from training import maps_export
from training.accumulating import Accumulator, grid_of

# VOC's augmented training images: how many, their tags each, and their usual size.
VOC_IMAGES = 10_582
VOC_TAGS = 1.46
VOC_SIZE = (375, 500)
SHORT_SIDE = 28


class Loading(NamedTuple):
    """Seconds of an export: in all, those in which the network waited for an image, the
    processor's in all, and those of it that went into reading images.
    """

    wall: float
    waited: float
    processor: float
    reading: float


def loading(data: Path, folder: Path, images: int) -> Loading:
    """An export of this many images, each mirrored too, with its waits and reads timed."""
    taken = take("classify", data, folder)
    waited, reading = [0.0], [0.0]
    read_ahead, read = maps_export._read_ahead, maps_export._read

    def timed_wait(items: Sequence[Item]) -> Iterator[tuple[Item, np.ndarray]]:
        arriving = read_ahead(items)
        while True:
            start = time.perf_counter()
            try:
                arrived = next(arriving)
            except StopIteration:
                return
            finally:
                waited[0] += time.perf_counter() - start
            yield arrived

    def timed_read(item: Item) -> np.ndarray:
        start = time.thread_time()
        try:
            return read(item)
        finally:
            reading[0] += time.thread_time() - start

    _export(taken, several(taken.bench.source, 8))
    source = several(taken.bench.source, images)
    with (
        patch.object(maps_export, "_read_ahead", timed_wait),
        patch.object(maps_export, "_read", timed_read),
    ):
        wall, processor = time.perf_counter(), time.process_time()
        _export(taken, source)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return Loading(wall, waited[0], processor, reading[0])


def peak_of_export(data: Path, images: int, threads: int) -> float:
    """The most memory, in MB, that a process of its own ever held that exports so many images."""
    with multiprocessing.get_context("spawn").Pool(1) as alone:
        peak: float = alone.apply(_peak, (data, images, threads))
    return peak


def _peak(data: Path, images: int, threads: int) -> float:
    torch.set_num_threads(threads)
    with TemporaryDirectory() as folder:
        taken = take("classify", data, Path(folder), cache_mb=0)
        _export(taken, several(taken.bench.source, images))
    # The kernel's own record; getrusage's would begin with what the parent held.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kibibytes) * 1024 / 1e6


def several(source: Source, images: int) -> Source:
    """So many images of a source, each under a name of its own, over and over where it has fewer;
    without truths, which only measuring would read.
    """
    items = [
        replace(source.items[n % len(source.items)], name=f"image{n}", truth=None)
        for n in range(images)
    ]
    return replace(source, items=items)


def _export(taken: Taken, source: Source) -> None:
    bench = taken.bench
    with contextlib.redirect_stderr(io.StringIO()):
        maps_export.export_maps(
            bench.run,
            bench.fabric,
            in_channels_last(taken.network).eval(),
            source,
            bench.class_ids,
            bench.normalisation,
            replace(bench.looks, scales=(1.0,), flip=True, to="feature"),
            bench.run.folder / "maps",
        )


def accumulated_megabytes(how: Any) -> tuple[float, float]:
    """What VOC's maps take in an Accumulator: of maps and counts, and with all that is held
    beside them, in MB.
    """
    grid = grid_of(*VOC_SIZE, SHORT_SIDE)
    second = round((VOC_TAGS - 1) * VOC_IMAGES)
    tags = np.random.default_rng(0).permutation(np.arange(VOC_IMAGES) < second)
    tracemalloc.start()
    try:
        images = ((f"2008_{n:06d}", (0, 1)[: 1 + two], grid) for n, two in enumerate(tags))
        gathered = Accumulator(images, how)
        whole = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    return gathered.nbytes / 1e6, whole / 1e6
