"""From a segmenter's values to an image's labels: its own ids, its tags alone, refined by a CRF."""

from collections.abc import Mapping

import cv2
import numpy as np
import torch

from backend.exchange.names import some
from backend.exchange.sources import Item, Source
from backend.maps.crf import PRESETS, CrfParameters
from backend.refinement import LARGEST_FOR_CRF, CrfPool
from training.errors import TrainingError
from training.predicting import enlarged, label_map

# A class that is nowhere more probable than this is no label of the CRF: with few labels it is
# many times as fast, and such a class never wins a pixel.
LEAST_FOR_CRF = 0.1


class Painter:
    """Paints label maps of a source's images with a network's classes.

    classes: id -> name in the order of the network's outputs. limit_to_tags: only an image's tags
    can win a pixel, where it has any. Raises TrainingError where that is asked of images without
    tags, and for a CRF that is unknown or cannot run here.
    """

    def __init__(
        self,
        source: Source,
        classes: Mapping[int, str],
        *,
        limit_to_tags: bool = False,
        crf: str | None = None,
        pool: CrfPool | None = None,
    ) -> None:
        self.ids = np.array((0, *classes), np.uint8)
        self.parameters = None if crf is None else crf_parameters(crf)
        self.pool = pool
        if pool is not None and not pool.available:
            raise TrainingError(f"{pool.reason} --crf none goes without it.")
        self.notes: list[str] = []
        self._allowed = self._channels(source, classes) if limit_to_tags else {}

    def _channels(self, source: Source, classes: Mapping[int, str]) -> dict[str, list[int]]:
        """The channels of each tagged image; data sets agree by the names of their classes."""
        place = {name.casefold(): index for index, name in enumerate(classes.values(), start=1)}
        found: dict[str, list[int]] = {}
        strangers: set[str] = set()
        for item in source.items:
            names = [source.classes[tag] for tag in item.tags]
            strangers |= {name for name in names if name.casefold() not in place}
            if names:
                known = [place[n.casefold()] for n in names if n.casefold() in place]
                found[item.name] = [0, *sorted(known)]
        bare = [item.name for item in source.items if not item.tags]
        if bare and not found:
            raise TrainingError(
                f"None of the {len(bare)} images of {source.root} has a tag to limit its labels to."
                " Leave out --limit-to-tags, or tag the images."
            )
        if bare:
            self.notes.append(
                f"{len(bare)} images have no tags, and their labels are not limited: {some(bare)}."
            )
        if strangers:
            self.notes.append(
                f"The network does not know {some(sorted(strangers))}; these tags stay background."
            )
        return found

    def labels(self, item: Item, image: np.ndarray, values: torch.Tensor) -> np.ndarray:
        """The label map uint8 (H,W) of an image (H,W,3) with the network's values (C+1,h,w).

        Raises RefinementError where the CRF fails on it.
        """
        channels = self._allowed.get(item.name)
        if self.parameters is not None and channels is None:
            channels = probable(values)
        ids = self.ids
        if channels is not None:
            values, ids = values[channels], ids[channels]
        if self.parameters is not None and len(ids) > 1:
            values = self._refined(image, values, self.parameters)
        return label_map(values, image.shape[:2], ids)

    def _refined(
        self, image: np.ndarray, values: torch.Tensor, parameters: CrfParameters
    ) -> torch.Tensor:
        assert self.pool is not None
        height, width = image.shape[:2]
        scale = LARGEST_FOR_CRF / max(height, width)
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        probabilities = enlarged(values, image.shape[:2]).softmax(dim=0).cpu().numpy()
        return torch.from_numpy(self.pool.refine(image, probabilities, parameters))


def probable(values: torch.Tensor) -> list[int]:
    """The background's channel and those whose class is probable somewhere."""
    most = values.softmax(dim=0).amax(dim=(1, 2))
    most[0] = 1.0
    return torch.nonzero(most >= LEAST_FOR_CRF).flatten().tolist()


def crf_parameters(name: str) -> CrfParameters:
    """A CRF preset by its name; TrainingError with the names there are."""
    if name not in PRESETS:
        raise TrainingError(f"--crf is '{name}'; it can be {', '.join(PRESETS)} or none.")
    return PRESETS[name]
