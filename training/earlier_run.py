"""The run in --from: of the right recipe, at its end, and still the same where a run goes on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.events import last_kind
from training.run import PROVENANCE, Run, read_config
from training.scores import SCORES

MAPS = "maps"


def require_finished(folder: Path, recipe: str, reader: str) -> None:
    """TrainingError unless a folder holds a finished run of a recipe.

    `reader` is the recipe that wants to learn from its maps.
    """
    found = read_config(folder).get("recipe")
    if found != recipe:
        raise TrainingError(
            f"{folder} is a run of '{found}'; {reader} learns from the maps of a run of the recipe "
            f"{recipe}. Name one with --from."
        )
    require_ended(folder, recipe)


def require_ended(folder: Path, recipe: str) -> None:
    """TrainingError unless a folder holds a finished run, which is one of this recipe."""
    kind = last_kind(folder)
    if kind != "finished":
        how = {"failed": "it failed", "cancelled": "it was stopped"}
        raise TrainingError(
            f"{folder} is a run of '{recipe}' that is not finished: "
            f"{how.get(kind or '', 'it is still at work, or was killed')}. Wait for its end, or go "
            f"on with it: python -m training {recipe} --out {folder} --resume."
        )


def require_unchanged(folder: Path, made_of: Mapping[str, Mapping[str, Any]]) -> None:
    """TrainingError where a run goes on with other things than it began with, by their digests in
    its provenance.json: half of what it makes would be of the others.
    """
    try:
        before = json.loads((folder / PROVENANCE).read_bytes())
    except (OSError, ValueError):
        return
    for what, now in made_of.items():
        earlier = before.get(what) if isinstance(before, dict) else None
        if isinstance(earlier, dict) and earlier.get("digest") != now.get("digest"):
            raise TrainingError(
                f"The {what} is no longer what this run began with: its maps or weights have "
                "changed. Put the first ones back, or start a new run in another --out."
            )


def require_no_labels(run: Run) -> None:
    """TrainingError where a new run would take the labels that lie in its folder for its own."""
    if not run.resume and ((run.folder / SCORES).exists() or any(run.folder.glob("labels/*.png"))):
        raise TrainingError(
            f"{run.folder} holds labels that this run has not made. Choose another --out, or move "
            "labels/ and scores.jsonl away."
        )


def maps_digest(folder: Path) -> str:
    """sha256, hex, of the names and bytes of a run's maps."""
    told = hashlib.sha256()
    for path in sorted((folder / MAPS).rglob("*.png")):
        told.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        told.update(path.read_bytes())
    return told.hexdigest()
