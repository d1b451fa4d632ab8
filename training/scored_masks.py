"""SAL's coarse scores of an image's labels, whole or class by class, against any reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.labels import BACKGROUND, IGNORE
from backend.maps import scoring
from backend.maps.objectness import NONE, OfMask, objectness


class Part(NamedTuple):
    """What is scored of labels: a binary mask B, bool (H,W), of one class or, where id is None, of
    all; elsewhere: the pixels of other classes, which no reference is asked for.
    """

    id: int | None
    mask: NDArray[np.bool_]
    elsewhere: NDArray[np.bool_] | None = None

    def of(self, reference: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The reference of this part alone."""
        return reference if self.elsewhere is None else reference & ~self.elsewhere


@dataclass(frozen=True)
class Measure:
    """How masks are measured: Eq. 3 in one of its forms, with an objectness of the weight b;
    per_class: each tag's mask by itself.
    """

    form: scoring.Form = "standard"
    objectness: str = NONE
    b: float = 0.1
    per_class: bool = False

    def parts(self, labels: np.ndarray, tags: Sequence[int]) -> list[Part]:
        """What is scored of a label map: its foreground, or with per_class the mask of each tag; a
        tag without a pixel has an empty one. An image without tags has one part either way.
        """
        inside = (labels != BACKGROUND) & (labels != IGNORE)
        if not self.per_class or not tags:
            return [Part(None, inside)]
        return [Part(id, labels == id, inside & (labels != id)) for id in tags]

    def of_image(self, image: np.ndarray) -> OfMask | float:
        """The objectness of the masks of an image."""
        return 1.0 if self.objectness == NONE else objectness(self.objectness, image)

    def accuracy(
        self, part: Part, reference: NDArray[np.bool_], likely: OfMask | float = 1.0
    ) -> float:
        """AC of a part, 0..1."""
        return scoring.boundary_accuracy(part.mask, part.of(reference), likely, self.b, self.form)

    def true_accuracy(
        self,
        labels: np.ndarray,
        truth: np.ndarray,
        tags: Sequence[int],
        likely: OfMask | float = 1.0,
    ) -> list[float]:
        """AC of each part against the true mask in the place of the reference: SAL's ground truth
        of a score (Fig. 9). Pixels that the truth leaves open count on neither side.
        """
        known = truth != IGNORE
        foreground = known & (truth != BACKGROUND)
        return [
            self.accuracy(
                Part(None, part.mask & known),
                foreground if part.id is None else truth == part.id,
                likely,
            )
            for part in self.parts(labels, tags)
        ]


def distribution(labels: np.ndarray, tags: Sequence[int]) -> float:
    """CD of an image's labels; 1 for the foreground of an image without tags, of which nothing is
    known to be wrong.
    """
    if tags:
        return scoring.class_distribution(labels, tags)
    return float(((labels != BACKGROUND) & (labels != IGNORE)).any())
