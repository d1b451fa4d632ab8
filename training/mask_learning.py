"""The numbers that every recipe shares which learns from masks: head, samples, steps, predictions.

The defaults are DeepLab's as the papers use it. What `TagLearning` says of maps is not asked here:
a segmenter's outputs are labels.
"""

from dataclasses import dataclass

from training.options import option, restated
from training.tag_learning import TagLearning

FUSIONS = ("mean", "max")


@dataclass(frozen=True)
class MaskLearning(TagLearning):
    """The papers' numbers on VGG16; `light` trains in minutes on two cores with photographs,
    `scenes` suits Scenes.
    """

    head: str = option(
        "largefov",
        "largefov: one dilated 3x3 layer; aspp: four of other dilations, summed",
        section="SeeNet 5.1, OAA 4.1; aspp: DCSP 5.1",
        choices=("largefov", "aspp"),
    )
    rates: tuple[int, ...] = option(
        (),
        "dilations of the head's layers, in cells; none: 12, or 6,12,18,24 with --head aspp, times "
        "SPREAD",
        minimum=1,
        maximum=64,
    )
    spread: float = option(
        1.0,
        "what the head's own dilations are multiplied by: a smaller sample has fewer cells",
        minimum=0.05,
        maximum=4,
        light=0.5,
        scenes=0.5,
    )
    head_channels: int = option(
        1024,
        "of fc6 and fc7; 0: the 3x3 layers classify themselves, as DeepLab's on ResNet-101",
        minimum=0,
        maximum=4096,
        light=256,
        scenes=128,
    )
    loss_size: str = option(
        "feature",
        "where the loss is taken: feature: labels are made as small as the logits, as DeepLab "
        "does; image: logits are made as large as the labels",
        choices=("feature", "image"),
    )

    backbone: str = restated(TagLearning, "backbone", "vgg16", "SeeNet 5.1, OAA 4.1, ECS-Net 4.5")
    dropout: float = restated(TagLearning, "dropout", 0.5, "DeepLab")
    frozen_norm: bool = restated(TagLearning, "frozen_norm", True, "DeepLab", scenes=False)
    size: int = restated(TagLearning, "size", 321, "DCSP 5.1, ECS-Net 4.5", light=224)
    crop: str = restated(TagLearning, "crop", "scale", "DCSP 5.1", light="scale", scenes="scale")
    crop_least: float = restated(
        TagLearning, "crop_least", 0.58, "DeepLab: 0.5 of 375 pixels", light=0.75, scenes=0.9
    )
    crop_most: float = restated(
        TagLearning, "crop_most", 1.75, "DeepLab: 1.5 of 375 pixels", light=1.25, scenes=1.2
    )
    batch: int = restated(TagLearning, "batch", 10, "OAA 4.1, DCSP 5.1, ECS-Net 4.5", light=10)
    steps: int = restated(TagLearning, "steps", 15000, "OAA 4.1; DCSP 5.1: 10,000")
    epochs: int = restated(TagLearning, "epochs", 20, "ECS-Net 4.5", light=20)
    learning_rate: float = restated(
        TagLearning, "learning_rate", 1e-3, "DCSP 5.1, ECS-Net 4.5 (DeepLab)", light=3e-3
    )
    weight_decay: float = restated(TagLearning, "weight_decay", 5e-4, "DCSP 5.1 (DeepLab)")
    schedule: str = restated(
        TagLearning, "schedule", "poly", "DCSP 5.1, ECS-Net 4.5 (DeepLab)", light="poly"
    )

    clip: float = restated(TagLearning, "clip", 0.0, light=5.0)

    test_size: int = option(
        0,
        "pixels of the shorter side at scale 1 when the network is used; 0: the image's own size",
        minimum=0,
        maximum=2048,
        light=224,
        scenes=96,
    )
    test_scales: tuple[float, ...] = option(
        (1.0,),
        "sizes at which the labels of the training images are looked for, as parts of --test-size",
        minimum=0.1,
        maximum=4,
    )
    test_flip: bool = option(False, "look at the mirrored image too")
    test_fusion: str = option(
        "mean",
        "how the views become one: the mean of the probabilities or the maximum of the logits",
        section="max: DCSP 5.1",
        choices=FUSIONS,
    )

    # Fields of TagLearning that are about maps, without which its bench would not do: no options.
    map_scales: tuple[float, ...] = (1.0,)
    map_flip: bool = False
    map_fusion: str = "max"
    map_size: str = "feature"
