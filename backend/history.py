"""What online accumulation saw of one image, pass by pass: a run's history/IMAGE.npz."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from backend.atomic import write_whole
from backend.errors import DataError
from backend.maps.accumulation import paste

ACCUMULATED, WARM_UP, REFUSED, NO_ATTENTION = 0, 1, 2, 3
NO_CLASS = -1


@dataclass(frozen=True)
class History:
    """T passes over an image with K tags, its maps h x w cells.

    maps uint8 (T,K,h,w): A_t, 255 = 1.0, in its place, 0 outside of what the pass saw; seen bool
    (T,h,w); scores float32 (T,K) raw scores of the tags; rival float32 (T,) the best score of a
    class that is no tag and rival_class int16 (T,) its id, NO_CLASS where every class is a tag;
    verdict uint8 (T,K): ACCUMULATED, WARM_UP, REFUSED (by the gate) or NO_ATTENTION; class_ids
    int16 (K,).
    """

    maps: np.ndarray
    seen: np.ndarray
    scores: np.ndarray
    rival: np.ndarray
    rival_class: np.ndarray
    verdict: np.ndarray
    class_ids: np.ndarray

    @property
    def passes(self) -> int:
        return len(self.maps)

    def accumulated(self, how: Literal["max", "mean"] = "max") -> np.ndarray:
        """M_t after every pass, float32 (T,K,h,w) in 0..1: what only the accumulated ones made."""
        _, tags, height, width = self.maps.shape
        total = np.zeros((tags, height, width), np.float32)
        counts = np.zeros((tags, height, width), np.uint16)
        steps = np.empty(self.maps.shape, np.float32)
        for number in range(self.passes):
            for tag in range(tags):
                if self.verdict[number, tag] == ACCUMULATED:
                    heat = self.maps[number, tag].astype(np.float32) / 255
                    paste(total[tag], counts[tag], heat, self.seen[number], how)
            steps[number] = total
        return steps


FIELDS = tuple(History.__dataclass_fields__)


def history_path(run: Path, image: str) -> Path:
    """Where a run keeps the history of an image, by name."""
    return run / "history" / f"{image}.npz"


def write_history(path: Path, history: History) -> None:
    """Writes a history whole or not at all; DataError where it cannot be written."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: getattr(history, name) for name in FIELDS})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())


def read_history(path: Path) -> History:
    """A history of write_history; DataError where it is missing, damaged or of another shape.

    The sentence names the image and the run, for people who need not know the server's folders.
    """
    of = f"history of {path.stem} in the run {path.parent.parent.name}"
    try:
        with np.load(path, allow_pickle=False) as file:
            history = History(**{name: file[name] for name in FIELDS})
    except FileNotFoundError:
        raise DataError(f"There is no {of}.") from None
    except Exception as problem:
        # numpy raises whatever its zip reader or header parser meets in a damaged file.
        raise DataError(
            f"The {of} cannot be read ({type(problem).__name__}); train again to make it."
        ) from problem
    passes, tags, height, width = history.maps.shape if history.maps.ndim == 4 else (0, 0, 0, 0)
    wanted = {
        "seen": (passes, height, width),
        "scores": (passes, tags),
        "rival": (passes,),
        "rival_class": (passes,),
        "verdict": (passes, tags),
        "class_ids": (tags,),
    }
    if not passes or any(getattr(history, name).shape != shape for name, shape in wanted.items()):
        raise DataError(f"The {of} is damaged: its parts do not fit each other.")
    return history
