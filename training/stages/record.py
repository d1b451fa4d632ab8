"""What a stage's folder says of itself: stage.json, with its ingredients and, once it is done,
every file that others take from it.

A finished stage is believed only while those files are as they were left: of the same size and time
of change, or else of the same digest.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.atomic import write_whole
from training.stages.ingredients import Ingredients
from training.stages.stage import PREDICTIONS

STAGE = "stage.json"
FORMAT = "tagmask-stage/1"
CHECKPOINT = "checkpoint"
# As training.networks names it, which imports torch.
WEIGHTS = "weights.safetensors"

# What a stage gives, as files of its folder.
FILES = {
    "weights": (WEIGHTS,),
    "maps": ("maps/**/*.png",),
    "labels": ("labels/*.png", "scores.jsonl"),
    "scores": ("scores.jsonl", "references/*.png"),
    "predictions": (f"{PREDICTIONS}/*.png",),
    CHECKPOINT: ("checkpoint-*.pt",),
}


@dataclass
class Record:
    """One stage's stage.json. places: where what it reads lies; outputs: file -> [size, time of
    change in ns, sha256], empty until it is done; seconds: of all its attempts together; figures:
    what it measured of itself.
    """

    name: str
    digest: str
    made_of: Ingredients
    places: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    started: float | None = None
    finished: float | None = None
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return self.finished is not None

    def write(self, folder: Path) -> None:
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False)
        write_whole(folder / STAGE, text.encode() + b"\n")


def read_record(folder: Path) -> Record | None:
    """What a folder says of itself, None where it says nothing that can be read."""
    try:
        told = json.loads((folder / STAGE).read_bytes())
        if told.pop("format") != FORMAT:
            return None
        return Record(**told)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def outputs_of(folder: Path, gives: tuple[str, ...]) -> dict[str, list[Any]]:
    """Every file that a finished stage gives, and its checkpoint, with size, time and digest."""
    found = {}
    for path in _files(folder, (*gives, CHECKPOINT)):
        about = path.stat()
        found[str(path.relative_to(folder))] = [about.st_size, about.st_mtime_ns, _digest(path)]
    return found


def damaged(folder: Path, record: Record, gives: tuple[str, ...]) -> list[str]:
    """The files of a finished stage that are gone or no longer what they were, sorted.

    Its checkpoint is not among them: only a stage that is mended needs it.
    """
    bad = []
    for name, told in record.outputs.items():
        if not name.startswith(CHECKPOINT) and not _is_whole(folder / name, told):
            bad.append(name)
    if "weights" in gives and WEIGHTS not in record.outputs:
        bad.append(WEIGHTS)
    return sorted(bad)


def checkpoint_is_whole(folder: Path, record: Record) -> bool:
    """Whether a finished stage could go on from where its training ended; stages without a
    checkpoint can always.
    """
    names = [name for name in record.outputs if name.startswith(CHECKPOINT)]
    return all(_is_whole(folder / name, record.outputs[name]) for name in names)


def _files(folder: Path, gives: tuple[str, ...]) -> Iterator[Path]:
    for each in gives:
        for pattern in FILES[each]:
            yield from sorted(folder.glob(pattern))


def _is_whole(path: Path, told: list[Any]) -> bool:
    try:
        about = path.stat()
    except OSError:
        return False
    size, time, digest = told
    if about.st_size != size:
        return False
    if about.st_mtime_ns == time:
        return True
    # Copied, restored or touched: only what is in it counts.
    with contextlib.suppress(OSError):
        return _digest(path) == digest
    return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
