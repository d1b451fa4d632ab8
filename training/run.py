"""One execution of a recipe: its folder, its voice, and how it is asked to stop."""

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self

from backend.atomic import write_whole
from training.errors import TrainingError
from training.events import EVENTS, EventWriter, last_kind

CONFIG = "config.json"
PROVENANCE = "provenance.json"
FORMAT = 1
PROGRESS_SECONDS = 1.0
PRINTED_SECONDS = 10.0


class Cancelled(Exception):
    """The run was asked to stop (SIGTERM or Ctrl-C) and what is worth keeping has been kept."""


class StopRequest:
    """Within it, SIGTERM and Ctrl-C are noted; a second one ends the process at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        signal.signal(number, signal.SIG_DFL)

    @property
    def exit_code(self) -> int:
        return 128 + (self.signal or signal.SIGTERM)


@dataclass
class Run:
    """What a recipe needs to know of its execution, and whom it tells what it does.

    `folder` is --out, `data` --data. `events` is None for recipes that only make data. `about`
    says what must be the same where the run is gone on with; `begun`, that work was done which a
    refusal must not take back; `trained`, the last step of a training that came to its end.
    """

    recipe: str
    folder: Path
    data: Path | None = None
    split: str | None = None
    preset: str = "paper"
    seed: int = 0
    resume: bool = False
    events: EventWriter | None = None
    stop: StopRequest = field(default_factory=StopRequest)
    command: str = ""
    about: dict[str, str] = field(default_factory=dict)
    begun: bool = False
    trained: str = ""
    _progress_at: float = 0.0
    _printed_at: float = 0.0

    def event(self, kind: str, **fields: Any) -> None:
        if self.events is not None:
            self.events.write(kind, **fields)

    def message(self, text: str) -> None:
        """A sentence for the run's log."""
        self.event("message", text=text)
        self.say(text)

    def say(self, text: str) -> None:
        """A line for whoever reads along on stderr, or later in the run's log."""
        print(text, file=sys.stderr, flush=True)

    @property
    def progress_is_due(self) -> bool:
        """Whether a second has passed since the last progress event."""
        return time.monotonic() - self._progress_at >= PROGRESS_SECONDS

    def progress(self, step: int, steps: int, *, always: bool = False, **fields: Any) -> None:
        """How far the run is; written at most once a second, printed every ten."""
        if not (always or self.progress_is_due):
            return
        self._progress_at = time.monotonic()
        self.event("progress", step=step, steps=steps, **fields)
        if self._progress_at - self._printed_at >= PRINTED_SECONDS:
            self._printed_at = self._progress_at
            self.say(_line(step, steps, fields))

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop."""
        return self.stop.signal is not None

    def check(self) -> None:
        """Raises Cancelled if the run was asked to stop; called between two pieces of work."""
        if self.stopping:
            raise Cancelled


def _line(step: int, steps: int, fields: Mapping[str, Any]) -> str:
    line = f"{step}/{steps}"
    if "loss" in fields:
        line += f"  loss {fields['loss']['total']:.4f}"
    if "seconds_left" in fields:
        line += f"  {fields['seconds_left']:.0f} s left"
    return line


def earlier_config(folder: Path, *, resume: bool) -> dict[str, Any] | None:
    """The configuration of the run that --resume goes on with; None for a run that begins.

    A run that failed before its first checkpoint leaves nothing to go on with, so another may begin
    in its place. Raises TrainingError where the folder holds a run and --resume is missing.
    """
    config = folder / CONFIG
    made = ("checkpoint-*", "scores.jsonl", "suggestions.jsonl", "losses.jsonl")
    if last_kind(folder) == "failed" and not any(any(folder.glob(each)) for each in made):
        return None
    if resume:
        return read_config(folder) if config.exists() else None
    if config.exists() or (folder / EVENTS).exists():
        raise TrainingError(
            f"{folder} already holds a run. Add --resume to go on with it, or choose another --out."
        )
    return None


def write_provenance(folder: Path, told: Mapping[str, Any]) -> None:
    """Writes where a run's weights, data and saliency come from to its provenance.json."""
    text = json.dumps(told, indent=2, ensure_ascii=False)
    write_whole(folder / PROVENANCE, text.encode() + b"\n")


def require_folder(folder: Path) -> None:
    """TrainingError where a run's folder is not to be had; makes nothing."""
    standing = next(each for each in (folder, *folder.parents) if each.exists())
    if not standing.is_dir():
        why = f"{standing} is a file"
    elif not os.access(standing, os.W_OK | os.X_OK):
        why = f"{standing} may not be written"
    else:
        return
    raise TrainingError(f"The folder {folder} cannot be made: {why}. Choose another --out.")


def make_folder(folder: Path) -> None:
    """Makes a run's folder; TrainingError where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise TrainingError(
            f"The folder {folder} cannot be made: {problem.strerror or problem}. Choose another "
            "--out."
        ) from None


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration that a run wrote; TrainingError where it is missing or unreadable."""
    path = folder / CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if config["format"] != FORMAT or not isinstance(config["settings"], dict):
            raise ValueError(config["format"])
    except OSError:
        raise TrainingError(f"{folder} is not a run's folder: it has no {CONFIG}.") from None
    except (ValueError, KeyError, TypeError):
        raise TrainingError(
            f"{path} is not a run's configuration of format {FORMAT}. Start a new run in another "
            "--out."
        ) from None
    return config


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Writes config.json whole or not at all."""
    text = json.dumps({"format": FORMAT, **config}, indent=2, ensure_ascii=False)
    write_whole(folder / CONFIG, text.encode() + b"\n")


def command_line(arguments: Sequence[str]) -> str:
    """The command as a person would type it again."""
    return shlex.join(["python", "-m", "training", *arguments])
