"""The reference masks of a run: FOLDER/references/IMAGE.png, 0 and 255, each made once."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.atomic import write_whole
from backend.errors import DataError
from backend.exchange.sources import Item
from backend.images import encode_png
from backend.labels import read_labels
from backend.maps import crf
from backend.reference_masks import ReferenceMaker
from backend.refinement import CrfPool
from backend.saliency import saliency_source
from training.coarse_scoring import CoarseScoring
from training.errors import TrainingError
from training.run import Run

REFERENCES = "references"
RECORD = "references.json"


class References:
    """Makes an image's reference mask, or reads it where it is there; shared between threads."""

    def __init__(self, folder: Path, maker: ReferenceMaker) -> None:
        self.folder = folder / REFERENCES
        self.maker = maker

    def path(self, name: str) -> Path:
        """Where the mask of an image is."""
        return self.folder / f"{name}.png"

    def of(self, item: Item, image: np.ndarray) -> NDArray[np.bool_]:
        """The reference mask bool (H,W) of an image uint8 (H,W,3), which is then a file.

        Raises SaliencyError and RefinementError as `ReferenceMaker` does.
        """
        kept = self.kept(item, image.shape[:2])
        if kept is not None:
            return kept
        made = self.maker(image, item.name, len(item.tags))
        write_whole(self.path(item.name), encode_png(made.astype(np.uint8) * 255))
        return made

    def kept(self, item: Item, size: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """The mask that is there already; None where there is none of this size."""
        path = self.path(item.name)
        if not path.is_file():
            return None
        try:
            pixels = read_labels(path)
        except DataError:
            return None
        return pixels > 127 if pixels.shape == tuple(size) else None


@contextmanager
def open_references(run: Run, settings: CoarseScoring, device: str) -> Iterator[References]:
    """The reference masks of a run as its settings ask for them, with the CRF's processes.

    Where the CRF is not installed a message says so, and they are saliency over a threshold. What
    another run left in the folder is not taken. Raises SaliencyError for a source that there is
    not, TrainingError where a run goes on with other saliency than it began with.
    """
    saliency = saliency_source(settings.saliency, device)
    refinement = None if settings.crf == "none" else crf.PRESETS[settings.crf]
    with CrfPool(settings.threads, retries=1) as pool:
        if refinement is not None and not pool.available:
            run.message(f"{pool.reason} Reference masks are saliency over a threshold here.")
            refinement = None
        if settings.erase_above and saliency.maps is not None:
            run.message(
                f"The saliency maps of {saliency.maps.root} are taken as they are: from maps that "
                "are computed already nothing can be erased."
            )
        maker = ReferenceMaker(
            saliency, settings.erase_above, refinement, pool, settings.reference_threshold
        )
        _require_same(run, maker)
        yield References(run.folder, maker)


def _require_same(run: Run, maker: ReferenceMaker) -> None:
    path, told = run.folder / RECORD, json.dumps(maker.told(), indent=1)
    if path.is_file() and path.read_text(encoding="utf-8") != told:
        if run.resume:
            raise TrainingError(
                f"{run.folder} began with other reference masks than these: its {RECORD} names "
                "other saliency, or the CRF was or was not installed then. Put that back, or start "
                "a new run in another --out."
            )
        shutil.rmtree(run.folder / REFERENCES, ignore_errors=True)
    elif not path.is_file():
        shutil.rmtree(run.folder / REFERENCES, ignore_errors=True)
    write_whole(path, told.encode())
