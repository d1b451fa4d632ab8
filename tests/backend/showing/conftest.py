"""A workspace of drawn scenes whose masks by two runs are known to the pixel."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.images import encode_png
from backend.labels import encode_labels
from backend.workspace import Workspace

SIZE = (40, 60)


def square(left: int, right: int, tag: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Labels with one block of a class over rows 10 to 30."""
    labels = np.zeros(size, np.uint8)
    labels[10:30, left:right] = tag
    return labels


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Six images. The truth of the first five is 20 columns of a class; run 1 finds 10 of them, run
    2 finds 10 + 2n of image n. The sixth has no truth; only run 1 has a mask of the fourth."""
    made = Workspace.create(tmp_path / "workspace", "Shown", classes=("cat", "dog"))
    noise = np.random.default_rng(0)
    first = made.store.runs.add("first", "labels", "runs/1-labels", {"gamma": 0.4})
    second = made.store.runs.add("second", "sal", "runs/2-sal")
    for number in range(6):
        tag = 1 + number % 2
        photo = encode_png(noise.integers(0, 255, (*SIZE, 3), dtype=np.uint8))
        truth = None if number == 5 else encode_labels(square(20, 40, tag))
        image = made.store.images.add(
            f"image{number}", photo, source="test", tags=[tag], truth=truth
        ).image
        masks = ((first, "cam.dcsp", 30), (second, "sal", 30 + 2 * number))
        for run, method, right in masks[: 1 if number == 4 else 2]:
            mask = encode_labels(square(20, right, tag))
            made.store.candidates.add(image.id, run, method, mask, {"SC": right / 60})
    made.store.runs.finish(first, {"loss": 0.25}, None)
    yield made
    made.close()
