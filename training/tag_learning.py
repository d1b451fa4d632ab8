"""The numbers that every recipe shares which learns from tags: trunk, samples, steps, maps.

A recipe states again, with its section, what its paper gives.
"""

from dataclasses import dataclass

from training.machine import Machine
from training.options import option
from training.recipes import BACKBONES


@dataclass(frozen=True)
class TagLearning(Machine):
    """The defaults are those of the papers on VGG16; `light` trains in minutes on two cores with
    photographs, `scenes` suits Scenes.
    """

    backbone: str = option(
        "vgg16", "the trunk", choices=BACKBONES, light="squeezenet1_1", scenes="slim"
    )
    weights: str = option(
        "",
        "the trunk's initial weights: a file, a shipped name, or none for random ones; without it "
        "the first that fits of the shipped ones, $TAGMASK_WEIGHTS, DATA/../weights, torch's cache",
    )
    stride: int = option(0, "pixels a cell of the maps; 0: the trunk's finest", minimum=0)
    head_start: str = option(
        "gauss",
        "how new layers begin: gauss: N(0, 0.01) (C); he: as wide as their input asks, for a trunk "
        "that begins at random too",
        choices=("gauss", "he"),
        scenes="he",
    )
    dropout: float = option(0.0, "before the class maps", minimum=0, maximum=0.95)
    frozen_norm: bool = option(False, "keep batch normalisation as loaded")

    part: float = option(
        1.0, "the part of the images to learn from, drawn by the seed", minimum=0.001, maximum=1
    )
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

    batch: int = option(16, "images a step", minimum=1, maximum=4096, light=16, scenes=32)
    steps: int = option(
        30000, "steps in all; 0: --epochs", minimum=0, maximum=100_000_000, light=0, scenes=0
    )
    epochs: int = option(
        15, "passes over the images, where --steps is 0", minimum=1, maximum=100_000, scenes=12
    )
    optimiser: str = option("sgd", "what takes the steps", choices=("sgd", "adamw"), scenes="adamw")
    learning_rate: float = option(1e-3, "of the trunk; its biases x2", minimum=0, scenes=2e-3)
    new_rate: float = option(10.0, "the new layers' rate, times (C)", minimum=0, scenes=1.0)
    momentum: float = option(0.9, "of SGD", minimum=0, maximum=0.999)
    weight_decay: float = option(2e-4, "on weights, not biases", minimum=0, scenes=1e-2)
    schedule: str = option(
        "step",
        "step: the rate divided by 10 at DECAY_AT; poly: falling to 0; constant",
        choices=("step", "poly", "constant"),
        scenes="poly",
    )
    decay_at: float = option(2 / 3, "the part of the run", minimum=0, maximum=1)
    warmup: int = option(0, "steps in which the rate rises to its value", minimum=0, scenes=100)
    clip: float = option(0.0, "the gradient's largest norm; 0: no limit", minimum=0)

    watch_every: int = option(
        0,
        "steps between two looks at example maps, for the film and the map mIoU; 0: at most 20 "
        "looks a run, at least 10 steps apart; -1: never",
        minimum=-1,
    )
    watch_images: int = option(24, "images looked at", minimum=1, maximum=1000)

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


@dataclass(frozen=True)
class WithHead(TagLearning):
    """Of a network that has 3x3 layers of its own between the trunk and the classes."""

    head_layers: int = option(3, "3x3 layers on the trunk", minimum=0, maximum=8, light=1, scenes=1)
    head_channels: int = option(
        512, "their channels (C)", minimum=1, maximum=4096, light=256, scenes=128
    )
