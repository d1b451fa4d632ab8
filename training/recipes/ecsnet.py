"""ECS-Net: what a network finds in an image with the obvious blurred away teaches the plain map.

Sun et al., ECS-Net (ICCV 2021), sections 3 and 4.2. The paper has no public code: what it leaves
open is an option here, and the README lists the readings.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError
from training.options import option, restated
from training.recipes import BACKBONES, Recipe
from training.tag_learning import TagLearning

if TYPE_CHECKING:
    from torch import nn

    from training.data import Batch
    from training.loop import Values
    from training.run import Run


@dataclass(frozen=True)
class EcsNet(TagLearning):
    """The paper's numbers (section 4.2). Its parts can be left out one by one (Table 4)."""

    erasing: bool = option(True, "the second pass, over the erased image", section="ECS-Net 3.1")
    supervision: bool = option(
        True, "the erased image's labels teach the first pass", section="ECS-Net 3.1"
    )
    refine: bool = option(True, "the refine module", section="ECS-Net 3.2")
    overlay: tuple[int, ...] = option(
        (5, 7, 12),
        "dilations of the multi-dilated overlay, or none",
        section="ECS-Net 3.2, Eq. 8",
        minimum=1,
        maximum=64,
        light=(2, 3, 5),
        scenes=(2, 3),
    )
    beta: float = option(
        0.5, "size of the first pass's image", section="ECS-Net 4.3", minimum=0.1, maximum=1
    )
    delta: float = option(0.6, "score that is erased", section="ECS-Net 3.1", minimum=0, maximum=1)
    theta: float = option(
        0.8, "score that a reliable label has", section="ECS-Net 4.3", minimum=0, maximum=1
    )
    sigma: float = option(
        10 / 448, "of the blur, in parts of the image's side", minimum=0, maximum=1
    )
    patience: int = option(
        0,
        "passes over the images before the erased image's labels teach: those of a network that "
        "knows nothing yet lead astray (the paper: 0)",
        minimum=0,
        light=3,
        scenes=2,
    )
    label_source: str = option(
        "cam",
        "which map of the erased image gives labels",
        section="ECS-Net 4.3, Table 3",
        choices=("cam", "refined"),
    )
    final: str = option(
        "refined", "which maps are the result", section="ECS-Net 4.5", choices=("refined", "cam")
    )

    backbone: str = restated(TagLearning, "backbone", "resnet38", "ECS-Net 4.2")
    size: int = restated(TagLearning, "size", 448, "ECS-Net 4.2", light=224, scenes=96)
    crop_least: float = restated(TagLearning, "crop_least", 1.0, "ECS-Net 4.2: 448 of 448")
    crop_most: float = restated(TagLearning, "crop_most", 768 / 448, "ECS-Net 4.2: to 768")
    batch: int = restated(TagLearning, "batch", 8, "ECS-Net 4.2", light=16, scenes=32)
    steps: int = restated(TagLearning, "steps", 0)
    epochs: int = restated(TagLearning, "epochs", 8, "ECS-Net 4.2", light=8)
    learning_rate: float = restated(
        TagLearning, "learning_rate", 5e-3, "ECS-Net 4.2: 0.05 without a momentum, so a tenth"
    )
    new_rate: float = restated(TagLearning, "new_rate", 10.0, "ECS-Net 4.2")
    weight_decay: float = restated(TagLearning, "weight_decay", 5e-4)
    schedule: str = restated(
        TagLearning, "schedule", "poly", "ECS-Net 4.2", light="poly", scenes="poly"
    )
    warmup: int = restated(TagLearning, "warmup", 100, "ECS-Net 4.2", light=20, scenes=100)
    clip: float = restated(TagLearning, "clip", 0.0, light=5.0, scenes=5.0)
    map_flip: bool = restated(TagLearning, "map_flip", True, light=True, scenes=True)
    map_scales: tuple[float, ...] = restated(
        TagLearning, "map_scales", (0.5, 1.0, 1.5, 2.0), "ECS-Net Fig. 7"
    )
    map_fusion: str = restated(TagLearning, "map_fusion", "mean")

    def __post_init__(self) -> None:
        if self.supervision and not self.erasing:
            raise TrainingError(
                "--no-erasing leaves no second pass to be taught by: add --no-supervision."
            )
        if self.supervision and not self.steps and self.patience >= self.epochs:
            raise TrainingError(
                f"--patience is {self.patience} and --epochs {self.epochs}: the erased image would "
                "teach nothing. Take more epochs, less patience, or --no-supervision."
            )
        wanted = {"--final": self.final, "--label-source": self.label_source}
        for flag, source in wanted.items():
            if source == "refined" and not self.refine:
                raise TrainingError(f"--no-refine leaves no refined map: add {flag} cam.")


