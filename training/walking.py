"""The random walk over a data set: labels/IMAGE.png and refined maps/IMAGE/CLASS.png."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import ImageError, RefinementError
from backend.images import read_image, require_usable
from backend.labels import write_heat, write_labels
from backend.maps import crf
from backend.maps.attention import normalise
from training.run import Run
from training.streaming import stream

if TYPE_CHECKING:
    from backend.exchange.sources import Item, Source
    from backend.random_walk import RandomWalk
    from backend.refinement import CrfPool
    from training.run_maps import RunMaps

LABELS = "labels"


@dataclass(frozen=True)
class Steps:
    """The walk's numbers, and whose CRF follows it, if any."""

    alpha: float
    beta: float
    steps: int
    crf: str | None


def walk_all(
    run: Run,
    source: "Source",
    maps: "RunMaps",
    random_walk: "RandomWalk",
    how: Steps,
    pool: "CrfPool",
    threads: int,
) -> int:
    """Walks the maps of every image that has no labels yet; how many images have labels then.

    An image's labels are written last, so that they say that it is done. Images that cannot have
    any are named and left out. Raises DataError on a full disk, and Cancelled.
    """
    folder = run.folder
    todo = [item for item in source.items if not labels_path(folder, item).is_file()]
    total = len(source.items)
    done = total - len(todo)
    if done:
        run.message(f"{done} images have labels already; {len(todo)} remain.")

    def work(item: "Item") -> str:
        try:
            _walk_one(folder, item, maps, random_walk, how, pool)
        except (ImageError, RefinementError) as problem:
            return f"{item.name} is left out: {problem}"
        return ""

    with_maps = [item for item in todo if maps.tags(item)]
    if len(with_maps) < len(todo):
        run.message(
            f"{len(todo) - len(with_maps)} images have no map of their tags, and no labels."
        )
        done += len(todo) - len(with_maps)
    left_out = 0
    for said in stream(run, with_maps, work, threads, total=total, done=done, stage="walk"):
        if said:
            left_out += 1
            run.message(said)
    if left_out:
        run.message(f"{left_out} of {total} images were left out.")
    return sum(labels_path(folder, item).is_file() for item in source.items)


def _walk_one(
    folder: Path,
    item: "Item",
    maps: "RunMaps",
    random_walk: "RandomWalk",
    how: Steps,
    pool: "CrfPool",
) -> None:
    image = require_usable(read_image(item.image), item.name)
    ids = maps.tags(item)
    walked = random_walk(image, maps.of(item), alpha=how.alpha, beta=how.beta, steps=how.steps)
    for class_id, heat in zip(ids, normalise(walked.maps[1:]), strict=True):
        write_heat(folder / "maps" / item.name / f"{maps.classes[class_id]}.png", heat)
    shares = walked.at((image.shape[0], image.shape[1]))
    if how.crf:
        shares = pool.refine(image, shares, crf.PRESETS[how.crf])
    write_labels(labels_path(folder, item), crf.labels_from_probabilities(shares, ids))


def walked_source(run: Run, source: "Source", maps: "RunMaps") -> "Source":
    """The images that have labels, with those of their tags that have a map."""
    items = [
        replace(item, tags=tuple(maps.tags(item)))
        for item in source.items
        if labels_path(run.folder, item).is_file()
    ]
    return replace(source, items=items)


def labels_path(folder: Path, item: "Item") -> Path:
    return folder / LABELS / f"{item.name}.png"
