"""AffinityNet: learns from attention maps which neighbours belong together, and walks them there.

Ahn and Kwak, Learning Pixel-level Semantic Affinity with Image-level Supervision (CVPR 2018); what
ECS-Net's final labels go through. Numbers marked (C) are those of its released code.
"""

from dataclasses import dataclass
from pathlib import Path
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

CRF_PRESETS = ("psa", "irn", "dcsp", "deeplab", "oaa", "seam", "dsrg", "sal")


@dataclass(frozen=True)
class Affinity(TagLearning):
    """The numbers of AffinityNet and its code; `light` trains in minutes on two cores."""

    from_: str = option("", "the folder of the run whose maps are learnt from and walked")
    seeds: str = option(
        "crf",
        "how sure labels are told from the maps: crf: by a dense CRF at two strengths of the "
        "background; thresholds: by two thresholds, without a CRF; auto: crf where it is installed",
        section="AffinityNet 4.1",
        choices=("crf", "thresholds", "auto"),
        light="auto",
        scenes="auto",
    )
    seed_crf: str = option("psa", "whose CRF draws the seeds", choices=CRF_PRESETS)
    low_alpha: float = option(
        4.0,
        "the background is (1 - attention)^ALPHA: where an object is sure although it is strong",
        section="AffinityNet 4.1 (C)",
        minimum=0,
        maximum=1000,
    )
    high_alpha: float = option(
        32.0,
        "the same, where the background is sure although it is weak",
        section="AffinityNet 4.1 (C)",
        minimum=0,
        maximum=1000,
    )
    sure_object: float = option(
        0.3, "attention of a sure object, with --seeds thresholds (IRN)", minimum=0, maximum=1
    )
    sure_background: float = option(
        0.05, "what sure background stays under, with the same (IRN)", minimum=0, maximum=1
    )

    look: int = option(
        375,
        "pixels of the shorter side of the images that are walked; about what samples are cut from",
        section="VOC's own size (C)",
        minimum=32,
        maximum=2048,
        light=224,
        scenes=96,
    )
    alpha: float = option(
        16.0,
        "of the background that walks along",
        section="AffinityNet 5.1 (C)",
        minimum=0,
        maximum=1000,
        light=8.0,
    )
    # What learnt for minutes tells neighbours less apart: at the paper's power all flows together.
    beta: float = option(
        8.0,
        "power of the affinities",
        section="AffinityNet 4.3 (C)",
        minimum=0,
        maximum=1000,
        light=16.0,
        scenes=24.0,
    )
    walk_steps: int = option(
        256, "steps of the walk", section="AffinityNet 4.3 (C)", minimum=0, maximum=100_000
    )
    crf: str = option("none", "whose CRF follows the walk", choices=("none", *CRF_PRESETS))
    threads: int = option(
        2, "images that seeds and labels are made of at a time", minimum=1, maximum=64
    )

    backbone: str = restated(TagLearning, "backbone", "resnet38", "AffinityNet 4.2")
    frozen_norm: bool = restated(TagLearning, "frozen_norm", True, "(C)", scenes=False)
    size: int = restated(TagLearning, "size", 448, "(C)")
    crop: str = restated(TagLearning, "crop", "scale", "(C)", light="scale", scenes="scale")
    crop_least: float = restated(
        TagLearning, "crop_least", 375 / 448, "VOC's own size (C)", light=0.9, scenes=0.9
    )
    crop_most: float = restated(
        TagLearning, "crop_most", 375 / 448, "VOC's own size (C)", light=1.2, scenes=1.2
    )
    jitter: float = restated(TagLearning, "jitter", 0.3, "(C)", light=0.0, scenes=0.0)
    batch: int = restated(TagLearning, "batch", 8, "(C)")
    steps: int = restated(TagLearning, "steps", 0)
    epochs: int = restated(TagLearning, "epochs", 8, "(C)", light=8)
    learning_rate: float = restated(
        TagLearning, "learning_rate", 1e-2, "(C: 0.1 with the weight decay for a momentum)",
        light=1e-3,
    )  # fmt: skip
    weight_decay: float = restated(TagLearning, "weight_decay", 5e-4, "(C)")
    schedule: str = restated(TagLearning, "schedule", "poly", "(C)", light="poly")

    # Fields of TagLearning that are about class maps and scores, which this network has none of.
    head_start: str = "gauss"
    dropout: float = 0.0
    watch_every: int = -1
    watch_images: int = 1
    map_scales: tuple[float, ...] = (1.0,)
    map_flip: bool = False
    map_fusion: str = "max"
    map_size: str = "feature"

    def __post_init__(self) -> None:
        for low, high in (("low_alpha", "high_alpha"), ("sure_background", "sure_object")):
            if getattr(self, low) > getattr(self, high):
                raise TrainingError(
                    f"--{low.replace('_', '-')} is {getattr(self, low):g} and "
                    f"--{high.replace('_', '-')} {getattr(self, high):g}; the first must not be "
                    "above the second, or a pixel would surely be both."
                )


