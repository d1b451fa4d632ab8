"""OAA+: the integral attention model, taught by accumulated attention.

Jiang et al., Integral Object Mining via Online Attention Accumulation (ICCV 2019), section 3.3.
Numbers marked (C) are those of the released code.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError
from training.options import option, restated
from training.recipes import BACKBONES, Recipe
from training.recipes.classify import Classify

if TYPE_CHECKING:
    import torch
    from torch import nn

    from training.data import Batch
    from training.loop import Values
    from training.run import Run


@dataclass(frozen=True)
class OaaPlus(Classify):
    """The hyper-parameters are the classification network's (section 4.1)."""

    from_: str = option(
        "", "the folder of the run oaa whose maps teach the model", section="OAA 3.3"
    )
    start: str = option(
        "trunk",
        "trunk: begins as the classification network did; run: with the trunk of the run in --from",
        choices=("trunk", "run"),
        light="run",
        scenes="run",
    )
    loss: str = option(
        "hybrid",
        "hybrid: raise where attention was gathered, hold down where none was; mce: plain "
        "multi-label cross entropy",
        section="OAA 3.3, Eq. 6 to 9",
        choices=("hybrid", "mce"),
    )
    per: str = option(
        "class",
        "the sets of pixels that the loss averages over: of each class, or of all channels (C)",
        section="OAA 3.3, Eq. 9",
        choices=("class", "channels"),
    )
    positive_above: float = option(
        0.0,
        "attention that raises a pixel; up to it holds it down (C: 0.001)",
        minimum=0,
        maximum=1,
        light=0.15,
        scenes=0.15,
    )

    epochs: int = restated(Classify, "epochs", 15, light=10)
    learning_rate: float = restated(Classify, "learning_rate", 1e-3, "OAA 4.1", light=3e-3)
    clip: float = restated(Classify, "clip", 0.0, light=5.0, scenes=5.0)


def run(settings: OaaPlus, run: "Run") -> dict[str, Any]:
    """Trains; writes weights.safetensors and the model's maps/IMAGE/CLASS.png."""
    from backend.networks.classifier import IntegralModel
    from training import losses
    from training.bench import Bench
    from training.gathered import GatheredMaps
    from training.networks import WEIGHTS, cam_classifier
    from training.run import read_config

    if not settings.from_:
        raise TrainingError("--from is missing: name the folder of a run of the recipe oaa.")
    earlier = Path(settings.from_)
    read_config(earlier)
    if settings.start == "run" and not settings.weights:
        settings = replace(settings, weights=str(earlier / WEIGHTS))
    bench = Bench(settings, run)
    gathered = GatheredMaps(settings.from_, bench.taught, bench.class_ids)
    network = bench.network(
        lambda classes: cam_classifier(settings, classes, IntegralModel),
        attention=gathered.origin,
    )

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        maps = network(bench.normalisation.batch(batch.images)).maps
        target: torch.Tensor = gathered.batch(batch, maps.shape[2:]).to(maps.device)
        if settings.loss == "mce":
            loss = losses.multilabel_loss(maps, target, settings.per)  # type: ignore[arg-type]
        else:
            loss = losses.hybrid_loss(
                maps,
                target,
                settings.per,  # type: ignore[arg-type]
                settings.positive_above,
            )
        return {"total": loss}, {}

    trained, means = bench.fit(network, step)
    exported, measured = bench.export(trained)
    metrics = {"loss": means["total"], **measured}
    return bench.finish(trained, "oaaplus", metrics, exported.maps)


RECIPE = Recipe(
    name="oaaplus",
    title="Integral attention model (OAA+)",
    summary="Learns the accumulated attention pixel by pixel, and shows the object more evenly.",
    settings=OaaPlus,
    run=run,
    takes=("tags", "runs"),
    makes=("weights", "maps"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
    stands_on="oaa",
)
