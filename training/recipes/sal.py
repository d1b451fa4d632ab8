"""SAL: a segmenter taught by the proxy masks that score well, and by every image's tags.

Zhou et al., SAL: Selection and Attention Losses for Weakly Supervised Semantic Segmentation.
Numbers marked (C) are those of the released code, which has neither scores nor the gate.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from backend.policies import BY, CURATED, POLICIES
from training.mask_learning import MaskLearning
from training.options import option, restated
from training.recipes import BACKBONES, Preview, Recipe

if TYPE_CHECKING:
    from torch import nn

    from training.data import Batch
    from training.loop import Values
    from training.run import Run

KIND = "sal"
# What the paper has another number for on ResNet-101: the rest, and a ResNet.
RATE = (1e-3, 1e-4)
STEPS = (27_000, 15_000)
# DeepLab's head on ResNet has no fc6 and fc7. The squeeze is our own: on 2,048 channels the
# release's branches would make a step half as long again.
HEAD_CHANNELS = (1024, 0)
SQUEEZE = (0, 256)


@dataclass(frozen=True)
class Sal(MaskLearning):
    """The paper's numbers; `light` trains in minutes on two cores, `scenes` suits Scenes."""

    from_: str = option(
        "",
        "the folder of a run whose labels/IMAGE.png are the proposed masks, of dsrg or any other "
        "method; without it the candidates of the snapshot in --data",
        section="SAL III-A",
    )
    scores: str = option(
        "",
        "the scores of these masks: what `score` wrote, or its scores.jsonl; without it those "
        "beside the labels, or of the snapshot's candidates",
    )
    policy: str = option(
        CURATED,
        "whose masks teach: curated: by decisions of a snapshot, and by score where nobody "
        "decided; accepted-only; scores-only: as if nobody had decided. --dry-run counts them",
        choices=tuple(POLICIES),
    )
    by: str = option(
        "SF", "the score that is gone by: fine or coarse", section="SAL III-B", choices=BY
    )
    tau: float = option(
        -1.0,
        "the least score of a mask that teaches; -1: 0.55, and on a ResNet 0.85 of SF, 0.8 of SC",
        section="SAL IV-C",
        minimum=-1,
        maximum=1,
    )
    keep: int = option(
        0, "choose tau so that this many masks reach it; 0: by --tau", section="SAL IV", minimum=0
    )
    selection: bool = option(
        True,
        "the selection loss goes by scores; without it every proposed mask weighs 1",
        section="SAL VII",
    )
    attention: bool = option(
        True,
        "the attention subnetwork, its loss and its gate; without it DeepLab alone",
        section="SAL VII",
    )
    lambda_: float = option(
        2.0, "weight of the attention loss", section="SAL IV-A, VIII", minimum=0, maximum=1000
    )
    branches: tuple[int, ...] = option(
        (1, 3, 6, 9),
        "the attention subnetwork's branches, by their dilation in cells",
        section="SAL III-C, V",
        minimum=1,
        maximum=64,
    )
    branch_sum: str = option(
        "sum",
        "sum: of all branches; mean: the first and the mean of the others (C)",
        section="SAL Eq. 10",
        choices=("sum", "mean"),
    )
    attention_channels: int = option(
        256,
        "of each branch before its classes (C); 0: a 3x3 layer that classifies itself, which "
        "learns in fewer steps",
        minimum=0,
        maximum=4096,
        light=0,
        scenes=0,
    )
    attention_squeeze: int = option(
        -1,
        "channels that a 1x1 layer before the branches leaves of the trunk's; 0: no such layer; "
        "-1: none, 256 on a ResNet",
        minimum=-1,
        maximum=4096,
        light=0,
        scenes=0,
    )
    strong: str = option(
        "",
        "a list of ImageSets/Segmentation: its images are learnt from their true masks instead",
        section="SAL IX",
    )
    begin_with: str = option(
        "",
        "a trained segmenter (a run's folder or a weights file) whose layers and normalisation "
        "training begins with, its classes by name. Without it the trunk has --weights and the "
        "rest is new",
    )
    retrain_part: float = option(
        1.0,
        "the part of its steps that a training takes which begins with a trained segmenter",
        minimum=0.01,
        maximum=1,
        light=0.4,
        scenes=0.4,
    )
    labels: bool = option(
        True, "write labels/IMAGE.png, what the trained network labels in the images of --data"
    )
    limit_to_tags: bool = option(True, "these labels hold an image's tags alone, where it has any")

    head: str = restated(
        MaskLearning, "head", "aspp", "SAL IV-A", light="largefov", scenes="largefov"
    )
    head_channels: int = option(
        -1,
        "of fc6 and fc7; 0: the 3x3 layers classify themselves; -1: 1024, 0 on a ResNet (DeepLab)",
        minimum=-1,
        maximum=4096,
        light=256,
        scenes=128,
    )
    size: int = restated(MaskLearning, "size", 321, "SAL IV-G")
    batch: int = restated(MaskLearning, "batch", 7, "SAL IV-A")
    steps: int = option(
        -1,
        "steps in all; 0: --epochs; -1: 27,000, and 15,000 on a ResNet",
        section="SAL IV-A",
        minimum=-1,
        maximum=100_000_000,
        light=0,
        scenes=0,
    )
    epochs: int = restated(MaskLearning, "epochs", 20, light=20)
    learning_rate: float = option(
        0.0,
        "of the trunk; its biases x2; 0: 1e-3, and 1e-4 on a ResNet",
        section="SAL IV-A",
        minimum=0,
        light=3e-3,
        scenes=2e-3,
    )
    momentum: float = restated(MaskLearning, "momentum", 0.9, "SAL IV-A")
    weight_decay: float = restated(MaskLearning, "weight_decay", 5e-4, "SAL IV-A")
    dropout: float = restated(MaskLearning, "dropout", 0.5, "SAL IV-A")
    schedule: str = restated(MaskLearning, "schedule", "poly", "SAL Eq. 15", light="poly")


