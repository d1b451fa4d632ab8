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


def require_unchanged(
    folder: Path, made_of: Mapping[str, Mapping[str, Any]], flags: Mapping[str, str]
) -> None:
    """TrainingError where a run goes on with other things than it began with, by their digests in
    its provenance.json: half of what it makes would be of the others.

    `flags` names the option that each thing came by.
    """
    try:
        before = json.loads((folder / PROVENANCE).read_bytes())
    except (OSError, ValueError):
        return
    for what, flag in flags.items():
        earlier = before.get(what) if isinstance(before, dict) else None
        now = made_of.get(what, {})
        if not isinstance(earlier, dict) or not isinstance(earlier.get("digest"), str):
            continue
        if earlier["digest"] != now.get("digest"):
            raise TrainingError(
                f"This run began with the {what} {_named(earlier)}, but {flag} now names "
                f"{_named(now)}. Put the first one back, or start a new run in another --out."
            )


def _named(thing: Mapping[str, Any]) -> str:
    """The name of weights, maps or saliency, and the beginning of their digest."""
    digest = thing.get("digest")
    name = thing.get("name") or thing.get("run") or "nothing"
    return str(name) + (f" ({digest[:8]})" if digest else "")


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
