"""Which images a saliency network learns from, and on which it is measured."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.exchange.classes import read_text
from backend.exchange.items import Item
from backend.exchange.names import image_name, nearest, some
from backend.exchange.sources import open_source
from training.errors import TrainingError
from training.run import Run
from training.salient_source import Looked, SalientSource, look_through, with_masks

MOST_UNSEEN = 200


@dataclass(frozen=True)
class Salient:
    """What a saliency network learns from (`taught`), is measured on (`held_out`), and, where
    classes are left out, images with objects of those (`unseen`, which teach nothing).
    """

    taught: SalientSource
    held_out: SalientSource
    unseen: SalientSource
    origin: dict[str, Any]


def open_salient(
    run: Run,
    *,
    masks: str = "",
    reading: str = "auto",
    leave_out: str = "",
    part: float = 1 / 6,
    validation: str = "",
) -> Salient:
    """The images of --data that have a mask, in those that teach and those that are held out.

    masks: the folder of the masks, "" for the data's own. reading: "white": grey masks, white is
    salient; "classes": class ids, each salient, 255 ignored; "auto": what the data's kind says.
    leave_out: classes, with commas between them, whose images teach nothing. part: how much is held
    out, drawn by the seed; validation: a list of ImageSets/Segmentation or a file of names instead.
    Every mask is looked at once, so that what is wrong with one is said before the training.
    Raises TrainingError and DataError.
    """
    if run.data is None:
        raise TrainingError(
            "--data is missing. Name a folder with images/IMAGE.jpg and masks/IMAGE.png, a VOC "
            "devkit or a snapshot's manifest.json."
        )
    opened = open_source(run.data, run.split)
    for note in opened.notes:
        run.message(note)
    source = with_masks(run, opened, masks, reading)
    listed = _listed(run, validation, masks, reading)
    if listed is not None:
        known = {item.name for item in listed.items}
        both = [item for item in source.items if item.name not in known] + listed.items
        source = replace(source, items=both)
    left_out = _classes(source, leave_out)
    source, looked = look_through(run, source)
    seen = [item for item in source.items if not _has(item, looked, left_out)]
    if not seen:
        raise TrainingError(
            f"Every image has something of {leave_out} in it, so nothing is left to learn from. "
            "Leave fewer classes out."
        )
    chosen = (
        held_out(seen, part, run.seed)
        if listed is None
        else {item.name for item in seen} & {item.name for item in listed.items}
    )
    taught = [item for item in seen if item.name not in chosen]
    if not taught:
        raise TrainingError(
            f"All {len(seen)} images are held out, so none is left to learn from. Name another "
            "--validation, or lower --held-out."
        )
    if listed is not None and not chosen:
        raise TrainingError(f"No image of --validation {validation} has a mask to measure on.")
    strange = [item for item in source.items if _has(item, looked, left_out)]
    drawn = set(ranked(strange, run.seed)[:MOST_UNSEEN])
    _tell(run, source, taught, len(chosen), strange, leave_out)
    return Salient(
        replace(source, items=taught),
        replace(source, items=[item for item in seen if item.name in chosen]),
        replace(source, items=[item for item in strange if item.name in drawn]),
        _origin(source, taught, looked, left_out),
    )


def held_out(items: Sequence[Item], part: float, seed: int) -> set[str]:
    """The names of a random part of the images: the same for the same names and seed, in whatever
    order they come. At least one where there are two and the part is above 0.
    """
    if part <= 0:
        return set()
    count = min(max(1, round(part * len(items))), max(1, len(items) - 1))
    return set(ranked(items, seed)[:count])


def ranked(items: Sequence[Item], seed: int) -> list[str]:
    """Names in an order drawn by the seed, in which two names never change places because a third
    is there or not.
    """
    return sorted(
        (item.name for item in items),
        key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest(),
    )


def _listed(run: Run, validation: str, masks: str, reading: str) -> SalientSource | None:
    """The images of a list of the data, or of a file of names; None without either."""
    if not validation:
        return None
    assert run.data is not None
    whole = open_source(run.data)
    if validation in whole.splits:
        return with_masks(run, open_source(run.data, validation), masks, reading)
    if not Path(validation).is_file():
        raise TrainingError(
            f"--validation is '{validation}', which is neither a file of image names nor a list of "
            f"{run.data}, which has {some(whole.splits) or 'none'}."
        )
    lines = filter(None, map(str.strip, read_text(Path(validation)).splitlines()))
    everything = open_source(run.data, "all") if whole.splits else whole
    return with_masks(run, everything.only(image_name(line) for line in lines), masks, reading)


def _classes(source: SalientSource, leave_out: str) -> frozenset[int]:
    """The ids of the classes named; TrainingError for one that there is not."""
    wanted = [word.strip() for word in leave_out.split(",") if word.strip()]
    if wanted and source.named is None:
        raise TrainingError(
            "--leave-out names classes, but these masks only say what is salient, not of which "
            "class it is."
        )
    ids = {name.casefold(): id for id, name in (source.named or {}).items()}
    for word in wanted:
        if word.casefold() not in ids:
            like = nearest(word, (source.named or {}).values())
            hint = f" Nearest: {like}." if like else ""
            raise TrainingError(
                f"--leave-out names '{word}', which is no class of the data; there are "
                f"{some((source.named or {}).values(), 25)}.{hint}"
            )
    return frozenset(ids[word.casefold()] for word in wanted)


def _has(item: Item, looked: dict[str, Looked], classes: frozenset[int]) -> bool:
    return bool(looked[item.name].ids & classes)


def _tell(
    run: Run,
    source: SalientSource,
    taught: list[Item],
    held: int,
    strange: list[Item],
    leave_out: str,
) -> None:
    run.message(f"{len(taught)} images are learnt from, {held} are held out to measure on.")
    if leave_out:
        run.message(
            f"{len(strange)} of {len(source.items)} images have something of {leave_out} in them "
            "and teach nothing."
        )


def _origin(
    source: SalientSource,
    taught: list[Item],
    looked: dict[str, Looked],
    left_out: frozenset[int],
) -> dict[str, Any]:
    """What a run's record says of the masks that were learnt from."""
    told = hashlib.sha256()
    for item in taught:
        told.update(f"{item.name} ".encode() + looked[item.name].digest)
    found: dict[str, Any] = {"masks": len(taught), "digest": told.hexdigest()}
    if source.named is not None:
        present = frozenset().union(*(looked[item.name].ids for item in taught))
        found["classes"] = [name for id, name in source.named.items() if id in present]
        found["left_out"] = [name for id, name in source.named.items() if id in left_out]
    return found
