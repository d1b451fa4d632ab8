"""DeepLab trained on label maps: the segmenter at the end of every paper's pipeline.

Chen et al., DeepLab (PAMI 2018), as SeeNet (5.1), OAA (4.1), DCSP (5.1) and ECS-Net (4.5) use it on
their proxy labels; pixels of 255 teach nothing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.mask_learning import MaskLearning
from training.options import option
from training.recipes import BACKBONES, Recipe

if TYPE_CHECKING:
    from torch import nn

    from training.data import Batch
    from training.loop import Values
    from training.run import Run


@dataclass(frozen=True)
class Segment(MaskLearning):
    """The paper's numbers; `light` trains in minutes on two cores, `scenes` suits Scenes."""

    from_: str = option(
        "",
        "the folder of a run whose labels/IMAGE.png are learnt from; without it the masks of the "
        "snapshot in --data",
    )
    strong: str = option(
        "",
        "a list of ImageSets/Segmentation: its images are learnt from their true masks instead",
        section="SAL IV",
    )
    labels: bool = option(
        True, "write labels/IMAGE.png, what the trained network labels in the images of --data"
    )
    limit_to_tags: bool = option(True, "these labels hold an image's tags alone, where it has any")


def run(settings: Segment, run: "Run") -> dict[str, Any]:
    """Trains; writes weights.safetensors, and labels/IMAGE.png as the network labels --data."""
    from training.masks import open_masked
    from training.segmenting import SegmentBench, deeplab

    bench = SegmentBench(settings, run, open_masked(run, settings.from_, settings.strong))
    network = bench.network(lambda classes: deeplab(settings, classes))

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        logits = network(bench.normalisation.batch(batch.images))
        loss, right = bench.loss(logits, batch)
        return {"total": loss}, {"pixel_accuracy": right}

    trained, means = bench.fit(network, step)
    written = 0
    if settings.labels:
        written = bench.export_labels(trained, limit_to_tags=settings.limit_to_tags).files
    metrics = {
        "loss": means["total"],
        "pixel_accuracy": means["pixel_accuracy"],
        **bench.validate(trained),
    }
    return bench.finish_segmenter(trained, "segment", metrics, written)


RECIPE = Recipe(
    name="segment",
    title="Segmenter (DeepLab)",
    summary="Learns label maps pixel by pixel, and labels any image without a tag.",
    settings=Segment,
    run=run,
    takes=("masks", "runs"),
    makes=("weights", "labels"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
