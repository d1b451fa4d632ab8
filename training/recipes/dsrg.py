"""SEC and DSRG: a segmenter taught by a few cues of each tag; the initial proxies of SAL.

Kolesnikov and Lampert, Seed, Expand and Constrain (ECCV 2016); Huang et al., Weakly-Supervised
Semantic Segmentation Network with Deep Seeded Region Growing (CVPR 2018), as SAL uses them
(section III-A). Numbers marked (C) are those of DSRG's released code.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.mask_learning import MaskLearning
from training.options import option, restated
from training.recipes import BACKBONES, Recipe
from training.recipes.labels import CRF_PRESETS

if TYPE_CHECKING:
    from torch import nn

    from training.data import Batch
    from training.loop import Values
    from training.run import Run

# Where the two differ in how they are trained: images a step and the trunk's rate.
BATCH = {"sec": 15, "dsrg": 20}
RATE = {"sec": 1e-3, "dsrg": 5e-4}


@dataclass(frozen=True)
class Dsrg(MaskLearning):
    """The papers' numbers; `light` trains in minutes on two cores, `scenes` suits Scenes."""

    method: str = option(
        "dsrg",
        "dsrg: the cues grow while the network learns, background and tags count alike; sec: the "
        "cues stay, and each tag is pooled over the image",
        section="SAL III-A",
        choices=("dsrg", "sec"),
    )
    from_: str = option(
        "", "the folder of a run whose maps/IMAGE/CLASS.png the cues are cut out of"
    )
    saliency: str = option(
        "classical",
        "where the background's cues come from: classical; network:NAME of shipped weights, of a "
        "file or a run of the recipe saliency; or folder:DIR of grey maps named as the images",
    )
    cue_threshold: float = option(
        0.2, "attention that is a cue, in parts of its maximum", section="SEC", minimum=0, maximum=1
    )
    background_part: float = option(
        0.1,
        "the part of an image, the least salient, that is a cue of the background",
        section="SEC",
        minimum=0,
        maximum=1,
    )
    grow_foreground: float = option(
        0.85, "probability at which cues of a tag grow", section="DSRG", minimum=0, maximum=1
    )
    grow_background: float = option(
        0.99, "probability at which the background grows", section="DSRG", minimum=0, maximum=1
    )
    decay: float = option(
        0.996,
        "weight of each next cell, by rank, of a tag that sec pools, on 41x41 cells; on other "
        "grids as much of the image counts",
        section="SEC",
        minimum=0,
        maximum=1,
    )
    background_decay: float = option(
        0.999, "the same of the background", section="SEC", minimum=0, maximum=1
    )
    constrain: bool = option(
        True, "the loss that pulls towards the dense CRF's boundaries", section="SEC"
    )
    crf: str = option(
        "dsrg",
        "whose dense CRF refines the labels that are written",
        section="SEC, DSRG",
        choices=CRF_PRESETS,
    )
    limit_to_tags: bool = option(True, "these labels hold an image's tags alone, where it has any")

    size: int = restated(MaskLearning, "size", 321, "SEC, DSRG (C)")
    crop: str = restated(
        MaskLearning, "crop", "whole", "SEC, DSRG (C)", light="whole", scenes="whole"
    )
    batch: int = option(
        0,
        "images a step; 0: 15 for sec, 20 for dsrg",
        section="SEC; DSRG (C)",
        minimum=0,
        maximum=4096,
        light=10,
        scenes=32,
    )
    steps: int = restated(MaskLearning, "steps", 8000, "SEC; DSRG (C)")
    learning_rate: float = option(
        0.0,
        "of the trunk; its biases x2; 0: 1e-3 for sec, 5e-4 for dsrg",
        section="SEC; DSRG (C)",
        minimum=0,
        light=1e-3,
        scenes=2e-3,
    )
    weight_decay: float = restated(MaskLearning, "weight_decay", 5e-4, "SEC; DSRG (C)")
    dropout: float = restated(MaskLearning, "dropout", 0.5, "SEC; DSRG (C)")
    schedule: str = restated(MaskLearning, "schedule", "step", "SEC", light="poly")
    decay_at: float = restated(MaskLearning, "decay_at", 0.25, "SEC: after 2,000 of 8,000 steps")
    test_size: int = restated(MaskLearning, "test_size", 321, "SEC, DSRG (C)")

    # The losses are those of the network's own grid: no option.
    loss_size: str = "feature"


