"""DCSP: attention and saliency together mark the pixels of each class, and one network learns both.

Chaudhry et al., Discovering Class-Specific Pixels for Weakly-Supervised Semantic Segmentation (BMVC
2017). (C) marks what its released code says.
"""

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError
from training.mask_learning import MaskLearning
from training.options import option, restated
from training.recipes import BACKBONES, Recipe

if TYPE_CHECKING:
    import torch
    from torch import nn

    from backend.networks.fcan import Fcan, FcanOutput
    from training.class_pixels import CueMaker
    from training.data import Batch
    from training.loop import Values
    from training.phased import PhasedBench
    from training.run import Run

KIND = "dcsp"
FCAN = "fcan"
MOST_LEVELLED = 200  # batches


@dataclass(frozen=True)
class Dcsp(MaskLearning):
    """The paper's numbers (section 5.1); `light` trains in minutes on two cores, `scenes` suits
    Scenes.
    """

    from_: str = option(
        "",
        "a run of dcsp over the same images whose attention network is taken; without it one is "
        "trained first",
    )
    fcan_steps: int = option(
        30000,
        "steps of the attention network; 0: --fcan-epochs",
        section="DCSP 5.1",
        minimum=0,
        light=0,
        scenes=0,
    )
    fcan_epochs: int = option(
        15,
        "passes of the attention network, where --fcan-steps is 0",
        minimum=1,
        maximum=100_000,
        light=16,
        scenes=12,
    )
    fcan_layers: str = option(
        "all",
        "what the attention network learns: all layers, or last: those after the trunk (C)",
        choices=("all", "last"),
    )
    pooling: str = option(
        "average",
        "from attention to scores, over the whole map",
        section="DCSP 4.1",
        choices=("average", "max"),
    )
    attention: str = option(
        "minmax",
        "minmax: each attention map from its minimum to its maximum; positive: what speaks against "
        "a class counts as nothing first",
        section="DCSP 4.1",
        choices=("minmax", "positive"),
    )
    saliency: str = option(
        "classical",
        "classical; network:NAME of shipped weights, of a file or a run of the recipe saliency; or "
        "folder:DIR of grey maps named as the images",
    )
    erasing_steps: int = option(
        3,
        "looks at an image for saliency, each after what was found was erased: 1 is S1, 3 is S3",
        section="DCSP 4.2",
        minimum=1,
        maximum=9,
    )
    erase_above: tuple[float, ...] = option(
        (0.7, 0.8),
        "the saliency that is erased before the second and each further look",
        section="DCSP 5.1",
        minimum=0,
        maximum=1,
    )
    processes: int = option(
        0, "that compute saliency; 0: as many as there are cores", minimum=0, maximum=256
    )
    gamma: float = option(
        0.4, "what the mean asks of a foreground pixel", section="DCSP 5.1", minimum=0, maximum=1
    )
    mean: str = option(
        "harmonic",
        "of attention and saliency",
        section="DCSP 4.2",
        choices=("harmonic", "arithmetic", "geometric"),
    )
    joint: bool = option(
        True,
        "train on the cues; without it labels come of attention and saliency alone",
        section="DCSP Table 4",
    )
    level_logits: bool = option(
        False,
        "before the joint training, bring the logits, which the tags alone have taught, to mean 0 "
        "and deviation 1, and the class maps to deviation 1; what they say of the tags stays",
        light=True,
    )
    classification_loss: bool = option(True, "l_c of the joint training", section="DCSP Eq. 2")
    segmentation_loss: bool = option(True, "l_s of the joint training", section="DCSP Eq. 2")
    gradient: str = option(
        "joint",
        "joint: both losses reach the trunk; released: the classification loss ends at the last "
        "layer (C)",
        section="DCSP 4.3",
        choices=("joint", "released"),
    )
    adapt: int = option(
        1,
        "how often the cues are taken anew from the network, each time with a further round of "
        "training",
        section="DCSP 4.3",
        minimum=0,
        maximum=2,
    )

    backbone: str = restated(MaskLearning, "backbone", "resnet101", "DCSP 5.1")
    head: str = restated(
        MaskLearning, "head", "aspp", "DCSP 5.1 (DeepLab-v2)", light="aspp", scenes="aspp"
    )
    # On 28 x 28 cells a dilation of 12 mostly sees padding.
    spread: float = restated(MaskLearning, "spread", 1.0, light=0.34, scenes=0.5)
    head_channels: int = restated(
        MaskLearning, "head_channels", 0, "DCSP 5.1 (DeepLab-v2)", light=0, scenes=64
    )
    # Two linear layers of N(0, 0.01) in a row let hardly any gradient through at first.
    head_start: str = restated(MaskLearning, "head_start", "gauss", light="he", scenes="he")
    size: int = restated(MaskLearning, "size", 321, "DCSP 5.1", light=224, scenes=96)
    batch: int = restated(MaskLearning, "batch", 10, "DCSP 5.1", light=10, scenes=32)
    steps: int = restated(MaskLearning, "steps", 10000, "DCSP 5.1: each round", light=0, scenes=0)
    epochs: int = restated(MaskLearning, "epochs", 8, light=20, scenes=6)
    learning_rate: float = restated(MaskLearning, "learning_rate", 1e-3, "DCSP 5.1", light=1e-3)
    momentum: float = restated(MaskLearning, "momentum", 0.9, "DCSP 5.1")
    weight_decay: float = restated(MaskLearning, "weight_decay", 5e-4, "DCSP 5.1")
    test_scales: tuple[float, ...] = restated(
        MaskLearning,
        "test_scales",
        (1.0, 0.75, 0.5),
        "DCSP 5.1",
        light=(1.0, 0.75, 0.5),
        scenes=(1.0, 0.75, 0.5),
    )
    test_fusion: str = restated(
        MaskLearning, "test_fusion", "max", "DCSP 5.1", light="max", scenes="max"
    )

    @property
    def thresholds(self) -> tuple[float, ...]:
        """What is erased before the second and each further look."""
        return self.erase_above[: self.erasing_steps - 1]

    def __post_init__(self) -> None:
        if self.erasing_steps > 1 + len(self.erase_above):
            raise TrainingError(
                f"--erasing-steps is {self.erasing_steps}, which wants {self.erasing_steps - 1} "
                f"numbers in --erase-above, but there are {len(self.erase_above)}."
            )
        if not (self.classification_loss or self.segmentation_loss):
            raise TrainingError(
                "--no-classification-loss and --no-segmentation-loss leave nothing to learn; "
                "--no-joint is a run without joint training."
            )


