"""Hierarchical saliency of a whole data set: FOLDER/IMAGE.png of each image, made by processes.

An image is looked at again after what stood out was erased from it (DCSP, section 4.2). What is
there already is not made again.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from backend.atomic import write_whole
from backend.exchange.names import some
from backend.exchange.sources import Item
from backend.images import read_image, require_usable
from backend.saliency import SaliencySource
from training.errors import TrainingError
from training.predictions import cores
from training.run import Run
from training.saliency_processes import Salient, detecting
from training.scores import tell_stretched
from training.streaming import stream

RECORD = "saliency.json"
READERS = 2


def begin(
    run: Run, source: SaliencySource, thresholds: Sequence[float], items: Sequence[Item]
) -> Salient:
    """How saliency is made in a run, kept in its saliency.json; how it was begun goes on.

    Maps of a folder are taken as they are: nothing can be erased from what is computed already,
    which a message says. Raises TrainingError where a run goes on with another network.
    """
    path = run.folder / RECORD
    if path.is_file():
        told = json.loads(path.read_text(encoding="utf-8"))
        before = Salient(
            told["source"],
            told["digest"],
            tuple(told["thresholds"]),
            None if told["fill"] is None else tuple(told["fill"]),
        )
        if before.digest != source.digest:
            raise TrainingError(
                f"This run began with the saliency network {before.digest[:8]}, but {source.name} "
                f"now holds {source.digest[:8]}. Put the first one back, or start a new run in "
                "another --out."
            )
        return before
    if thresholds and source.maps is not None:
        run.message(
            f"The saliency maps of {source.maps.root} are taken as they are: from maps that are "
            "computed already nothing can be erased."
        )
        thresholds = ()
    fill = mean_colour(run, items) if thresholds else None
    salient = Salient(source.name, source.digest, tuple(thresholds), fill)
    write_whole(path, json.dumps(asdict(salient), indent=1).encode())
    return salient


def mean_colour(run: Run, items: Sequence[Item]) -> tuple[float, float, float]:
    """The mean over every pixel of every image, RGB in 0..255."""

    def look(item: Item) -> tuple[np.ndarray, int]:
        image = require_usable(read_image(item.image), item.name)
        return image.sum(axis=(0, 1), dtype=np.int64), image.shape[0] * image.shape[1]

    total, pixels = np.zeros(3, np.int64), 0
    for colours, count in stream(run, items, look, READERS, total=len(items), stage="mean colour"):
        total += colours
        pixels += count
    red, green, blue = (total / max(1, pixels)).tolist()
    return red, green, blue


def make_saliency(
    run: Run,
    source: SaliencySource,
    how: Salient,
    items: Sequence[Item],
    folder: Path,
    *,
    processes: int = 0,
) -> dict[str, str]:
    """Writes folder/IMAGE.png for every item; the images without one, each with the reason.

    processes: 0 for as many as there are cores, 1 for none beside this one (as a GPU wants it).
    Raises ImageError for an unreadable image, SaliencyError for a source that fails, TrainingError
    where a process dies, and Cancelled.
    """
    missing = set(source.missing(item.name for item in items))
    if missing:
        run.message(
            f"{len(missing)} of {len(items)} images have no saliency map in "
            f"{source.name.partition(':')[2]}: {some(sorted(missing))}."
        )
    tell_stretched(run, source, [item for item in items if item.name not in missing])
    left_out = {name: "it has no saliency map" for name in missing}
    known = [item for item in items if item.name not in missing]
    todo = [item for item in known if not (folder / f"{item.name}.png").is_file()]
    done = len(known) - len(todo)
    if done and todo:
        run.message(f"{done} saliency maps are there already; {len(todo)} remain.")
    flat: list[str] = []
    with detecting(source, how, folder, min(processes or cores(), len(todo))) as (work, count):
        made = stream(run, todo, work, count, total=len(known), done=done, stage="saliency")
        for item, (trouble, is_flat) in zip(todo, made, strict=True):
            if trouble:
                run.message(f"{item.name} has no saliency: {trouble}")
                left_out[item.name] = trouble
            if is_flat:
                flat.append(item.name)
    if flat:
        run.message(f"{len(flat)} saliency maps are the same everywhere: {some(flat)}.")
    return left_out
