"""The options of `predict` as a stage has them, so that they are checked before anything runs."""

from dataclasses import dataclass

from training.machine import Machine
from training.options import option, restated
from training.recipes.fuse import CRF_PRESETS


@dataclass(frozen=True)
class Predictions:
    """How the images of the test list are looked at, and what follows."""

    run: str = option("", "the segmenter")
    scales: tuple[float, ...] = option(
        (1.0,), "sizes at which an image is looked at, as parts of its own", minimum=0.1, maximum=4
    )
    flip: bool = option(False, "look at the mirrored image too")
    fusion: str = option(
        "mean",
        "mean of the views' probabilities, or max of their logits",
        choices=("mean", "max"),
    )
    crf: str = option("none", "whose dense CRF refines the predictions", choices=CRF_PRESETS)
    limit_to_tags: bool = option(False, "labels hold an image's tags alone")
    device: str = restated(Machine, "device", "auto")
    precision: str = restated(Machine, "precision", "auto")
