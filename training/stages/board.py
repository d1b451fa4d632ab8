"""Where a pipeline stands: told as events for whoever watches, and kept whole as pipeline.json."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.atomic import write_whole
from training.run import PROGRESS_SECONDS, Run
from training.stages.record import Record
from training.stages.verdicts import Verdict

FILE = "pipeline.json"
FORMAT = "tagmask-pipeline/1"
ELSEWHERE = "another pipeline is making it"
WAITING, RUNNING, DONE, REUSED, FAILED = "waiting", "running", "done", "reused", "failed"


class Board:
    """The chain's states, one row a stage. `about` says what the pipeline is.

    Every change is an event `chain` with all rows, so that a watcher needs only the last one, and
    progress within a stage an event `progress` that names the stage and how many are done.
    """

    def __init__(self, run: Run, about: Mapping[str, Any], verdicts: list[Verdict]) -> None:
        self.run = run
        self.about = dict(about)
        self.rows = [_row(verdict) for verdict in verdicts]
        self._told_at = 0.0
        self.tell()

    def begin(self, name: str) -> None:
        self._change(name, state=RUNNING)

    def wait(self, name: str) -> None:
        """Says, once, that another pipeline makes the stage."""
        if self._find(name)["why"] != ELSEWHERE:
            self._change(name, why=ELSEWHERE)

    def end(self, name: str, record: Record) -> None:
        self._change(name, state=DONE, **_of(record))

    def fail(self, name: str, sentence: str) -> None:
        self._change(name, state=FAILED, error=sentence)

    def figure(self, name: str, figures: Mapping[str, float]) -> None:
        """Adds what was measured of a stage's labels."""
        row = self._find(name)
        self._change(name, figures={**row["figures"], **figures})

    def progress(self, name: str, step: int, steps: int, **numbers: Any) -> None:
        """How far the stage at work is; told at most once a second."""
        now = time.monotonic()
        if now - self._told_at < PROGRESS_SECONDS or not steps:
            return
        self._told_at = now
        done = sum(row["state"] in (DONE, REUSED) for row in self.rows)
        of = len(self.rows)
        self.run.event("progress", stage=name, step=step, steps=steps, done=done, of=of, **numbers)

    def tell(self) -> None:
        """Writes pipeline.json and the event."""
        self.run.event("chain", stages=self.rows)
        told = {"format": FORMAT, **self.about, "stages": self.rows}
        text = json.dumps(told, indent=1, ensure_ascii=False)
        write_whole(self.run.folder / FILE, text.encode() + b"\n")

    def _change(self, name: str, **change: Any) -> None:
        self._find(name).update(change)
        self.tell()

    def _find(self, name: str) -> dict[str, Any]:
        return next(row for row in self.rows if row["name"] == name)


def read_pipeline(out: Path) -> dict[str, Any]:
    """What the last pipeline in a folder left on record, {} where there was none."""
    try:
        told = json.loads((out / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) and told.get("format") == FORMAT else {}


def digests_of(told: Mapping[str, Any]) -> dict[str, str]:
    """The digests of a recorded pipeline's stages by name."""
    return {row["name"]: row["digest"] for row in told.get("stages", [])}


def _row(verdict: Verdict) -> dict[str, Any]:
    stage = verdict.stage
    row: dict[str, Any] = {
        "name": stage.name,
        "title": stage.title,
        "command": stage.command,
        "digest": verdict.digest,
        "folder": str(verdict.folder),
        "state": REUSED if verdict.is_done else WAITING,
        "why": verdict.why,
        "figures": {},
        "seconds": None,
        "started": None,
        "finished": None,
    }
    if verdict.is_done and verdict.record is not None:
        row |= _of(verdict.record)
    return row


def _of(record: Record) -> dict[str, Any]:
    return {
        "digest": record.digest,
        "figures": record.figures,
        "seconds": round(record.seconds, 1),
        "started": record.started,
        "finished": record.finished,
    }
