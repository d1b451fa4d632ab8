"""What a finished run of `losses` leaves to the workspace: each image's loss under a segmenter."""

import math
from dataclasses import dataclass
from pathlib import Path

from backend.errors import DataError
from backend.intake.lines import read_lines
from backend.intake.masks import Refusals, batches
from backend.store import Store

RECIPE = "losses"
FILE = "losses.jsonl"


@dataclass(frozen=True)
class LossIntake:
    """How many images have their loss now, and what was refused."""

    images: int
    refused: Refusals

    def sentences(self) -> list[str]:
        """What to tell a person."""
        said = f"The loss of {self.images} images is known; Curate can order its queue by it."
        return [said, *self.refused.told()]


def take_in_losses(store: Store, folder: Path, run_id: int | None) -> LossIntake:
    """Keeps the losses of a run folder's losses.jsonl as the images' latest.

    Images are found by name. Raises DataError where the file is missing.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise DataError(f"{folder} holds no {FILE}; it is what a run of {RECIPE} writes.")
    refused, taken = Refusals(), 0
    for batch in batches(read_lines(path)):
        found: list[tuple[int, float]] = []
        for told in batch:
            loss = told.get("loss")
            image = store.images.by_name(told["image"])
            if image is None:
                refused.add(f"The workspace has no image {told['image']} for its loss.")
            elif isinstance(loss, int | float) and math.isfinite(loss):
                found.append((image.id, float(loss)))
        store.images.set_losses(found, run_id)
        taken += len(found)
    return LossIntake(taken, refused)
