"""Scenes, the embedded default world, written as a data set; not a paper's."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.options import option
from training.recipes import Recipe

if TYPE_CHECKING:
    from training.run import Run


@dataclass(frozen=True)
class Scenes:
    """How many pictures, how large; --seed chooses the world."""

    count: int = option(240, "pictures", minimum=1, maximum=99_999)
    size: int = option(192, "pixels a side", minimum=48, maximum=1024)
    val_fraction: float = option(0.2, "the part held back as val", minimum=0, maximum=0.9)
    workers: int = option(0, "processes; 0: as many as there are cores", minimum=0, maximum=64)


def run(settings: Scenes, run: "Run") -> dict[str, Any]:
    """Writes JPEGImages, SegmentationClass, ImageSets, tags.csv and classes.txt into --out."""
    from training.scenes import SCENE_CLASSES, write

    def after(done: int) -> None:
        run.check()
        run.progress(done, settings.count, always=done == settings.count)

    write(
        run.folder,
        settings.count,
        run.seed,
        settings.size,
        settings.val_fraction,
        workers=settings.workers or (os.cpu_count() or 1),
        after=after,
    )
    return {"metrics": {"images": settings.count, "classes": len(SCENE_CLASSES)}}


RECIPE = Recipe(
    name="scenes",
    title="Scenes, the default world",
    summary="Paints illustrated scenes of ten classes, with exact masks and tags.",
    settings=Scenes,
    run=run,
    makes=("data",),
)
