"""Each image's loss under a trained segmenter: labels that it could not learn are worth a look."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError
from training.machine import Machine
from training.options import option, restated
from training.recipes import Recipe

if TYPE_CHECKING:
    import numpy as np
    import torch

    from backend.exchange.sources import Item, Source
    from training.image_losses import ImageLoss
    from training.run import Run

LOSSES = "losses.jsonl"


@dataclass(frozen=True)
class Losses:
    """Whose labels, and under whose eyes."""

    weights: str = option(
        "", "the segmenter: a run's folder, its weights file or the name of shipped ones"
    )
    from_: str = option(
        "",
        "the folder of a run whose labels/IMAGE.png are measured; without it the masks of the "
        "snapshot in --data",
    )
    device: str = restated(Machine, "device", "auto")
    precision: str = restated(Machine, "precision", "auto")


def run(settings: Losses, run: "Run") -> dict[str, Any]:
    """Writes a line of losses.jsonl for each image with labels: its mean cross entropy and the part
    of its pixels that the segmenter labels alike.
    """
    from backend.weights import load
    from training.earlier_run import require_unchanged
    from training.image_lines import ImageLines
    from training.image_losses import channel_table, line_of, mask_digest
    from training.machine import open_fabric
    from training.predictions import in_turn
    from training.run import write_provenance
    from training.sources import described
    from training.viewing import Viewing

    if not settings.weights:
        raise TrainingError("--weights is missing: name a run of segment, or a segmenter's file.")
    fabric = open_fabric(Machine(device=settings.device, precision=settings.precision))
    network, card = load(settings.weights, str(fabric.device))
    if not hasattr(network, "segment"):
        raise TrainingError(
            f"{card.name} is of the kind '{card.kind}', which labels no pixels. Name a run of "
            "segment, sal, dsrg or dcsp."
        )
    source = _labelled(run, settings)
    made_of = {
        "weights": {"name": card.name, "digest": card.digest},
        "labels": {"run": settings.from_ or "the snapshot"},
        "data": described(source),
    }
    require_unchanged(run.folder, made_of, {"weights": "--weights", "data": "--data"})
    write_provenance(run.folder, made_of)
    classes = dict(zip(card.class_ids, card.classes, strict=True))
    table, strangers = channel_table(source, classes)
    if strangers:
        run.message(_unknown(strangers))
    lines = ImageLines(run, LOSSES)
    digests = {item.name: mask_digest(item) for item in source.items}
    kept = {
        name: line for name, line in lines.kept.items()
        if name in digests and line.get("mask") == digests[name]
    }  # fmt: skip
    todo = [item for item in source.items if item.name not in kept]
    if kept:
        run.message(f"{len(kept)} images were measured before; {len(todo)} remain.")

    def finish(item: "Item", image: "np.ndarray", values: "torch.Tensor") -> "ImageLoss":
        return line_of(source, item, values, table, digests[item.name])

    viewing = Viewing(card.input_size)
    found = list(kept.values())
    work = in_turn(run, fabric, network, todo, card.normalisation, viewing, finish, False)
    for number, (_, trouble, made) in enumerate(work, start=len(kept) + 1):
        trouble = trouble or (made.trouble if made else None)
        if trouble is not None:
            run.message(trouble)
        elif made is not None:
            lines.add([made.line])
            found.append(made.line)
        run.progress(number, len(source.items), always=number == len(source.items), stage="losses")
    if not found:
        raise TrainingError("No image could be measured; the messages say why.")
    metrics = {
        "images": len(found),
        "loss": sum(line["loss"] for line in found) / len(found),
        "largest_loss": max(line["loss"] for line in found),
        "pixel_accuracy": sum(line["pixel_accuracy"] for line in found) / len(found),
    }
    return {"metrics": metrics, "weights": None, "maps": 0, "labels": 0}


def _labelled(run: "Run", settings: Losses) -> "Source":
    """The images of --data that have labels, which are their masks."""
    from pathlib import Path

    from backend.exchange.sources import open_source
    from training.masks import with_labels, with_masks_only

    if run.data is None:
        raise TrainingError("--data is missing.")
    source = open_source(run.data, run.split)
    for note in source.notes:
        run.message(note)
    if settings.from_:
        source = with_labels(source, Path(settings.from_))
    return with_masks_only(run, source, settings.from_)


def _unknown(strangers: list[str]) -> str:
    from backend.exchange.names import some

    return f"The segmenter does not know {some(strangers)}: their pixels are not measured."


RECIPE = Recipe(
    name="losses",
    title="Loss of each image",
    summary="Measures each image's labels by a trained segmenter; the worst are worth a look.",
    settings=Losses,
    run=run,
    takes=("masks", "runs"),
    makes=("losses",),
)
