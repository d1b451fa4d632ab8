"""OAA: the attention of every image, gathered while the classification network learns.

Jiang et al., Integral Object Mining via Online Attention Accumulation (ICCV 2019), section 3.2.
Numbers marked (C) are those of the released code.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.options import option
from training.recipes import BACKBONES, Recipe
from training.recipes.classify import Classify

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import nn

    from backend.exchange.sources import Item
    from training.accumulating import Accumulator
    from training.bench import Bench
    from training.data import Batch
    from training.loop import Values
    from training.run import Run

RECORD = "accumulated.json"
CAMS = "cams"


@dataclass(frozen=True)
class Oaa(Classify):
    """The classification network's numbers (section 4.1) and what is gathered on the way."""

    fusion: str = option(
        "max",
        "how passes become one map",
        section="OAA 3.2, Eq. 5 and 10",
        choices=("max", "mean"),
    )
    gate: str = option(
        "strict",
        "which tags of a pass are gathered: strict: scored above every class that is no tag; topk: "
        "among as many best classes as there are tags (C); none: all",
        section="OAA 3.2",
        choices=("strict", "topk", "none"),
    )
    warmup_passes: int = option(
        1,
        "passes over the images before anything is gathered (C; the paper: 0)",
        minimum=0,
        light=6,
        scenes=4,
    )
    history: int = option(
        100,
        "images whose every pass is kept for the page, evenly spread",
        minimum=0,
        maximum=100_000,
        light=1000,
        scenes=1000,
    )

    def __post_init__(self) -> None:
        from training.errors import TrainingError

        if not self.steps and self.warmup_passes >= self.epochs:
            raise TrainingError(
                f"--warmup-passes is {self.warmup_passes} and --epochs {self.epochs}: nothing "
                "would be accumulated. Take more epochs, or fewer passes of warm-up."
            )


def run(settings: Oaa, run: "Run") -> dict[str, Any]:
    """Trains; writes weights.safetensors, the accumulated maps/IMAGE/CLASS.png, the final network's
    own maps in cams/, history/IMAGE.npz and how many passes each map stands on in accumulated.json.
    """
    import numpy as np
    from torch.nn.functional import multilabel_soft_margin_loss

    from backend.atomic import write_whole
    from backend.labels import read_heat
    from training.bench import Bench
    from training.networks import cam_classifier
    from training.views import View

    bench = Bench(settings, run)
    refuse_warmup_alone(settings, len(bench.batches))
    network = bench.network(lambda classes: cam_classifier(settings, classes))
    gathered = accumulator(settings, bench, network.backbone.stride)

    def step(network: "nn.Module", batch: "Batch") -> "tuple[Values, Values]":
        scores, maps = network(bench.normalisation.batch(batch.images))
        loss = multilabel_soft_margin_loss(scores, batch.tags)
        right = ((scores.detach() > 0) == batch.tags.bool()).float().mean()
        if not bool(loss.isfinite()):
            # The loop stops at such a loss and says so; there is no attention to gather.
            return {"total": loss}, {"tag_accuracy": right}
        seen, said = maps.detach().float().cpu().numpy(), scores.detach().float().cpu().numpy()
        epoch = bench.batches.current_epoch
        for row, index in enumerate(batch.indices.tolist()):
            name = bench.taught.items[index].name
            gathered.add(name, View.of(batch.views[row]), seen[row], said[row], epoch)
        return {"total": loss}, {"tag_accuracy": right}

    trained, means = bench.fit(network, step, keep={"accumulated": gathered})
    gathered.merge(bench.fabric)

    looks, cam = bench.export(trained, folder=CAMS)

    def final(item: "Item", columns: "Sequence[int]") -> "np.ndarray":
        own = [read_heat(run.folder / CAMS / item.name / f"{names[c]}.png") for c in columns]
        return final_maps(gathered, item.name, np.stack(own))

    names = list(bench.classes.values())
    written, measured = bench.write(final)
    record = passes_record(gathered, bench)
    write_whole(run.folder / RECORD, json.dumps(record, indent=1).encode() + b"\n")
    gathered.write_histories(run.folder, bench.class_ids)
    never = sum(count == 0 for of_image in record.values() for count in of_image.values())
    if never:
        run.message(
            f"{never} of {written} maps never passed the gate: they are the final network's own "
            f"({RECORD} lists them with 0 passes)."
        )
    metrics = {
        "loss": means["total"],
        "tag_accuracy": looks.tag_accuracy,
        "never_accumulated": never,
        **{f"cam_{name}": value for name, value in cam.items()},
        **measured,
    }
    return bench.finish(trained, "oaa", metrics, written)


def refuse_warmup_alone(settings: Oaa, batches: int) -> None:
    """TrainingError where --steps end before the passes of warm-up do; a pass takes `batches`."""
    from training.errors import TrainingError

    warmup = settings.warmup_passes * batches
    if settings.steps and settings.steps <= warmup:
        raise TrainingError(
            f"--steps is {settings.steps}, and {settings.warmup_passes} passes of warm-up over "
            f"these images take {warmup}: nothing would be accumulated. Take more steps, or fewer "
            "--warmup-passes."
        )


def accumulator(settings: Oaa, bench: "Bench", stride: int) -> "Accumulator":
    """An empty accumulator for the images that are learnt from."""
    from backend.images import image_size
    from training.accumulating import Accumulator, grid_of
    from training.data import tag_matrix

    cells = max(1, settings.size // stride)
    tags = tag_matrix(bench.taught.items, bench.class_ids)
    images = []
    for item, row in zip(bench.taught.items, tags, strict=True):
        width, height = image_size(item.image)
        columns = row.nonzero().flatten().tolist()
        images.append((item.name, columns, grid_of(height, width, cells)))
    every = max(1, -(-len(images) // max(1, settings.history)))
    told = [name for name, _, _ in images[:: every if settings.history else len(images)]]
    return Accumulator(
        images,
        settings.fusion,  # type: ignore[arg-type]
        gate=settings.gate,  # type: ignore[arg-type]
        warmup=settings.warmup_passes,
        told=told if settings.history else (),
    )


def final_maps(gathered: "Accumulator", name: str, own: "np.ndarray") -> "np.ndarray":
    """An image's accumulated maps; the network's own for tags that never passed the gate, and for
    images that were not learnt from.
    """
    import numpy as np

    from backend.maps.attention import resize

    if name not in gathered.places:
        return own
    maps = gathered.maps_of(name)
    never = gathered.accepted(name) == 0
    if never.any():
        maps = np.where(never[:, None, None], resize(own, maps.shape[1:]), maps)
    return maps


def passes_record(gathered: "Accumulator", bench: "Bench") -> dict[str, dict[str, int]]:
    """For each image and tag, how many passes its map was made of; 0: the final network's map."""
    names = list(bench.classes.values())
    return {
        image: {
            names[column]: int(count)
            for column, count in zip(place.columns, gathered.accepted(image), strict=True)
        }
        for image, place in gathered.places.items()
    }


RECIPE = Recipe(
    name="oaa",
    title="Online attention accumulation (OAA)",
    summary="Gathers the attention of every training pass; the maximum shows more of the object.",
    settings=Oaa,
    run=run,
    takes=("tags",),
    makes=("weights", "maps"),
    presets=("paper", "light", "scenes"),
    backbones=BACKBONES,
)