def run(settings: Affinity, run: "Run") -> dict[str, Any]:
    """Makes seeds/IMAGE.png of the earlier run's maps, trains, then writes weights.safetensors,
    labels/IMAGE.png and the walked maps/IMAGE/CLASS.png."""
    from backend.networks.affinity import AffinityNet, pair_distances
    from backend.random_walk import RandomWalk
    from backend.refinement import FOLDER_TIMEOUT, CrfPool
    from training.affinity_loss import affinity_losses
    from training.bench import Bench
    from training.earlier_run import maps_digest, require_ended
    from training.label_quality import measure_labels
    from training.maps_export import measure_maps
    from training.networks import WEIGHTS, save_network
    from training.run import read_config
    from training.run_maps import RunMaps
    from training.seeds import Seeds, Sowing, sow
    from training.walking import LABELS, Steps, walk_all, walked_source

    if not settings.from_:
        raise TrainingError("--from is missing: name the folder of a run of an attention method.")
    earlier = Path(settings.from_)
    require_ended(earlier, read_config(earlier)["recipe"])
    run.about["maps in --from"] = maps_digest(earlier)[:12]
    bench = Bench(settings, run)
    maps = RunMaps(settings.from_, bench.source, bench.class_ids)
    with CrfPool(settings.threads, FOLDER_TIMEOUT, retries=1) as pool:
        how = Sowing(
            seeding(settings, run, pool.reason),
            settings.low_alpha,
            settings.high_alpha,
            settings.seed_crf,
            settings.sure_object,
            settings.sure_background,
        )
        if settings.crf != "none" and not pool.available:
            raise TrainingError(f"--crf is {settings.crf}. {pool.reason} Or take --crf none.")
        network = bench.network(
            lambda _: AffinityNet(
                settings.backbone,
                stride=settings.stride or None,
                frozen_norm=settings.frozen_norm,
            ),
            attention=maps.origin,
            seeds=how.how,
        )
        run.begun = True
        sow(run, bench.taught, maps, how, pool, settings.threads)
        seeds = Seeds(run.folder, bench.taught, maps)

        def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
            features = network(bench.normalisation.batch(batch.images))
            labels = seeds.batch(batch, features.shape[2:]).to(features.device)
            return affinity_losses(pair_distances(features), labels), {}

        trained, means = bench.fit(network, step)
        card = save_network(
            run, trained, "affinity", bench.classes, bench.normalisation, settings.look,
            {**bench.origin, "metrics": means},
        )  # fmt: skip
        steps = Steps(
            settings.alpha,
            settings.beta,
            settings.walk_steps,
            None if settings.crf == "none" else settings.crf,
        )
        labels = walk_all(
            run, bench.source, maps, RandomWalk(trained, card), steps, pool, settings.threads
        )
        walked = walked_source(run, bench.source, maps)
    metrics = {
        "loss": means["total"],
        **measure_labels(walked, run.folder / LABELS),
        **measure_maps(walked, bench.class_ids, run.folder / "maps"),
    }
    counted = sum(len(item.tags) for item in walked.items)
    return {"metrics": metrics, "weights": WEIGHTS, "maps": counted, "labels": labels}


def seeding(settings: Affinity, run: "Run", no_crf: str) -> str:
    """The way of making seeds, said in a message; TrainingError where it cannot be had here.

    `no_crf` says why there is no CRF, and is empty where there is one.
    """
    plain = (
        f"Seeds are made by thresholds, without a CRF: objects from attention "
        f"{settings.sure_object:g}, background under {settings.sure_background:g}."
    )
    if settings.seeds == "thresholds":
        run.message(plain)
        return "thresholds"
    if not no_crf:
        run.message(
            f"Seeds are made by the CRF {settings.seed_crf}, with the background to the power of "
            f"{settings.low_alpha:g} and of {settings.high_alpha:g}."
        )
        return "crf"
    if settings.seeds == "crf":
        raise TrainingError(f"--seeds is crf. {no_crf} Or take --seeds thresholds.")
    run.message(f"{no_crf} {plain}")
    return "thresholds"


RECIPE = Recipe(
    name="affinity",
    title="Affinities and random walk (AffinityNet)",
    summary="Learns from attention maps which neighbouring pixels belong together, and lets the "
    "maps walk along: labels and finer maps.",
    settings=Affinity,
    run=run,
    takes=("tags", "runs"),
    makes=("weights", "maps", "labels"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
