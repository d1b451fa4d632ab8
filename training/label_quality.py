"""How good the labels are that a run wrote for the images it learnt from; only ever a measure."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.labels import read_labels
from training.evaluation import confusion, miou

if TYPE_CHECKING:
    from backend.exchange.sources import Source


def measure_labels(source: "Source", folder: Path) -> dict[str, float]:
    """{"label_miou": 0..100} over the images with a true mask and a folder/IMAGE.png; nothing
    where there is none.
    """
    matrix = np.zeros((max(source.classes) + 1,) * 2, np.int64)
    for item in source.items:
        path = folder / f"{item.name}.png"
        if item.truth is not None and path.is_file():
            matrix += confusion(read_labels(path), source.truth(item), len(matrix))
    return {"label_miou": 100 * miou(matrix)} if matrix.any() else {}