def run(settings: Dcsp, run: "Run") -> dict[str, Any]:
    """Attention network, cues, joint training, adaptation. Writes weights.safetensors,
    maps/IMAGE/CLASS.png, saliency/IMAGE.png and labels/IMAGE.png, the cues last learnt from."""
    from training.class_pixels import CueMaker

    bench = open_bench(settings, run)
    maker = CueMaker(bench, settings.gamma, settings.mean)  # type: ignore[arg-type]
    maker.choose_saliency(settings.saliency, settings.thresholds, settings.processes)
    network, metrics = attention_network(settings, bench)
    metrics |= maker.first_cues(network)
    if settings.joint:
        network, found = joint_rounds(settings, bench, maker, network)
    else:
        found = maker.label_without_joint(network)
    told = bench.finish_segmenter(network, KIND, metrics | found, maker.publish())
    return {**told, "maps": maker.maps}


def open_bench(settings: Dcsp, run: "Run") -> "PhasedBench":
    """The tagged images, without any mask that comes with them, and the phases of the run."""
    from training.masks import Masked
    from training.phased import PhasedBench
    from training.phases import Phase
    from training.sources import open_tagged

    source, class_ids = open_tagged(run)
    bare = replace(source, items=[replace(item, mask=None) for item in source.items])
    fcan = (0, 0) if settings.from_ else (settings.fcan_steps, settings.fcan_epochs)
    rounds = settings.adapt + 1 if settings.joint else 0
    phases = [
        Phase(1, FCAN, *fcan),
        *(Phase(2 + each, joint(each), settings.steps, settings.epochs) for each in range(rounds)),
    ]
    return PhasedBench(settings, run, Masked(bare, bare, class_ids, {"of": "cues"}), phases, KIND)


