"""A saliency network with short connections (DSS), learnt from masks of what stands out.

Hou et al., Deeply Supervised Salient Object Detection with Short Connections (CVPR 2017), sections
3 and 4.1. Numbers marked (C) are those of the released code.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError
from training.options import option, restated
from training.recipes import BACKBONES, Recipe
from training.tag_learning import TagLearning

if TYPE_CHECKING:
    import torch
    from torch import nn

    from training.data import Batch
    from training.loop import Values
    from training.run import Run


@dataclass(frozen=True)
class Saliency(TagLearning):
    """The paper's numbers on VGG16; `light` trains in minutes on two cores with photographs,
    `scenes` suits Scenes.
    """

    masks: str = option("", "the folder of the masks, IMAGE.png, where they are not in DATA/masks")
    reading: str = option(
        "auto",
        "what masks mean: white is salient; classes: any class id is, 255 is ignored; auto: class "
        "ids where the data names classes",
        choices=("auto", "white", "classes"),
    )
    leave_out: str = option(
        "",
        "classes, with commas between them: no image with one of them teaches; how well they are "
        "found is measured apart",
    )
    held_out: float = option(
        1 / 6,
        "the part of the images that is held out to measure on, drawn by the seed",
        minimum=0,
        maximum=0.9,
    )
    validation: str = option(
        "", "instead: a list of ImageSets/Segmentation, or a file of image names, one a line"
    )

    side_channels: int = option(
        128,
        "of a side output's layers (DSS: 128 to 512)",
        section="DSS 3.2",
        minimum=1,
        maximum=1024,
        light=32,
        scenes=32,
    )
    side_layers: int = option(2, "layers of a side output", section="DSS 3.2", minimum=1, maximum=8)
    side_kernels: tuple[int, ...] = option(
        (3, 3, 5, 5, 5, 7),
        "the size of their kernels, odd, for each of the six sides from the finest on",
        section="DSS 3.2",
        minimum=1,
        maximum=15,
        scenes=(3, 3, 3, 3, 3, 3),
    )
    carried: int = option(
        1,
        "maps that a short connection carries: 1 is the side's score; more are features",
        section="DSS 3.2",
        minimum=1,
        maximum=256,
        light=16,
        scenes=16,
    )
    side_weight: float = option(
        1.0, "of each side output's loss beside the fused one's", section="DSS 4.1", minimum=0
    )
    overlap: float = option(
        0.0,
        "weight of 1 - intersection over union beside the cross entropy (BASNet)",
        minimum=0,
        light=1.0,
        scenes=1.0,
    )
    structure: float = option(0.0, "weight of 1 - SSIM beside them (BASNet)", minimum=0)
    train_scales: tuple[float, ...] = option(
        (1.0,),
        "sizes of a batch that are learnt from, as parts of --size",
        minimum=0.1,
        maximum=4,
    )
    average: float = option(
        0.0,
        "the running mean of the weights forgets with 1 minus this; 0: the last weights count",
        minimum=0,
        maximum=0.9999,
        light=0.99,
        scenes=0.99,
    )
    test_scales: tuple[float, ...] = option(
        (1.0,),
        "sizes at which the trained network looks at an image, as parts of --size, averaged",
        minimum=0.1,
        maximum=4,
        light=(0.75, 1.0, 1.25),
    )
    test_flip: bool = option(False, "and at the mirrored image", light=True, scenes=True)

    backbone: str = restated(TagLearning, "backbone", "vgg16", "DSS 3.2")
    stride: int = restated(TagLearning, "stride", 16, "DSS 3.2", light=0, scenes=0)
    head_start: str = restated(TagLearning, "head_start", "gauss", light="he", scenes="he")
    size: int = restated(TagLearning, "size", 320, light=224, scenes=96)
    crop: str = restated(TagLearning, "crop", "whole", light="area", scenes="area")
    crop_least: float = restated(TagLearning, "crop_least", 1.15, light=0.7, scenes=0.5)
    jitter: float = restated(TagLearning, "jitter", 0.0, light=0.3, scenes=0.2)
    batch: int = restated(TagLearning, "batch", 10, "DSS 4.1", light=16, scenes=32)
    steps: int = restated(TagLearning, "steps", 12000, "DSS 4.1", light=0, scenes=0)
    epochs: int = restated(TagLearning, "epochs", 15, light=24, scenes=30)
    optimiser: str = restated(TagLearning, "optimiser", "sgd", "DSS 4.1", light="adamw")
    learning_rate: float = restated(TagLearning, "learning_rate", 1e-3, light=1e-4)
    new_rate: float = restated(TagLearning, "new_rate", 1.0, light=10.0)
    weight_decay: float = restated(
        TagLearning, "weight_decay", 5e-4, "DSS 4.1", light=1e-2, scenes=1e-2
    )
    schedule: str = restated(TagLearning, "schedule", "step", "C", light="poly")
    decay_at: float = restated(TagLearning, "decay_at", 0.625, "C: 7,500 of 12,000")
    warmup: int = restated(TagLearning, "warmup", 0, light=50)
    clip: float = restated(TagLearning, "clip", 0.0, light=5.0, scenes=5.0)
    watch_images: int = restated(TagLearning, "watch_images", 24, light=32)

    # Fields of TagLearning that are about class maps, without which its bench would not do: no
    # options.
    dropout: float = 0.0
    map_scales: tuple[float, ...] = (1.0,)
    map_flip: bool = False
    map_fusion: str = "mean"
    map_size: str = "image"

    def __post_init__(self) -> None:
        from backend.networks.saliency import SIDES

        if not self.train_scales or not self.test_scales:
            raise TrainingError("--train-scales and --test-scales name at least one size.")
        if len(self.side_kernels) != SIDES or any(size % 2 == 0 for size in self.side_kernels):
            raise TrainingError(
                f"--side-kernels names {', '.join(map(str, self.side_kernels))}; it wants {SIDES} "
                "odd sizes, one for each side output."
            )


def run(settings: Saliency, run: "Run") -> dict[str, Any]:
    """Trains; writes weights.safetensors, validation.txt and, of the held-out images,
    saliency/IMAGE.png.
    """
    from backend.networks.saliency import SaliencyNetwork
    from training import saliency_losses as losses
    from training.saliency_bench import MAPS, SaliencyBench

    bench = SaliencyBench(settings, run)
    network = bench.network(
        lambda classes: SaliencyNetwork(
            settings.backbone,
            stride=settings.stride or None,
            side_channels=settings.side_channels,
            side_layers=settings.side_layers,
            kernels=settings.side_kernels,
            carried=settings.carried,
            frozen_norm=settings.frozen_norm,
            head_start=settings.head_start,
            scales=settings.test_scales,
            flip=settings.test_flip,
        )
    )

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        images, masks = bench.sized(batch)
        seen = network(images)
        targets, known = losses.cells(masks, seen.fused.shape[2:])

        def loss(logits: "torch.Tensor") -> "torch.Tensor":
            found = losses.cross_entropy(logits, targets, known)
            if settings.overlap:
                found = found + settings.overlap * losses.overlap_loss(logits, targets, known)
            if settings.structure:
                found = found + settings.structure * losses.structure_loss(logits, targets, known)
            return found

        fused = loss(seen.fused)
        sides = sum((loss(side) for side in seen.sides), fused.new_zeros(()))
        error = (seen.fused.detach().float().sigmoid() - targets).abs() * known
        mae = error.sum() / known.sum().clamp(min=1)
        values = {"total": fused + settings.side_weight * sides, "fused": fused, "sides": sides}
        return values, {"training_mae": mae}

    trained, means = bench.learn(network, step)
    metrics = {"loss": means["total"], **bench.measure(trained, bench.held_out, MAPS)}
    unseen = bench.measure(trained, bench.unseen)
    metrics |= {f"unseen_{name}": value for name, value in unseen.items()}
    said = ", ".join(
        f"{title} {metrics[name]:.3f}"
        for name, title in (("mae", "MAE"), ("max_f", "max F"), ("s_measure", "S"))
        if name in metrics
    )
    if said:
        run.message(f"On {len(bench.held_out.items)} held-out images: {said}.")
    return bench.finish_saliency(trained, metrics)


RECIPE = Recipe(
    name="saliency",
    title="Saliency network (DSS)",
    summary="Learns what stands out, whatever its class, from binary masks or the masks of any "
    "class.",
    settings=Saliency,
    run=run,
    takes=("masks",),
    makes=("weights",),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
