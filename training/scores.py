"""scores.jsonl: a line for each image with proxy labels: what made them, and their scores."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError

if TYPE_CHECKING:
    from backend.exchange.sources import Item
    from backend.saliency import SaliencySource
    from training.run import Run

SCORES = "scores.jsonl"


def already_done(folder: Path) -> dict[str, dict[str, Any]]:
    """The lines of scores.jsonl whose label file exists, by image; a torn last line is ended."""
    path = folder / SCORES
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        name = told.get("image") if isinstance(told, dict) else None
        if isinstance(name, str) and (folder / "labels" / f"{name}.png").is_file():
            found[name] = told
    return found


def tell_missing(
    run: "Run", saliency: "SaliencySource", items: "list[Item]", *, refuse: bool = False
) -> None:
    """Names the images that a folder of saliency maps lacks, and those whose map has another
    shape, before any work is done.

    Raises TrainingError instead of a message where that is not to be gone on with.
    """
    from backend.exchange.names import some

    missing = saliency.missing(item.name for item in items)
    if missing and refuse:
        raise TrainingError(
            f"{len(missing)} of {len(items)} images have no saliency map in "
            f"{saliency.name.partition(':')[2]}: {some(missing)}. Add them, or go on without these "
            "images with --missing-saliency leave-out."
        )
    if missing:
        run.message(
            f"{len(missing)} of {len(items)} images have no saliency map in "
            f"{saliency.name.partition(':')[2]} and get no labels: {some(missing)}."
        )
    tell_stretched(run, saliency, items)


def tell_stretched(run: "Run", saliency: "SaliencySource", items: "list[Item]") -> None:
    """Names the images whose saliency map in a folder has another shape than they."""
    from backend.exchange.names import some

    stretched = saliency.stretched((item.name, item.image) for item in items)
    if stretched:
        run.message(
            f"{len(stretched)} of {len(items)} saliency maps have another shape than their images "
            f"and are stretched to it: {some(stretched)}."
        )
