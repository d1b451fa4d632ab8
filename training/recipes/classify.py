"""OAA's classification network, trained from tags alone; its class maps are the CAMs.

Jiang et al., Integral Object Mining via Online Attention Accumulation (ICCV 2019), sections 3.1 and
4.1. Every later method starts from these maps. Numbers marked (C) are those of the released code.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.machine import Machine
from training.options import option
from training.recipes import BACKBONES, Recipe

if TYPE_CHECKING:
    from torch import nn

    from training.data import Batch
    from training.loop import Values
    from training.run import Run


@dataclass(frozen=True)
class Classify(Machine):
    """The paper's numbers; `light` trains in minutes on two cores, `scenes` suits Scenes."""

    backbone: str = option(
        "vgg16",
        "the trunk",
        section="OAA 4.1",
        choices=BACKBONES,
        light="squeezenet1_1",
        scenes="slim",
    )
    weights: str = option(
        "",
        "the trunk's initial weights: a file, a shipped name, or none for random ones; without it "
        "the first that fits of the shipped ones, $TAGMASK_WEIGHTS, DATA/../weights, torch's cache",
    )
    stride: int = option(0, "pixels a cell of the maps; 0: the trunk's finest", minimum=0)
    head_layers: int = option(
        3, "3x3 layers on the trunk", section="OAA 3.1", minimum=0, maximum=8, light=1, scenes=1
    )
    head_channels: int = option(
        512, "their channels (C)", minimum=1, maximum=4096, light=256, scenes=128
    )
    head_start: str = option(
        "gauss",
        "how new layers begin: gauss: N(0, 0.01) (C); he: as wide as their input asks, for a trunk "
        "that begins at random too",
        choices=("gauss", "he"),
        scenes="he",
    )
    dropout: float = option(0.0, "before the class maps", minimum=0, maximum=0.95)
    frozen_norm: bool = option(False, "keep batch normalisation as loaded")

    size: int = option(224, "pixels a side of a sample (C)", minimum=32, maximum=2048, scenes=96)
    crop: str = option(
        "scale",
        "whole: squashed to the square; area: a box of CROP_LEAST..1 of the image's area; scale: "
        "resized to CROP_LEAST..CROP_MOST times the size, then cut",
        choices=("whole", "area", "scale"),
        light="area",
        scenes="area",
    )
    crop_least: float = option(
        1.15, "see --crop (C)", minimum=0.05, maximum=4, light=0.4, scenes=0.5
    )
    crop_most: float = option(1.15, "see --crop (C)", minimum=0.05, maximum=4, light=1, scenes=1)
    flip: bool = option(True, "mirror every other sample")
    jitter: float = option(
        0.0, "brightness, contrast, saturation by up to this part", minimum=0, maximum=0.9
    )

    batch: int = option(
        5, "images a step", section="OAA 4.1", minimum=1, maximum=4096, light=16, scenes=32
    )
    steps: int = option(
        30000, "steps in all; 0: --epochs", section="OAA 4.1", minimum=0, light=0, scenes=0
    )
    epochs: int = option(
        15, "passes over the images, where --steps is 0", minimum=1, maximum=100_000, scenes=12
    )
    optimiser: str = option(
        "sgd", "what takes the steps", section="OAA 4.1", choices=("sgd", "adamw"), scenes="adamw"
    )
    learning_rate: float = option(
        1e-3, "of the trunk; its biases x2", section="OAA 4.1", minimum=0, scenes=2e-3
    )
    new_rate: float = option(10.0, "the new layers' rate, times (C)", minimum=0, scenes=1.0)
    momentum: float = option(0.9, "of SGD", section="OAA 4.1", minimum=0, maximum=0.999)
    weight_decay: float = option(
        2e-4, "on weights, not biases", section="OAA 4.1", minimum=0, scenes=1e-2
    )
    schedule: str = option(
        "step",
        "step: the rate divided by 10 at DECAY_AT; poly: falling to 0; constant",
        section="OAA 4.1",
        choices=("step", "poly", "constant"),
        scenes="poly",
    )
    decay_at: float = option(
        2 / 3, "the part of the run, 20,000 of 30,000", section="OAA 4.1", minimum=0, maximum=1
    )
    warmup: int = option(0, "steps in which the rate rises to its value", minimum=0, scenes=100)
    clip: float = option(0.0, "the gradient's largest norm; 0: no limit", minimum=0)

    map_scales: tuple[float, ...] = option(
        (1.0,),
        "sizes at which the final maps are looked for, as parts of --size",
        minimum=0.1,
        maximum=4,
        light=(0.6, 0.8, 1.0, 1.2),
    )
    map_flip: bool = option(False, "fuse with the maps of the mirrored image", light=True)
    map_fusion: str = option("max", "how the views' maps become one", choices=("max", "mean"))
    map_size: str = option("feature", "resolution of the map files", choices=("feature", "image"))


