"""Jobs as the Train tab shows them: a short row each, and what is new of the one in view."""

import codecs
import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.launchers import LOG
from backend.store import ENDED, Job, Run, Store
from backend.supervisor.outcome import has_checkpoint
from backend.supervisor.watch import ATTEMPT, HEARTBEAT, STOPPING

MOST_EVENTS = 400
MOST_LOG = 16 * 1024
_POINT = ("step", "epoch", "learning_rate", "images_per_second", "seconds_left")
_NUMBERS = ("stage", "step", "steps", "epoch", "epochs", "seconds_left", "images_per_second")
_OF_A_PIPELINE = ("done", "of", "part", "loss")
_RESULTS = ("miou", "labels_miou", "max_f", "tag_accuracy", "SF", "SC", "loss", "images")
_FILM = re.compile(r"photographs\.jpg|[0-9]{8}\.png")
_TOLD = (
    "epoch",
    "message",
    "metric",
    "validation",
    "finished",
    "failed",
    "cancelled",
    "chain",
    ATTEMPT,
    STOPPING,
)


class Rows:
    """The rows of a list of jobs; those of ended jobs are kept, as the list is asked for often."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[int, tuple[tuple[Any, ...], dict[str, Any], str]] = {}

    def of(self, jobs: list[Job]) -> tuple[str, list[dict[str, Any]]]:
        """A name that changes with any row, and the rows."""
        kept: dict[int, tuple[tuple[Any, ...], dict[str, Any], str]] = {}
        for job in jobs:
            key = (job.state, job.attempts, job.finished_at)
            known = self._kept.get(job.id)
            if known is None or known[0] != key or job.state not in ENDED:
                made = self._row(job)
                known = (key, made, json.dumps(made))
            kept[job.id] = known
        self._kept = kept
        text = "".join(each[2] for each in kept.values())
        rev = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        return rev, [each[1] for each in kept.values()]

    def _row(self, job: Job) -> dict[str, Any]:
        run = self._store.runs.of_job(job.id) if job.run_id else None
        return row(job, self._snapshot(job.snapshot), run)

    def _snapshot(self, digest: str | None) -> str:
        return self._store.snapshots.get(digest).name if digest else ""


def row(job: Job, snapshot: str, run: Run | None) -> dict[str, Any]:
    """A job in a list; `snapshot` is the name of what it learns from. `result` is the number to
    know it by: what its run measured, or the loss of a run on its way."""
    progress = {name: job.progress[name] for name in _NUMBERS if name in job.progress}
    if job.recipe == "pipeline":
        progress |= {n: job.progress[n] for n in _OF_A_PIPELINE if n in job.progress}
    measured = run.metrics if run else {}
    found = [name for name in _RESULTS if isinstance(measured.get(name), int | float)]
    loss = job.progress.get("loss")
    loss = loss.get("total") if isinstance(loss, dict) else loss
    return {
        "id": job.id,
        "recipe": job.recipe,
        "preset": option(job, "--preset"),
        "method": option(job, "--method") if job.recipe == "pipeline" else None,
        "state": job.state,
        "error": job.error,
        "by": job.submitted_by,
        "submitted_at": job.submitted_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "attempts": job.attempts,
        "snapshot": job.snapshot,
        "data": snapshot,
        "progress": progress,
        "result": [found[0], measured[found[0]]]
        if found
        else []
        if loss is None
        else ["loss", loss],
    }


def option(job: Job, flag: str) -> str | None:
    """The value after a flag of the job's arguments, None where it was not given."""
    words = job.arguments
    if isinstance(words, dict):
        value = words.get(flag.lstrip("-").replace("-", "_"))
        return None if value is None else str(value)
    at = words.index(flag) + 1 if flag in words else len(words)
    return words[at] if at < len(words) else None


@dataclass(frozen=True)
class News:
    """What a browser already has of a job: events up to `after`, its log up to byte `log`."""

    after: int = -1
    log: int = -1


def detail(store: Store, job: Job, root: Path, news: News) -> dict[str, Any]:
    """What is new of one job. `more` says that further events wait; ask again at once.

    Progress comes as `points`: rows of `columns`, so that a long run's curve is short to send.
    """
    folder = root / job.run_folder if job.run_folder else None
    events = store.jobs.events(job.id, news.after, limit=MOST_EVENTS)
    points, told, film = [], [], []
    parts: list[str] = []
    for event in events:
        if event.kind == "progress":
            loss = event.body.get("loss")
            if not isinstance(loss, dict):
                continue  # Making maps counts images, not steps.
            parts += [name for name in loss if name not in parts]
            points.append((event, loss))
        elif event.kind == "film":
            film.append({**event.body, "seq": event.seq, "time": event.time})
        elif event.kind in _TOLD:
            told.append({**event.body, "seq": event.seq, "time": event.time, "kind": event.kind})
    run = store.runs.of_job(job.id)
    return {
        "id": job.id,
        "after": events[-1].seq if events else news.after,
        "more": len(events) == MOST_EVENTS,
        "columns": ["seq", "time", *_POINT, *parts],
        "points": [
            [event.seq, event.time, *map(event.body.get, _POINT), *map(loss.get, parts)]
            for event, loss in points
        ],
        "told": told,
        "film": film,
        "run": _run(run, folder),
        "log": tail(folder / LOG, news.log) if folder else None,
        "silent_for": _silence(job, folder),
        "checkpoint": bool(folder and has_checkpoint(folder)),
        "folder": job.run_folder,
    }


def film_file(folder: Path, name: str) -> Path | None:
    """A file of a run's film by its name: its photographs or a frame; None for any other."""
    if not _FILM.fullmatch(name):
        return None
    film = folder.resolve() / "film"
    path = (film / name).resolve()
    # A link in the folder may lead anywhere.
    return path if path.parent == film and path.is_file() else None


def tail(path: Path, known: int) -> dict[str, Any] | None:
    """What a log has behind byte `known`, at most its last 16 KiB; None where nothing is new.

    `fresh` says that the text does not follow on what is known: begin anew with it.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size == known:
                return None
            fresh = not 0 <= size - known <= MOST_LOG or known < 0
            start = max(0, size - MOST_LOG) if fresh else known
            file.seek(start)
            data = file.read(size - start)
    except OSError:
        return None
    if fresh and start > 0:
        data = data[data.find(b"\n") + 1 :]
    # A character that is written in part is sent whole the next time.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    end = size - len(decoder.getstate()[0])
    if not text and not fresh:
        return None
    return {"text": text, "fresh": fresh, "end": end, "cut": fresh and start > 0}


def _run(run: Run | None, folder: Path | None) -> dict[str, Any] | None:
    if run is None:
        return None
    done = run.finished is not None
    weights = f"run:{run.id}" if done and run.weights_path else None
    labels = done and folder is not None and (folder / "labels").is_dir()
    told = {"id": run.id, "name": run.name, "metrics": run.metrics, "weights": weights}
    return {**told, "labels": labels}


def _silence(job: Job, folder: Path | None) -> float | None:
    """Seconds since a running trainer last touched its heartbeat, None where it has none."""
    if folder is None or job.state not in ("running", "stopping"):
        return None
    try:
        return max(0.0, time.time() - (folder / HEARTBEAT).stat().st_mtime)
    except OSError:
        return None