def attention_network(settings: Dcsp, bench: "PhasedBench") -> "tuple[Fcan, dict[str, float]]":
    """Phase 1: the network learns the tags (Eq. 1), or is that of the run --from."""
    from torch.nn.functional import multilabel_soft_margin_loss

    network = bench.network(lambda classes: untrained(settings, classes))
    if settings.from_:
        bench.take(FCAN, Path(settings.from_), network)
    if settings.fcan_layers == "last":
        network.backbone.requires_grad_(False)
        # Nor may its statistics move. What goes on is built anew from the file of this phase.
        network.backbone.frozen_norm = True

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        seen = network(bench.normalisation.batch(batch.images))
        loss = multilabel_soft_margin_loss(seen.scores, batch.tags)
        return {"total": loss, "classification": loss}, {"tag_accuracy": right_tags(seen, batch)}

    return bench.train(FCAN, network, step, by_masks=False)


def joint_rounds(
    settings: Dcsp, bench: "PhasedBench", maker: "CueMaker", network: "Fcan"
) -> "tuple[Fcan, dict[str, float]]":
    """Phases 3 and 4: rounds of joint training (Eq. 2). Between two of them the cues are taken anew
    from the network: the strongest of background and tags at each pixel.
    """
    import torch
    from torch.nn.functional import multilabel_soft_margin_loss

    last_alone = settings.gradient == "released"

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        seen = network(bench.normalisation.batch(batch.images), last_alone=last_alone)
        losses, measures = {}, {"tag_accuracy": right_tags(seen, batch)}
        if settings.classification_loss:
            losses["classification"] = multilabel_soft_margin_loss(seen.scores, batch.tags)
        if settings.segmentation_loss:
            losses["segmentation"], measures["pixel_accuracy"] = bench.loss(
                seen.segmentation, batch
            )
        return {"total": torch.stack([*losses.values()]).sum(), **losses}, measures

    metrics: dict[str, float] = {}
    if settings.level_logits and not bench.is_finished(joint(0)):
        level(network, bench)
    network.segments = True
    for each in range(settings.adapt + 1):
        if each:
            metrics |= maker.adapted_cues(network, each)
        bench.learn_from(maker.labelled, joint(each))
        network, told = bench.train(joint(each), network, step, measure=bench.validate)
        if "miou" in told:
            metrics[f"miou_round_{each}"] = told["miou"]
        metrics |= told
    return network, metrics


def level(network: "Fcan", bench: "PhasedBench") -> None:
    """Brings logits and maps to a scale at which l_c and l_s can begin together, over a pass of
    training samples.

    The tags leave them at any: l_s then begins far above chance and undoes the trunk within an
    epoch, or l_c does not let it move (docs/decisions/0010).
    """
    import torch

    cells = 0
    total = products = torch.zeros(())
    for batch in islice(bench.batches.epoch(0), MOST_LEVELLED):
        bench.run.check()
        images = bench.normalisation.batch(batch.images)
        with torch.inference_mode():
            logits = network(bench.fabric.to_device(images)).segmentation
        flat = logits.transpose(0, 1).flatten(1).double()
        cells += flat.shape[1]
        total = total.to(flat) + flat.sum(dim=1)
        products = products.to(flat) + flat @ flat.T
    mean = total / cells
    network.level(mean, products / cells - torch.outer(mean, mean))


def untrained(settings: Dcsp, classes: int) -> "Fcan":
    """The network of these settings, which knows nothing to segment yet."""
    from backend.networks.fcan import Fcan
    from training.networks import trunk_of
    from training.segmenting import dilations

    return Fcan(
        settings.backbone,
        classes,
        **trunk_of(settings),
        rates=dilations(settings),
        channels=settings.head_channels,
        pooling=settings.pooling,
        positive=settings.attention == "positive",
        segments=False,
    )


def right_tags(seen: "FcanOutput", batch: "Batch") -> "torch.Tensor":
    """The part of (image, class) pairs that are decided as the tags say."""
    return ((seen.scores.detach() > 0) == batch.tags.bool()).float().mean()


def joint(number: int) -> str:
    """The name of a round's phase."""
    return f"joint-{number}"


RECIPE = Recipe(
    name="dcsp",
    title="Class-specific pixels (DCSP)",
    summary="Attention and saliency mark each tag's pixels; one network learns the tags and these "
    "labels together, then corrects the labels itself.",
    settings=Dcsp,
    run=run,
    takes=("tags",),
    makes=("weights", "maps", "labels"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
