"""The mask scorer of SAL: a network that learns what AC a mask of an image has.

Zhou et al., SAL: Selection and Attention Losses for Weakly Supervised Semantic Segmentation (TMM
2020), section III-B2, Table I and Eq. 6.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.coarse_scoring import CoarseScoring
from training.machine import Machine
from training.options import option
from training.recipes import Recipe

if TYPE_CHECKING:
    from training.run import Run


@dataclass(frozen=True)
class Scorer(CoarseScoring, Machine):
    """The paper's numbers; `light` trains in minutes on one core, `scenes` suits Scenes."""

    from_: tuple[str, ...] = option(
        (),
        "the folders of runs whose labels/IMAGE.png are the masks to learn from; labels of several "
        "runs are of more kinds of quality",
    )
    high: int = option(
        4000,
        "samples with a high AC, as they are",
        section="SAL III-B2",
        minimum=0,
        maximum=1_000_000,
        light=400,
        scenes=100,
    )
    low: int = option(
        1000,
        "samples with a low AC, as they are",
        section="SAL III-B2",
        minimum=0,
        maximum=1_000_000,
        light=100,
        scenes=25,
    )
    changed: int = option(
        3000,
        "copies of masks with a high AC, eroded or partly erased to an AC between",
        section="SAL III-B2",
        minimum=0,
        maximum=1_000_000,
        light=300,
        scenes=75,
    )
    composites: int = option(
        2000,
        "foregrounds cut out and pasted onto other images",
        section="SAL III-B2, Fig. 5",
        minimum=0,
        maximum=1_000_000,
        light=200,
        scenes=50,
    )
    grown: int = option(
        0,
        "copies of masks with a high AC that spill over the outline to an AC between",
        minimum=0,
        maximum=1_000_000,
        light=200,
        scenes=50,
    )
    swapped: int = option(
        0,
        "images with the mask of another one",
        minimum=0,
        maximum=1_000_000,
        light=100,
        scenes=25,
    )
    high_from: float = option(
        0.8, "the least AC of a high mask", section="SAL III-B2", minimum=0, maximum=1
    )
    low_to: float = option(
        0.3, "the largest AC of a low mask", section="SAL III-B2", minimum=0, maximum=1
    )
    paste_from: float = option(
        0.9, "the least AC of a mask that is cut out", section="SAL III-B2", minimum=0, maximum=1
    )
    redraw: bool = option(
        False, "what is changed or pasted is made anew in each epoch", light=True, scenes=True
    )
    held_out: float = option(
        1 / 8,
        "the part of the images that is held out to measure on, drawn by the seed",
        minimum=0,
        maximum=0.9,
    )

    size: int = option(
        256,
        "pixels a side of what the network sees",
        section="SAL Table I",
        minimum=16,
        maximum=1024,
        light=96,
        scenes=64,
    )
    channels: int = option(
        128,
        "of the first and the eighth layer",
        section="SAL Table I",
        minimum=1,
        maximum=4096,
        light=32,
        scenes=16,
    )
    width: int = option(
        192,
        "channels of the layers between",
        section="SAL Table I",
        minimum=1,
        maximum=4096,
        light=48,
        scenes=24,
    )
    loss: str = option("l2", "of P against AC", section="SAL Eq. 6", choices=("l2", "l1"))
    batch: int = option(8, "samples a step", section="SAL IV-A", minimum=1, maximum=4096, light=8)
    steps: int = option(0, "steps in all; 0: --epochs", minimum=0, maximum=100_000_000)
    epochs: int = option(
        50, "passes over the samples", section="SAL IV-A", minimum=1, maximum=100_000,
        light=6, scenes=12,
    )  # fmt: skip
    learning_rate: float = option(
        1e-5, "of Adam", section="SAL IV-A", minimum=0, light=5e-4, scenes=1e-3
    )
    weight_decay: float = option(
        0.0, "on weights, not biases nor GDN", minimum=0, light=1e-2, scenes=1e-2
    )
    schedule: str = option(
        "constant",
        "constant; poly: the rate falls to 0",
        choices=("constant", "poly"),
        light="poly",
        scenes="poly",
    )
    warmup: int = option(
        0, "steps in which the rate rises to its value", minimum=0, light=50, scenes=20
    )
    clip: float = option(
        0.0, "the gradient's largest norm; 0: no limit", minimum=0, light=1.0, scenes=1.0
    )
    flip: bool = option(False, "mirror every other sample", light=True, scenes=True)
    jitter: float = option(
        0.0, "brightness, contrast, saturation by up to this part", minimum=0, maximum=0.9,
        light=0.2,
    )  # fmt: skip
    watch_every: int = option(
        0,
        "steps between two looks at the held-out samples; 0: at most 20 looks a run, at least 10 "
        "steps apart; -1: never",
        minimum=-1,
    )
    watch_samples: int = option(
        512, "of them at most", minimum=2, maximum=100_000, light=96, scenes=48
    )


def run(settings: Scorer, run: "Run") -> dict[str, Any]:
    """Trains; writes references/IMAGE.png, samples.json, validation.txt (the images held out),
    weights.safetensors and, where true masks are known, calibration.json.
    """
    from training.candidate_masks import open_labelled, tell_saliency
    from training.recipes.fuse import device
    from training.references import open_references
    from training.scorer_bench import ScorerBench

    labelled = open_labelled(run, settings.from_)
    with open_references(run, settings, device(settings.device)) as references:
        tell_saliency(run, references, labelled.labelled)
        bench = ScorerBench(settings, run, labelled, references)
        network, means = bench.learn()
        metrics = {"loss": means["total"], **bench.measure(network)}
    tell(run, metrics)
    return bench.finish(network, metrics)


def tell(run: "Run", metrics: dict[str, float]) -> None:
    """Says how the scores go with what they should say."""
    if "held_out_spearman" in metrics:
        run.message(
            "Spearman's correlation of P with AC on held-out samples: "
            f"{metrics['held_out_spearman']:.3f}."
        )
    if "pearson_SC" in metrics and "pearson_SF" in metrics:
        run.message(
            f"Correlation with the true AC: SC {metrics['pearson_SC']:.3f}, SF "
            f"{metrics['pearson_SF']:.3f} (by ranks: {metrics['spearman_SC']:.3f}, "
            f"{metrics['spearman_SF']:.3f})."
        )


RECIPE = Recipe(
    name="scorer",
    title="Mask scorer (SAL)",
    summary="Learns how good a mask of an image is from masks, saliency and copies made worse.",
    settings=Scorer,
    run=run,
    takes=("tags", "runs"),
    makes=("weights",),
    presets=("paper", "light", "scenes"),
)
