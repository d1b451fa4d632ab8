"""The run in --from: of the right recipe, at its end, and still the same where a run goes on."""

import hashlib
from pathlib import Path

from training.errors import TrainingError
from training.events import last_kind
from training.run import read_config

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


def maps_digest(folder: Path) -> str:
    """sha256, hex, of the names and bytes of a run's maps."""
    told = hashlib.sha256()
    for path in sorted((folder / MAPS).rglob("*.png")):
        told.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        told.update(path.read_bytes())
    return told.hexdigest()
