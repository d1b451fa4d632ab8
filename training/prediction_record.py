"""Whose predictions a folder holds: `predicted.json`, by which a killed run goes on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.atomic import write_whole
from backend.exchange.names import some
from training.errors import TrainingError
from training.run import Run

RECORD = "predicted.json"
FORMAT = "tagmask-predictions/1"


def begin(run: Run, folder: Path, record: Mapping[str, Any]) -> set[str]:
    """The images whose predictions are in a folder already, made as `record` says; the record is
    then written.

    What another network or other settings made is removed, with a message. Raises TrainingError
    where the folder holds PNGs but no record: they are none of ours to replace.
    """
    earlier = read_record(folder)
    found = sorted(folder.glob("*.png"))
    if earlier is None and found:
        raise TrainingError(
            f"{folder} holds {len(found)} PNGs that were not predicted here ({found[0].name}, "
            "...). Choose another --out."
        )
    told = {"format": FORMAT, **record}
    if earlier is not None and earlier != told:
        changed = [name for name in told if earlier.get(name) != told[name]]
        if found:
            run.message(
                f"{len(found)} predictions of an earlier run are made again: other {some(changed)}."
            )
        # Before the record: half a folder of the old ones is never taken for the new ones.
        for path in found:
            path.unlink(missing_ok=True)
        found = []
    if earlier != told:
        write_whole(folder / RECORD, json.dumps(told, indent=1, ensure_ascii=False).encode())
    return {path.stem for path in found}


def read_record(folder: Path) -> dict[str, Any] | None:
    """What made the predictions in a folder, None where nothing says so."""
    try:
        told = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("format") == FORMAT else None
