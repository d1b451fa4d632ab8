"""What a network paints of every image of a data set, as files: OUT/IMAGE.png, at the image's size.

On a GPU images are read ahead and files finished behind by threads while the network goes on; on a
CPU every few cores take an image the whole way, which keeps them busier than one image on them all.
The dense CRF is left to processes. A folder knows whose predictions it holds (`predicted.json`):
those that are there are not made again, unless they are another network's.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn

from backend.errors import ImageError, RefinementError
from backend.exchange.sources import Item, Source
from backend.images import read_image, require_usable
from backend.labels import write_heat, write_labels
from backend.networks.normalisation import Normalisation
from backend.refinement import FOLDER_TIMEOUT, CrfPool
from training import evaluations
from training.loop import Clock
from training.measures import Tally, result
from training.painting import Painter
from training.predicting import heat_map, inputs, see
from training.prediction_record import begin
from training.run import Run
from training.viewing import Viewing

if TYPE_CHECKING:
    from lightning_fabric import Fabric

READ_AHEAD = 4
# Images on their way at a time on a CPU: each holds its views and what the network makes of them.
MOST_LANES = 4

Made = TypeVar("Made")


class Outcome(NamedTuple, Generic[Made]):
    """What was made of an image, or the sentence why there is nothing."""

    item: Item
    trouble: str | None
    made: Made | None


@dataclass(frozen=True)
class Predicted:
    """How many files were written and how many were there before; the images that could not be
    read or refined, each with the sentence why.
    """

    written: int
    before: int
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> int:
        return self.written + self.before


def predict(
    run: Run,
    fabric: "Fabric",
    network: nn.Module,
    source: Source,
    classes: Mapping[int, str],
    normalisation: Normalisation,
    viewing: Viewing,
    folder: Path,
    *,
    weights: str,
    limit_to_tags: bool = False,
    crf: str | None = None,
    stage: str = "predict",
) -> Predicted:
    """Writes folder/IMAGE.png for every image of the source: a palette PNG of a segmenter, a grey
    one of a network with `saliency`.

    classes: id -> name in the order of the network's outputs; weights: a digest of the network's;
    crf: the name of a preset. Images that cannot be read or refined are left out and named.
    Raises TrainingError where the folder holds PNGs of another making, DataError where a file
    cannot be written, Diverged, and Cancelled.
    """
    saliency = hasattr(getattr(network, "module", network), "saliency")
    record = {
        "weights": weights,
        "classes": {str(id): name for id, name in {**source.classes, **classes}.items()},
        "data": str(source.root),
        "viewing": viewing.to_json(),
        "limit_to_tags": limit_to_tags,
        "crf": crf or "none",
    }
    done = begin(run, folder, record)
    todo = [item for item in source.items if item.name not in done]
    before = len(source.items) - len(todo)
    if before:
        run.message(f"{before} images are predicted already; {len(todo)} remain.")
    left_out: dict[str, str] = {}
    written = 0
    with ExitStack() as opened:
        pool = (
            opened.enter_context(CrfPool(cores(), FOLDER_TIMEOUT, retries=1))
            if crf and todo
            else None
        )
        painter = Painter(source, classes, limit_to_tags=limit_to_tags, crf=crf, pool=pool)
        for sentence in painter.notes:
            run.message(sentence)

        def finish(item: Item, image: np.ndarray, values: torch.Tensor) -> None:
            path = folder / f"{item.name}.png"
            if saliency:
                write_heat(path, heat_map(values, image.shape[:2]))
            else:
                write_labels(path, painter.labels(item, image, values))

        clock = Clock(0)
        work = in_turn(run, fabric, network, todo, normalisation, viewing, finish, bool(crf))
        for number, (item, trouble, _) in enumerate(work):
            if trouble is None:
                written += 1
            else:
                left_out[item.name] = trouble
                run.message(trouble)
            clock.images += 1
            run.progress(
                number + 1,
                len(todo),
                always=number + 1 == len(todo),
                stage=stage,
                images_per_second=clock.images_per_second,
                seconds_left=clock.seconds_left(number + 1, len(todo)),
            )
    return Predicted(written, before, left_out)


def measured(
    run: Run,
    fabric: "Fabric",
    network: nn.Module,
    source: Source,
    classes: Mapping[int, str],
    normalisation: Normalisation,
    viewing: Viewing,
) -> dict[str, float]:
    """mIoU (0..100) of a segmenter's labels over the images of a source, all of which have a true
    mask. The labels are not kept; what is measured is, as the run's evaluation "predictions".
    """
    painter = Painter(source, classes)
    names = {**source.classes, **classes}
    tally = Tally(names)

    def finish(item: Item, image: np.ndarray, values: torch.Tensor) -> np.ndarray:
        return painter.labels(item, image, values)

    work = in_turn(run, fabric, network, source.items, normalisation, viewing, finish, False)
    for number, (item, trouble, labels) in enumerate(work):
        if labels is None:
            run.message(f"{trouble} It is not measured.")
        else:
            tally.add(item.name, labels, source.truth(item))
        run.progress(number + 1, len(source.items), stage="validation")
    found = tally.measured()
    if found is None:
        return {}
    told = result(found, names)
    evaluations.keep(run.folder, evaluations.PREDICTIONS, told, of=source.split or "all")
    return {"miou": told["miou"]}


def in_turn(
    run: Run,
    fabric: "Fabric",
    network: nn.Module,
    items: Sequence[Item],
    normalisation: Normalisation,
    viewing: Viewing,
    finish: Callable[[Item, np.ndarray, torch.Tensor], Made],
    slow: bool,
) -> Iterator[Outcome[Made]]:
    """Each item in order with what `finish` made of its image and the network's values.

    `slow`: finishing takes so long that every core is to work on it.
    """
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def read(item: Item) -> tuple[np.ndarray, list[torch.Tensor]]:
        image = require_usable(read_image(item.image), item.name)
        return image, inputs(viewing.views(image), normalisation, viewing)

    def whole(item: Item) -> Made:
        image, given = read(item)
        return finish(item, image, see(fabric, network, given, viewing))

    lanes = min(MOST_LANES, torch.get_num_threads()) if fabric.device.type == "cpu" else 1
    if lanes > 1:
        yield from _in_lanes(run, whole, items, lanes)
        return
    threads = cores() if slow else 1
    finisher = ThreadPoolExecutor(threads)
    waiting: deque[tuple[Item, Future[Made] | str]] = deque()
    try:
        for item, reading in ahead(read, items):
            run.check()
            try:
                image, given = reading.result()
            except ImageError as problem:
                waiting.append((item, _left_out(item, problem)))
            else:
                values = see(fabric, network, given, viewing)
                waiting.append((item, finisher.submit(finish, item, image, values)))
            while waiting and (len(waiting) > 2 * threads or _is_done(waiting[0][1])):
                yield _outcome(*waiting.popleft())
        while waiting:
            run.check()
            yield _outcome(*waiting.popleft())
    finally:
        finisher.shutdown(cancel_futures=True)


def _in_lanes(
    run: Run, whole: Callable[[Item], Made], items: Sequence[Item], lanes: int
) -> Iterator[Outcome[Made]]:
    """Each item in order with what `whole` makes of it, by threads that share torch's cores."""
    before = torch.get_num_threads()
    workers = ThreadPoolExecutor(
        lanes, initializer=torch.set_num_threads, initargs=(before // lanes,)
    )
    waiting: deque[tuple[Item, Future[Made] | str]] = deque()
    try:
        for item in items:
            run.check()
            waiting.append((item, workers.submit(whole, item)))
            while waiting and (len(waiting) > 2 * lanes or _is_done(waiting[0][1])):
                yield _outcome(*waiting.popleft())
        while waiting:
            run.check()
            yield _outcome(*waiting.popleft())
    finally:
        workers.shutdown(cancel_futures=True)
        # A thread's number is also that of every thread that is begun later.
        torch.set_num_threads(before)


def ahead(
    work: Callable[[Item], Made], items: Sequence[Item]
) -> Iterator[tuple[Item, "Future[Made]"]]:
    """Each item with what is made of it by a thread, READ_AHEAD items before it is asked for."""
    worker = ThreadPoolExecutor(1)
    waiting: deque[tuple[Item, Future[Made]]] = deque()
    try:
        for item in items:
            waiting.append((item, worker.submit(work, item)))
            if len(waiting) > READ_AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        worker.shutdown(cancel_futures=True)


def _is_done(work: "Future[Any] | str") -> bool:
    return isinstance(work, str) or work.done()


def _outcome(item: Item, work: "Future[Made] | str") -> Outcome[Made]:
    if isinstance(work, str):
        return Outcome(item, work, None)
    try:
        return Outcome(item, None, work.result())
    except (ImageError, RefinementError) as problem:
        return Outcome(item, _left_out(item, problem), None)


def _left_out(item: Item, problem: Exception) -> str:
    return f"{item.name} is left out: {problem}"


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
