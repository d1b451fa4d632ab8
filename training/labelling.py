"""One image after another through the stages of an inspection: labels, maps and scores as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.atomic import write_whole
from backend.errors import ImageError
from backend.images import encode_png, read_image, require_usable
from backend.labels import write_heat, write_labels

if TYPE_CHECKING:
    from backend.exchange.sources import Item, Source
    from backend.inspection import Inspector, Settings, StageMap

REFINED_REFERENCE = "saliency after CRF"
STEP = "saliency.step"


@dataclass(frozen=True)
class Done:
    """What came of one image: its scores, how many maps, or why there is nothing; and whether its
    saliency is the same everywhere.
    """

    name: str
    method: str = ""
    scores: dict[str, float] | None = None
    maps: int = 0
    why_not: str = ""
    flat: bool = False


def label(
    inspector: "Inspector",
    source: "Source",
    item: "Item",
    stages: "Settings",
    folder: Path,
    *,
    keep_looks: bool = False,
) -> Done:
    """One image's labels and maps, written; a sentence instead where it cannot be read, no tag of
    it is known, or what should refine or score its mask failed on it alone.

    keep_looks: also looks/IMAGE/step1.png, step2.erased.png, step2.raw.png, step2.png, ...: every
    step of hierarchical erasing.
    """
    try:
        image = require_usable(read_image(item.image), item.name)
    except ImageError as problem:
        return Done(item.name, why_not=f"{item.name} is left out: {problem}")
    tags = [(id, source.classes[id]) for id in item.tags]
    looks = inspector.method(stages)
    attention, fused = looks.final, f"fusion.{stages.fusion}"
    refined = stages.refine if stages.refines else ""
    wanted = {attention, "saliency", fused, "sal.score", *([refined] if refined else [])}
    if keep_looks:
        wanted |= {name for name in inspector.stages(stages) if name.startswith(STEP)}
    made: dict[str, StageMap] = {}
    notes, maps = [], 0
    for each in inspector.inspect(image, tags, stages, name=item.name, only=wanted):
        made[each.stage] = each
        if each.array is None:
            notes.append(each.caption)
        elif each.stage == attention:
            write_heat(folder / "maps" / item.name / f"{each.tag}.png", each.array)
            maps += 1
        elif each.stage.startswith(STEP):
            write_look(folder / "looks" / item.name, each)
    salient = made["saliency"].array
    flat = salient is not None and bool(salient.min() == salient.max())
    labels = made[fused].array
    if labels is None:
        return Done(
            item.name, why_not=f"{item.name} has no labels: {' '.join(dict.fromkeys(notes))}"
        )
    if failed := failed_alone(inspector, stages, made):
        return Done(item.name, why_not=f"{item.name} is left out: {failed}", flat=flat)
    method = f"{looks.name}.{stages.fusion}"
    if refined and (drawn := made[refined].array) is not None:
        # The walk moves the attention itself and takes nothing of the fusion.
        method = f"{looks.name}.walk" if refined == "walk" else f"{method}.{refined}"
        labels = drawn
    if not ((labels > 0) & (labels < 255)).any():
        # There is nothing in it to review, and nothing to learn from.
        why = f"{item.name} has no pixel of any tag in its mask."
        return Done(item.name, why_not=why, flat=flat)
    write_labels(folder / "labels" / f"{item.name}.png", labels)
    return Done(item.name, method, dict(made["sal.score"].numbers), maps, flat=flat)


def write_look(folder: Path, step: "StageMap") -> None:
    """One map of a look for saliency, or the erased image that it looked at, as a PNG."""
    assert step.array is not None
    path = folder / f"{step.stage.removeprefix('saliency.')}.png"
    if step.kind == "image":
        write_whole(path, encode_png(step.array))
    else:
        write_heat(path, step.array)


def failed_alone(inspector: "Inspector", stages: "Settings", made: "dict[str, StageMap]") -> str:
    """Why an image's mask is not refined, or not scored, as those of all others are; "" where it
    is, or where nothing here can be: a set of labels must not be made in two ways.
    """
    pool = inspector.crf
    has_crf = pool is not None and pool.available
    refined = made.get(stages.refine) if stages.refines else None
    if refined is not None and refined.array is None and (has_crf or stages.refine != "crf"):
        return refined.caption
    reference = made["sal.score"].details.get("reference")
    if stages.crf is not None and has_crf and reference != REFINED_REFERENCE:
        return "the CRF failed on its reference mask, so that its score would not be the others'."
    return ""
