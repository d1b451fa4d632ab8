"""One image's proxy labels out of the maps that a run wrote: fusion with saliency, then a CRF.

What `backend.inspection` does for a page by looking again with a network, done with maps that are
files, so that nothing is looked at twice and many images stream.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from backend.errors import ImageError, RefinementError, SaliencyError
from backend.images import read_image, require_usable
from backend.labels import BACKGROUND, IGNORE
from backend.maps import crf, fusion, scoring
from backend.maps.attention import normalise, resize
from backend.refinement import LARGEST_FOR_CRF
from backend.saliency import why_flat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backend.exchange.sources import Item
    from backend.refinement import CrfPool
    from backend.saliency import SaliencySource
    from training.run_maps import RunMaps


class Rules(Protocol):
    """What the settings of the recipe fuse say of the rules' numbers."""

    @property
    def fusion(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def saliency_threshold(self) -> float: ...
    @property
    def gamma(self) -> float: ...
    @property
    def mean(self) -> str: ...
    @property
    def keep_above(self) -> float: ...
    @property
    def conflict_above(self) -> float: ...
    @property
    def salient_from(self) -> float: ...
    @property
    def strong_above(self) -> float: ...
    @property
    def smallest_share(self) -> float: ...


@dataclass(frozen=True)
class Fused:
    """The labels uint8 (H,W) of an image and their scores, or a sentence why there are none.

    flat: its saliency is zero everywhere.
    """

    name: str
    labels: np.ndarray | None = None
    scores: dict[str, float] = field(default_factory=dict)
    why_not: str = ""
    flat: bool = False

    @property
    def holds_a_class(self) -> bool:
        """Whether any pixel has a class."""
        return self.labels is not None and bool(
            ((self.labels != BACKGROUND) & (self.labels != IGNORE)).any()
        )


@dataclass(frozen=True)
class Fuser:
    """Fuses the maps of images one by one; safe to share between threads.

    refinement: the CRF's numbers, None for none; confidence: how far it trusts the labels that it
    starts from; keep_ignored: what the rule left undecided stays 255.
    """

    maps: "RunMaps"
    saliency: "SaliencySource"
    rules: Rules
    pool: "CrfPool"
    refinement: crf.CrfParameters | None
    confidence: float
    keep_ignored: bool

    def __call__(self, item: "Item") -> Fused:
        """The labels of an image, 255 throughout where no pixel went to a tag: an image that is
        tagged and all background would teach its object as background.
        """
        ids = self.maps.tags(item)
        if not ids:
            return Fused(item.name, why_not=f"{item.name} is left out: there is no map of its tags")
        try:
            image = require_usable(read_image(item.image), item.name)
            salient = self.saliency(image, name=item.name)
            flat = why_flat(salient)
            if flat and salient.max() > 0:
                # Every pixel would be an object, and agree with the saliency perfectly.
                return Fused(item.name, why_not=f"{item.name} is left out: its saliency is {flat}")
            heats = resize(self.maps.of(item), salient.shape)
            fused = labels_of(heats, salient, ids, self.rules)
            labels = self._refined(image, fused, ids)
            scores = self._scores(image, labels, salient, ids)
        except (ImageError, SaliencyError, RefinementError) as problem:
            return Fused(item.name, why_not=f"{item.name} is left out: {problem}")
        made = Fused(item.name, labels, scores, flat=bool(flat))
        if made.holds_a_class:
            return made
        return Fused(item.name, np.full_like(labels, IGNORE), flat=bool(flat))

    def _refined(self, image: np.ndarray, labels: np.ndarray, ids: "Sequence[int]") -> np.ndarray:
        if self.refinement is None:
            return labels
        evidence = crf.probabilities_from_labels(labels, ids, self.confidence)
        refined = self._at_size(image, evidence, self.refinement)
        found = crf.labels_from_probabilities(refined, ids)
        if self.keep_ignored:
            found[labels == IGNORE] = IGNORE
        return found

    def _at_size(
        self, image: np.ndarray, evidence: np.ndarray, parameters: crf.CrfParameters
    ) -> np.ndarray:
        """The CRF's probabilities (K,H,W); a large photograph is refined smaller, as predictions
        are: the CRF's time and memory grow with its area.
        """
        height, width = image.shape[:2]
        scale = LARGEST_FOR_CRF / max(height, width)
        if scale >= 1:
            return self.pool.refine(image, evidence, parameters)
        across, down = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, (across, down), interpolation=cv2.INTER_AREA)
        refined = self.pool.refine(small, resize(evidence, (down, across)), parameters)
        return resize(refined, (height, width))

    def _scores(
        self, image: np.ndarray, labels: np.ndarray, salient: np.ndarray, ids: "Sequence[int]"
    ) -> dict[str, float]:
        """SAL's coarse score and its parts, against the saliency after the CRF, else over twice
        its mean.
        """
        if self.refinement is not None:
            both = np.stack([1 - salient, salient])
            background, foreground = self._at_size(image, both, self.refinement)
            reference = foreground > background
        else:
            reference = salient > min(2 * float(salient.mean()), 0.9)
        return {
            "AC": scoring.boundary_accuracy(labels, reference),
            "CD": scoring.class_distribution(labels, ids),
            "SC": scoring.coarse_score(labels, reference, ids),
        }


def labels_of(
    heats: np.ndarray, salient: np.ndarray, ids: "Sequence[int]", rules: Rules
) -> np.ndarray:
    """Proxy labels uint8 (H,W) of attention (K,H,W) and saliency (H,W) by one paper's rule."""
    if rules.fusion == "seenet":
        return fusion.seenet_labels(
            normalise(heats), salient, ids, rules.weight, rules.saliency_threshold or None
        )
    stretched = normalise(heats, how="minmax")
    if rules.fusion == "dcsp":
        mean: fusion.Mean = rules.mean  # type: ignore[assignment]
        return fusion.dcsp_labels(stretched, salient, ids, rules.gamma, mean)
    return fusion.oaa_labels(
        stretched,
        salient,
        ids,
        keep_above=rules.keep_above,
        conflict_above=rules.conflict_above,
        salient_from=rules.salient_from,
        strong_above=rules.strong_above,
        smallest_share=rules.smallest_share,
    )
