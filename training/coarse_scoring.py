"""The numbers that both recipes of SAL's mask scoring share: reference masks, and Eq. 3."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.options import option

if TYPE_CHECKING:
    from backend.maps.scoring import Form
    from training.scored_masks import Measure

CRF_PRESETS = ("sal", "dcsp", "deeplab", "psa", "irn", "oaa", "seam", "dsrg", "none")


@dataclass(frozen=True)
class CoarseScoring:
    """How reference masks are made and masks are measured against them; the numbers are SAL's."""

    saliency: str = option(
        "classical",
        "classical; network:NAME of shipped weights, of a file or a run of the recipe saliency; or "
        "folder:DIR of grey maps named as the images",
        section="SAL III-B1 (DSS)",
    )
    crf: str = option(
        "sal",
        "whose dense CRF draws the reference masks to the edges",
        section="SAL III-B1",
        choices=CRF_PRESETS,
    )
    erase_above: tuple[float, ...] = option(
        (0.7, 0.8),
        "of an image with several tags: the saliency that is erased before the second and each "
        "further look",
        section="SAL III-B1, DCSP 5.1",
        minimum=0,
        maximum=1,
    )
    reference_threshold: float = option(
        0.0,
        "the saliency from which on a pixel of the reference is foreground; 0: one half behind the "
        "CRF, else twice the image's mean",
        minimum=0,
        maximum=1,
    )
    form: str = option(
        "standard",
        "of Eq. 3: standard precision and recall, or what is printed (recall and intersection over "
        "union under these names)",
        section="SAL Eq. 3",
        choices=("standard", "printed"),
    )
    objectness: str = option(
        "none",
        "F of Eq. 3 in the place of BING: none is 1; edges: how many of a whole outline's edges "
        "the mask's box holds along its border; contrast: how the box's colours differ from those "
        "around it",
        section="SAL Eq. 3",
        choices=("none", "edges", "contrast"),
    )
    objectness_weight: float = option(
        0.1, "b, its weight", section="SAL IV-A", minimum=0, maximum=10
    )
    per_class: bool = option(
        False,
        "score the mask of each tag by itself; without it B is the whole foreground",
        section="SAL III-B2",
    )
    threads: int = option(2, "images looked at at a time", minimum=1, maximum=64)

    @property
    def measure(self) -> "Measure":
        """How masks are measured."""
        from training.scored_masks import Measure

        form: Form = "printed" if self.form == "printed" else "standard"
        return Measure(form, self.objectness, self.objectness_weight, self.per_class)
