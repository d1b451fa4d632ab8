"""What a pipeline leaves for people: OUT/labels with their scores and OUT/references, what these
were scored against; OUT/predictions and OUT/weights.safetensors.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.atomic import unwritable, write_whole
from backend.errors import DataError, ImageError
from backend.images import image_size
from backend.labels import IGNORE, encode_labels
from training.errors import TrainingError

if TYPE_CHECKING:
    from backend.exchange.sources import Source

SCORES = "scores.jsonl"


def require_ours(folder: Path, known: bool) -> None:
    """Raises TrainingError where a folder holds PNGs that no pipeline put there."""
    strangers = [] if known else sorted(folder.glob("*.png"))
    if strangers:
        raise TrainingError(
            f"{folder} holds {len(strangers)} PNGs that no pipeline wrote ({strangers[0].name}, "
            "...). Choose another --out."
        )


def publish(
    made: Path, to: Path, source: "Source", check: Callable[[], None], *, fill: bool
) -> list[str]:
    """Makes OUT/labels, OUT/references or OUT/predictions hold what a stage made of a list of
    images; those that it made nothing of.

    With `fill` they get 255 throughout, as far as they can be read: nothing is known about them.
    Files that are as they should be are left alone. Raises DataError where a file cannot be
    written, and what `check` raises.
    """
    without = []
    wanted = set()
    for item in source.items:
        check()
        name = f"{item.name}.png"
        try:
            content = (made / name).read_bytes()
        except OSError:
            without.append(item.name)
            empty = _ignored(item.image) if fill else None
            if empty is None:
                continue
            content = empty
        wanted.add(name)
        _put(content, to / name)
    for path in to.glob("*.png"):
        if path.name not in wanted:
            path.unlink()
    return without


def _ignored(image: Path) -> bytes | None:
    """A label map of an image that says nothing, None where the image cannot be read."""
    try:
        width, height = image_size(image)
    except ImageError:
        return None
    return encode_labels(np.full((height, width), IGNORE, np.uint8))


def publish_scores(made: Path, out: Path) -> None:
    """Puts the scores of the labels beside them; the review queue goes by them."""
    if (made / SCORES).is_file():
        _put((made / SCORES).read_bytes(), out / SCORES)
    else:
        (out / SCORES).unlink(missing_ok=True)


def publish_weights(made: Path, to: Path) -> None:
    """Makes OUT/weights.safetensors the segmenter's: the same file where the disk allows that."""
    partial = to.with_name(f".{to.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        try:
            os.link(made, partial)
        except OSError:
            shutil.copyfile(made, partial)
        partial.replace(to)
    except OSError as problem:
        raise DataError(unwritable(to, problem)) from problem
    finally:
        partial.unlink(missing_ok=True)


def _put(content: bytes, to: Path) -> None:
    try:
        if to.read_bytes() == content:
            return
    except OSError:
        pass  # It is not there yet.
    write_whole(to, content)