def run(settings: EcsNet, run: "Run") -> dict[str, Any]:
    """Trains; writes weights.safetensors and maps/IMAGE/CLASS.png."""
    import torch
    from torch.nn import functional
    from torch.nn.functional import multilabel_soft_margin_loss

    from backend.networks import ecsnet
    from training.bench import Bench
    from training.networks import trunk_of

    bench = Bench(settings, run)
    network = bench.network(
        lambda classes: ecsnet.EcsNet(
            settings.backbone,
            classes,
            **trunk_of(settings),
            refine=settings.refine,
            final=settings.final,  # type: ignore[arg-type]
            label_source=settings.label_source,  # type: ignore[arg-type]
            overlay=settings.overlay,
            scale=settings.beta,
            erase=settings.delta,
            sigma=settings.sigma,
            reliable=settings.theta,
        )
    )

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        images = bench.normalisation.batch(batch.images)
        first = network(ecsnet.scaled(images, settings.beta))
        passes = [first]
        if settings.erasing:
            region = ecsnet.to_erase(first.cam, batch.tags, settings.delta, images.shape[2:])
            erased = ecsnet.blurred_inside(images, region, settings.sigma)
            passes.append(network(erased, overlaid=True))
        losses = {}
        for name, seen in zip(("", "_erased"), passes, strict=False):
            scores = {"cam": seen.scores}
            if settings.refine:
                scores["refined"] = seen.refined_scores
            for kind, said in scores.items():
                loss = multilabel_soft_margin_loss(said, batch.tags)
                losses[f"{kind}{name}"] = loss / len(passes)
        right = ((first.scores.detach() > 0) == batch.tags.bool()).float().mean()
        measures = {"tag_accuracy": right}
        late_enough = bench.batches.current_epoch >= settings.patience
        if settings.erasing and settings.supervision and late_enough:
            second = passes[1].of(settings.label_source)
            found = ecsnet.reliable_labels(second, batch.tags, region, settings.theta)
            told = ecsnet.with_background(first.refined.float())
            told = functional.interpolate(
                told, size=second.shape[2:], mode="bilinear", align_corners=False
            )
            cost = functional.cross_entropy(told, found.labels, reduction="none")
            losses["segmentation"] = cost[found.reliable].sum() / found.reliable.sum().clamp(min=1)
            measures["reliable"] = found.reliable.float().mean()
        return {"total": torch.stack([*losses.values()]).sum(), **losses}, measures

    trained, means = bench.fit(network, step)
    exported, measured = bench.export(trained)
    metrics = {"loss": means["total"], "tag_accuracy": exported.tag_accuracy, **measured}
    return bench.finish(trained, "ecsnet", metrics, exported.maps)


RECIPE = Recipe(
    name="ecsnet",
    title="Erased CAM supervision (ECS-Net)",
    summary="Blurs what was found and lets the map of the rest teach the map of the whole.",
    settings=EcsNet,
    run=run,
    takes=("tags",),
    makes=("weights", "maps"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
