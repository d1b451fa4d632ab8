"""SAL's reference masks H: what stands out in an image, drawn to its edges, as a boolean mask.

Zhou et al., SAL (TMM 2020), section III-B: saliency, with DCSP's erasing where an image has several
objects, then the dense CRF.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.maps.crf import CrfParameters
from backend.maps.erasing import hierarchical_saliency
from backend.refinement import CrfPool
from backend.saliency import SaliencySource

ERASE_ABOVE = (0.7, 0.8)
# Without a CRF, what is more salient than so often the image's mean is foreground, at the latest
# from MOST_ASKED on (Achanta et al., CVPR 2009).
TIMES_MEAN, MOST_ASKED = 2.0, 0.9


@dataclass(frozen=True)
class ReferenceMaker:
    """Makes the reference mask of one image after the other; safe to share between threads.

    erase_above: the saliency that is erased before the second and each further look at an image
    with several tags, () for a single look; what is erased gets the image's mean colour. From
    maps of a folder nothing can be erased. crf and pool: the CRF's numbers and its processes, None
    for none. threshold: from which saliency on, 0..1, a pixel is foreground; 0: one half behind the
    CRF, else twice the image's mean.
    """

    saliency: SaliencySource
    erase_above: tuple[float, ...] = ERASE_ABOVE
    crf: CrfParameters | None = None
    pool: CrfPool | None = field(default=None, compare=False)
    threshold: float = 0.0

    def __call__(
        self, image: np.ndarray, name: str | None = None, tags: int = 1
    ) -> NDArray[np.bool_]:
        """The reference mask bool (H,W) of an image uint8 (H,W,3) that has so many tags.

        Raises SaliencyError where the source has nothing for the image, and RefinementError where
        the CRF fails on it.
        """
        salient = self.salient(image, name, tags)
        if self.crf is not None and self.pool is not None:
            both = np.stack([1 - salient, salient])
            salient = self.pool.refine(image, both, self.crf)[1]
            return salient >= self.threshold if self.threshold else salient > 0.5
        if self.threshold:
            return salient >= self.threshold
        return salient > min(TIMES_MEAN * float(salient.mean()), MOST_ASKED)

    def salient(
        self, image: np.ndarray, name: str | None = None, tags: int = 1
    ) -> NDArray[np.float32]:
        """The saliency float32 (H,W) in 0..1 that the mask is made of."""
        looks = self.erase_above if tags > 1 and self.saliency.maps is None else ()
        if not looks:
            return self.saliency(image, name=name)
        steps = hierarchical_saliency(image, lambda seen: self.saliency(seen, name=name), looks)
        return steps[-1].merged

    def told(self) -> dict[str, Any]:
        """What decides how the masks look, for a record."""
        return {
            "saliency": self.saliency.name,
            "digest": self.saliency.digest,
            "erase_above": list(self.erase_above),
            "crf": None if self.crf is None else vars(self.crf),
            "threshold": self.threshold,
        }
