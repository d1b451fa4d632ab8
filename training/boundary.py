"""What the constrain-to-boundary loss pulls towards: a batch's probabilities refined by a CRF.

The CRF works on the network's small grid, in processes of its own, an image each.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.errors import RefinementError
from backend.maps.crf import PRESETS, CrfParameters
from backend.refinement import FOLDER_TIMEOUT, CrfPool
from training.errors import TrainingError
from training.seed_losses import GRID, LEAST

# What SEC divides the CRF's distances by where an image has become 41x41 cells.
SHRUNK = 12.0
# A class that is no tag and nowhere more probable is no label of the CRF, but keeps what it has:
# the CRF's time grows with its labels, and such a class wins no cell.
LEAST_PROBABLE = 0.05


class Boundaries:
    """A dense CRF for batches; within it, its processes live."""

    def __init__(self, processes: int) -> None:
        self._pool = CrfPool(processes, FOLDER_TIMEOUT, retries=1)
        self._threads = ThreadPoolExecutor(processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closed first: whoever waits for a worker is told, and the threads end.
        self._pool.close()
        self._threads.shutdown(cancel_futures=True)

    def refined(
        self, images: NDArray[np.uint8], probabilities: NDArray[np.float32], tags: np.ndarray
    ) -> NDArray[np.float32]:
        """images (N,3,S,S) RGB, probabilities (N,C+1,h,w), tags (N,C) of 0 and 1 -> float32
        (N,C+1,h,w), at least LEAST and summing to 1.

        Raises TrainingError where the CRF fails on an image, and a new process on it again.
        """
        rows = list(zip(images, probabilities, tags, strict=True))
        return np.stack(list(self._threads.map(lambda row: self._image(*row), rows)))

    def _image(
        self, image: NDArray[np.uint8], probabilities: NDArray[np.float32], tags: np.ndarray
    ) -> NDArray[np.float32]:
        height, width = probabilities.shape[1:]
        upright = np.ascontiguousarray(image.transpose(1, 2, 0))
        small = cv2.resize(upright, (width, height), interpolation=cv2.INTER_AREA)
        labels = np.concatenate([[True], tags > 0])
        labels |= probabilities.max(axis=(1, 2)) >= LEAST_PROBABLE
        refined = probabilities.astype(np.float32)
        share = refined[labels].sum(axis=0)
        how = at_grid(height, width)
        refined[labels] = share * self._ask(small.astype(np.uint8), refined[labels] / share, how)
        refined = np.maximum(refined, LEAST)
        return refined / refined.sum(axis=0)

    def _ask(
        self, image: NDArray[np.uint8], probabilities: NDArray[np.float32], how: CrfParameters
    ) -> NDArray[np.float32]:
        try:
            return self._pool.refine(image, probabilities, how)
        except RefinementError as problem:
            raise TrainingError(
                f"The boundary loss could not be worked out: {problem} --resume goes on from the "
                "last checkpoint."
            ) from problem


def at_grid(height: int, width: int) -> CrfParameters:
    """The CRF of SEC and DSRG with its distances in cells of a grid."""
    own = PRESETS["dsrg"]
    shrunk = SHRUNK * GRID / max(height, width)
    return replace(
        own, bilateral_xy=own.bilateral_xy / shrunk, gaussian_xy=own.gaussian_xy / shrunk
    )