def settled(settings: Sal, images: int) -> Sal:
    """The settings with what the paper has for this trunk in the place of what is left open.

    images: how many there are in all. Epochs become steps over all of them, so that a selection
    makes no training shorter.
    """
    own = int(settings.backbone.startswith("resnet"))
    steps = settings.steps
    if steps <= 0:
        an_epoch = -(-max(1, round(images * settings.part)) // settings.batch)
        steps = STEPS[own] if steps < 0 else settings.epochs * an_epoch
        if settings.begin_with:
            steps = max(1, round(settings.retrain_part * steps))
    head, squeeze = settings.head_channels, settings.attention_squeeze
    return replace(
        settings,
        attention=settings.attention and bool(settings.branches),
        steps=steps,
        learning_rate=settings.learning_rate or RATE[own],
        head_channels=HEAD_CHANNELS[own] if head < 0 else head,
        attention_squeeze=SQUEEZE[own] if squeeze < 0 else squeeze,
    )


def preview(settings: Sal, run: "Run") -> Preview:
    """How many images each rule of the policy takes; nothing is trained or written."""
    from training.earlier_network import require_alone, require_fitting
    from training.selection import select

    if settings.begin_with:
        require_alone(settings.begin_with, settings.weights)
        require_fitting(settings.begin_with, settings.backbone)
    chosen = select(settings, run)
    return Preview(chosen.text(), chosen.told())


def run(settings: Sal, run: "Run") -> dict[str, Any]:
    """Trains; writes weights.safetensors, weights.jsonl, and labels/IMAGE.png as the network labels
    --data."""
    from training.earlier_network import begin_with, require_alone, require_fitting
    from training.run import write_provenance
    from training.salnet import SalBench, masked, origin_of, salnet
    from training.selection import select

    if settings.begin_with:
        require_alone(settings.begin_with, settings.weights)
        require_fitting(settings.begin_with, settings.backbone)
        # All of the trunk is taken, and it wants images normalised as it has learnt them.
        settings = replace(settings, weights=settings.begin_with)
    chosen = select(settings, run)
    run.message(chosen.text())
    settings = settled(settings, len(chosen.source.items))
    learnt = masked(chosen, run, tags_teach=settings.attention)
    learnt.origin.update(origin_of(settings.from_), selection=chosen.told())
    bench = SalBench(settings, run, chosen, learnt)
    network = bench.network(lambda classes: salnet(settings, classes))
    if settings.begin_with:
        bench.origin["begun"] = begin_with(network, bench.classes, settings.begin_with, run)
        write_provenance(run.folder, bench.origin)

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        found = bench.losses(network(bench.normalisation.batch(batch.images)), batch)
        measures = {"pixel_accuracy": found.right}
        if found.attention is None:
            return {"total": found.selection}, measures
        total = found.selection + settings.lambda_ * found.attention
        parts = {"selection": found.selection, "attention": found.attention}
        return {"total": total, **parts}, measures

    trained, means = bench.fit(network, step)
    written = 0
    if settings.labels:
        written = bench.export_labels(trained, limit_to_tags=settings.limit_to_tags).files
    metrics = {
        "loss": means["total"],
        "pixel_accuracy": means["pixel_accuracy"],
        "masks": float(learnt.origin["masks"]),
        **({} if chosen.tau is None else {"tau": chosen.tau}),
        **bench.validate(trained),
    }
    return bench.finish_segmenter(trained, KIND, metrics, written)


RECIPE = Recipe(
    name="sal",
    title="Segmenter from chosen masks (SAL)",
    summary="Learns the masks that score well or were accepted, and every image's tags beside.",
    settings=Sal,
    run=run,
    preview=preview,
    takes=("masks", "runs", "tags"),
    makes=("weights", "labels"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
