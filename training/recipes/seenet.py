"""SeeNet: a second branch looks for the object in what the first left, and turns from background.

Hou et al., Self-Erasing Network for Integral Object Attention (NeurIPS 2018), sections 3 and 5.1.
Numbers marked (C) are those of the released code.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError
from training.options import option, restated
from training.recipes import BACKBONES, Recipe
from training.tag_learning import WithHead

if TYPE_CHECKING:
    from torch import nn

    from training.data import Batch
    from training.loop import Values
    from training.run import Run


@dataclass(frozen=True)
class SeeNet(WithHead):
    """The paper's numbers (section 5.1); `light` and `scenes` suit two cores."""

    erasing: str = option(
        "seenet",
        "seenet: the background's sign is flipped for branch B; zero: it is zeroed (setting 2); "
        "acol: plain erasing with two branches (setting 1)",
        section="SeeNet 3.3 and 5.2",
        choices=("seenet", "zero", "acol"),
    )
    high: float = option(
        0.7, "attention zone, of the map's maximum", section="SeeNet 5.1", minimum=0, maximum=1
    )
    low: float = option(
        0.05, "background zone, of the map's maximum", section="SeeNet 5.1", minimum=0, maximum=1
    )
    acol: float = option(
        0.6, "what --erasing acol erases, of the map's maximum (ACoL's own)", minimum=0, maximum=1
    )
    outside: float = option(
        0.0,
        "what branch C takes for background, of the map's maximum; 0: (HIGH + LOW) / 2",
        section="SeeNet 5.1",
        minimum=0,
        maximum=1,
    )
    shared_head: bool = option(False, "one head for the branches B and C")

    backbone: str = restated(WithHead, "backbone", "vgg16", "SeeNet 5.1")
    stride: int = restated(WithHead, "stride", 16, "the release", light=16, scenes=0)
    head_layers: int = restated(WithHead, "head_layers", 3, "SeeNet 5.1")
    head_channels: int = restated(WithHead, "head_channels", 512, "SeeNet 5.1")
    dropout: float = restated(
        WithHead, "dropout", 0.5, "the release, in branch A", light=0.0, scenes=0.0
    )
    size: int = restated(WithHead, "size", 224, "SeeNet 5.1")
    batch: int = restated(WithHead, "batch", 16, "SeeNet 5.1")
    steps: int = restated(WithHead, "steps", 25000, "SeeNet 5.1")
    learning_rate: float = restated(WithHead, "learning_rate", 1e-3, "SeeNet 5.1")
    weight_decay: float = restated(WithHead, "weight_decay", 2e-4, "SeeNet 5.1")
    schedule: str = restated(WithHead, "schedule", "step", "SeeNet 5.1")
    decay_at: float = restated(WithHead, "decay_at", 0.6, "SeeNet 5.1: 15,000 of 25,000")
    map_flip: bool = restated(WithHead, "map_flip", True, "SeeNet 3.3", scenes=True)

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise TrainingError(
                f"--low is {self.low:g} and --high {self.high:g}; the low threshold must not be "
                "above the high one."
            )


def run(settings: SeeNet, run: "Run") -> dict[str, Any]:
    """Trains; writes weights.safetensors and the fused maps/IMAGE/CLASS.png."""
    import torch
    from torch.nn.functional import multilabel_soft_margin_loss

    from backend.networks import seenet
    from training.bench import Bench
    from training.networks import head_of

    bench = Bench(settings, run)
    network = bench.network(
        lambda classes: seenet.SeeNet(
            settings.backbone,
            classes,
            **head_of(settings),
            erasing=settings.erasing,  # type: ignore[arg-type]
            shared_head=settings.shared_head,
            high=settings.high,
            low=settings.low,
            acol=settings.acol,
            outside=settings.outside,
        )
    )

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        seen = network(bench.normalisation.batch(batch.images), batch.tags)
        losses = {
            "a": multilabel_soft_margin_loss(seen.scores_a, batch.tags),
            "b": multilabel_soft_margin_loss(seen.scores_b, batch.tags),
        }
        if seen.scores_c is not None:
            nothing = batch.tags.new_zeros(batch.tags.shape)
            losses["c"] = multilabel_soft_margin_loss(seen.scores_c, nothing)
        right = ((seen.scores_a.detach() > 0) == batch.tags.bool()).float().mean()
        return {"total": torch.stack([*losses.values()]).sum(), **losses}, {"tag_accuracy": right}

    trained, means = bench.fit(network, step)
    exported, measured = bench.export(trained)
    metrics = {"loss": means["total"], "tag_accuracy": exported.tag_accuracy, **measured}
    return bench.finish(trained, "seenet", metrics, exported.maps)


RECIPE = Recipe(
    name="seenet",
    title="Self-erasing network (SeeNet)",
    summary="Erases what was found and turns the background away, so that a second branch finds "
    "the rest of the object.",
    settings=SeeNet,
    run=run,
    takes=("tags",),
    makes=("weights", "maps"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
