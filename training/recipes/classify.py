"""OAA's classification network, trained from tags alone; its class maps are the CAMs.

Jiang et al., Integral Object Mining via Online Attention Accumulation (ICCV 2019), sections 3.1 and
4.1. Every later method starts from these maps. Numbers marked (C) are those of the released code.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.options import restated
from training.recipes import BACKBONES, Recipe
from training.tag_learning import WithHead

if TYPE_CHECKING:
    from torch import nn

    from training.data import Batch
    from training.loop import Values
    from training.run import Run


@dataclass(frozen=True)
class Classify(WithHead):
    """The paper's numbers; `light` trains in minutes on two cores, `scenes` suits Scenes."""

    backbone: str = restated(WithHead, "backbone", "vgg16", "OAA 3.1")
    head_layers: int = restated(WithHead, "head_layers", 3, "OAA 3.1")
    batch: int = restated(WithHead, "batch", 5, "OAA 4.1")
    steps: int = restated(WithHead, "steps", 30000, "OAA 4.1")
    learning_rate: float = restated(WithHead, "learning_rate", 1e-3, "OAA 4.1")
    momentum: float = restated(WithHead, "momentum", 0.9, "OAA 4.1")
    weight_decay: float = restated(WithHead, "weight_decay", 2e-4, "OAA 4.1")
    schedule: str = restated(WithHead, "schedule", "step", "OAA 4.1")
    decay_at: float = restated(WithHead, "decay_at", 2 / 3, "OAA 4.1: 20,000 of 30,000")


def run(settings: Classify, run: "Run") -> dict[str, Any]:
    """Trains, then writes weights.safetensors and maps/IMAGE/CLASS.png."""
    from torch.nn.functional import multilabel_soft_margin_loss

    from training.bench import Bench
    from training.networks import cam_classifier

    bench = Bench(settings, run)
    network = bench.network(lambda classes: cam_classifier(settings, classes))

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        scores = network(bench.normalisation.batch(batch.images)).scores
        loss = multilabel_soft_margin_loss(scores, batch.tags)
        right = ((scores.detach() > 0) == batch.tags.bool()).float().mean()
        return {"total": loss}, {"tag_accuracy": right}

    trained, means = bench.fit(network, step)
    exported, measured = bench.export(trained)
    metrics = {"loss": means["total"], "tag_accuracy": exported.tag_accuracy, **measured}
    return bench.finish(trained, "cam", metrics, exported.maps)


RECIPE = Recipe(
    name="classify",
    title="Classification network (CAM)",
    summary="Learns the tags of whole images; where it looks for each tag is the attention map.",
    settings=Classify,
    run=run,
    takes=("tags",),
    makes=("weights", "maps"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