def run(settings: Dsrg, run: "Run") -> dict[str, Any]:
    """Trains; writes weights.safetensors, cues/IMAGE.png and labels/IMAGE.png of every image."""
    import torch

    from backend.maps import crf
    from backend.saliency import saliency_source
    from training import losses
    from training.boundary import Boundaries
    from training.earlier_run import require_ended
    from training.errors import TrainingError
    from training.label_quality import measure_labels
    from training.masks import LABELS, Masked
    from training.predictions import cores, predict
    from training.run import read_config
    from training.run_maps import RunMaps
    from training.seed_cues import CueBatches, CueMaker, grown, make_cues
    from training.seed_losses import as_seeds, decay_at, floored
    from training.segmenting import SegmentBench, channels_of, deeplab, fingerprint
    from training.sources import open_tagged

    if not settings.from_:
        raise TrainingError(
            "--from is missing: name the folder of a finished run that made attention maps, such "
            "as one of the recipe oaa."
        )
    earlier = Path(settings.from_)
    require_ended(earlier, read_config(earlier)["recipe"])
    if settings.constrain and crf.missing():
        raise TrainingError(f"{crf.missing()} --no-constrain trains without the boundary loss.")
    if settings.crf != "none" and crf.missing():
        raise TrainingError(
            f"{crf.missing()} --crf none leaves the labels as the network has them."
        )
    settings = replace(
        settings,
        batch=settings.batch or BATCH[settings.method],
        learning_rate=settings.learning_rate or RATE[settings.method],
    )
    # On no device, to ask only how large the network's grid is.
    with torch.device("meta"):
        seen = deeplab(settings, 1)(torch.empty(1, 3, settings.size, settings.size))
    gpu = settings.device != "cpu" and torch.cuda.is_available()
    saliency = saliency_source(settings.saliency, "cuda" if gpu else "cpu")
    whole, class_ids = open_tagged(run)
    # A snapshot's masks are not for a method that learns from tags.
    whole = replace(whole, items=[replace(item, mask=None) for item in whole.items])
    maker = CueMaker(
        RunMaps(settings.from_, whole, class_ids),
        saliency,
        (seen.shape[2], seen.shape[3]),
        settings.cue_threshold,
        settings.background_part,
    )
    cues = make_cues(run, whole, maker)
    run.about["cues"] = cues.origin["digest"][:12]
    bench = SegmentBench(
        settings, run, Masked(whole, cues.taught(run, whole), class_ids, cues.origin)
    )
    network = bench.network(lambda classes: deeplab(settings, classes))
    static = CueBatches(cues, bench.taught, channels_of(class_ids).numpy())
    is_dsrg = settings.method == "dsrg"

    with Boundaries(cores()) as boundaries:

        def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
            logits = network(bench.normalisation.batch(batch.images))
            scores = floored(logits)
            if not bool(scores.isfinite().all()):
                # There is nothing to grow in it; the loop says what it means.
                return {"total": scores.sum() * float("nan")}, {}
            probabilities = scores.detach().exp().cpu().numpy()
            tags = batch.tags.cpu().numpy()
            labels = static.of(batch, scores.shape[2:])
            if is_dsrg:
                for row in range(len(labels)):
                    labels[row] = grown(
                        labels[row],
                        probabilities[row],
                        tags[row],
                        settings.grow_foreground,
                        settings.grow_background,
                    )
            known = torch.from_numpy(labels).to(scores.device).long()
            seeds = as_seeds(known, scores.shape[1])
            parts = {"seed": losses.seed_loss(scores, seeds, balanced=is_dsrg)}
            if not is_dsrg:
                cells = scores.shape[2] * scores.shape[3]
                parts["expand"] = losses.expand_loss(
                    scores,
                    batch.tags,
                    decay_at(settings.decay, cells),
                    decay_at(settings.background_decay, cells),
                )
            if settings.constrain:
                images = batch.images.cpu().numpy()
                refined = boundaries.refined(images, probabilities, tags)
                wanted = torch.from_numpy(refined).to(scores.device)
                parts["constrain"] = losses.constrain_loss(scores, wanted)
            total = torch.stack([*parts.values()]).sum()
            return {"total": total, **parts}, {"seeded": seeds.sum(dim=1).mean()}

        trained, means = bench.fit(network, step)
    written = predict(
        run,
        bench.fabric,
        trained,
        bench.whole,
        bench.classes,
        bench.normalisation,
        bench.viewing,
        run.folder / LABELS,
        weights=fingerprint(trained),
        limit_to_tags=settings.limit_to_tags,
        crf=None if settings.crf == "none" else settings.crf,
        stage="labels",
    )
    metrics = {
        "loss": means["total"],
        "seeded": means["seeded"],
        **measure_labels(bench.whole, run.folder / LABELS),
        **bench.validate(trained),
    }
    return bench.finish_segmenter(trained, "segment", metrics, written.files)


RECIPE = Recipe(
    name="dsrg",
    title="Segmenter from cues (SEC, DSRG)",
    summary="Learns from a few cues of each tag that spread over the object while it learns.",
    settings=Dsrg,
    run=run,
    takes=("tags", "runs"),
    makes=("weights", "labels"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