def run(settings: Classify, run: "Run") -> dict[str, Any]:
    """Trains, then writes weights.safetensors and maps/IMAGE/CLASS.png."""
    import torch
    from torch.nn.functional import multilabel_soft_margin_loss

    from training.data import Batches, TaggedImages
    from training.loop import Plan, fit
    from training.machine import open_fabric
    from training.maps_export import Looks, export_maps, measure_maps
    from training.networks import WEIGHTS, new_classifier, save_classifier
    from training.run import write_provenance
    from training.sources import described, open_tagged
    from training.views import Augmentation

    torch.manual_seed(run.seed)
    fabric = open_fabric(settings)
    source, class_ids = open_tagged(run)
    network, normalisation, origin = new_classifier(settings, len(class_ids), run)
    write_provenance(run.folder, {"trunk": origin, "data": described(source)})

    augmentation = Augmentation(
        size=settings.size,
        crop=settings.crop,
        least=settings.crop_least,
        most=settings.crop_most,
        flip=settings.flip,
        jitter=settings.jitter,
        fill=normalisation.mean_colour,
    )
    images = TaggedImages(source, class_ids, augmentation, cache_bytes=settings.cache_mb << 20)
    batches = Batches(
        images,
        settings.batch,
        run.seed,
        workers=settings.workers,
        pin_memory=fabric.device.type == "cuda",
    )
    groups = network.parameter_groups(
        settings.learning_rate, settings.weight_decay, new_factor=settings.new_rate
    )
    optimiser: torch.optim.Optimizer
    if settings.optimiser == "adamw":
        optimiser = torch.optim.AdamW(groups)
    else:
        optimiser = torch.optim.SGD(groups, momentum=settings.momentum)

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        scores = network(normalisation.batch(batch.images)).scores
        loss = multilabel_soft_margin_loss(scores, batch.tags)
        right = ((scores.detach() > 0) == batch.tags.bool()).float().mean()
        return {"total": loss}, {"tag_accuracy": right}

    plan = Plan(
        epochs=settings.epochs,
        steps=settings.steps,
        schedule=settings.schedule,
        decay_at=settings.decay_at,
        warmup=settings.warmup,
        clip=settings.clip,
    )
    trained, means = fit(
        run,
        fabric,
        network,
        optimiser,
        batches,
        step,
        plan,
        checkpoint_every=settings.checkpoint_every,
        lower=f"--batch (now {settings.batch}) or --size (now {settings.size})",
    )

    looks = Looks(
        settings.size,
        settings.map_scales,
        settings.map_flip,
        settings.map_fusion,
        settings.map_size,
    )
    maps = run.folder / "maps"
    exported = export_maps(run, fabric, trained, source, class_ids, normalisation, looks, maps)
    metrics = {
        "loss": means["total"],
        "tag_accuracy": exported.tag_accuracy,
        **measure_maps(source, class_ids, maps),
    }
    save_classifier(
        run,
        trained,
        {id: source.classes[id] for id in class_ids},
        normalisation,
        settings.size,
        {"trunk": origin, "data": described(source), "metrics": metrics},
    )
    return {"metrics": metrics, "weights": WEIGHTS, "maps": exported.maps, "labels": 0}


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
