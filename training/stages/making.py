"""Making one stage: its folder prepared, its command run as a child, what it made put on record."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.events import Event
from training.errors import TrainingError
from training.events import EventWriter
from training.run import CONFIG, Cancelled, Run
from training.stages.child import Ended, run_child
from training.stages.measuring import FILE as MEASURED
from training.stages.record import Record, checkpoint_is_whole, outputs_of, read_record
from training.stages.stage import PREDICT, PREDICTIONS
from training.stages.verdicts import DAMAGED, Verdict

LEFT_OUT = ("left out", "get no labels")
PASSED_ON = ("epoch", "epochs", "images_per_second", "seconds_left")


@dataclass
class Made:
    """How a stage was made: its record, and the sentences that people should read."""

    record: Record
    messages: list[str] = field(default_factory=list)


def make(
    run: Run,
    verdict: Verdict,
    folders: dict[str, Path],
    lock: int,
    tell: Callable[..., None],
    images: int,
) -> Made:
    """Makes a stage, or goes on with it.

    folders: those of the stages it stands on, by name; lock: the stage's, which is held; tell:
    hears of progress; images: how many its list has. Raises TrainingError with the child's
    sentence, DataError on a full disk, and Cancelled once the child has saved.
    """
    stage, folder = verdict.stage, verdict.folder
    assert run.data is not None
    record = _prepared(verdict, stage.places(run.preset, run.data, folders))
    words = stage.words(run.preset, run.seed, run.data, folders)
    words += ["--out", str(stage.output(folder))]
    if stage.command != PREDICT and (folder / CONFIG).is_file():
        words.append("--resume")
    began = time.time()
    record.started = record.started or began
    record.command = words
    record.write(folder)
    messages: list[str] = []
    heard = _Listener(tell, stage.output(folder), images, stage.command == PREDICT, messages)
    try:
        ended = run_child(run, words, folder, lock, heard)
    finally:
        record.seconds += time.time() - began
        record.write(folder)
    _require_success(run, stage.title, ended, messages)
    told: dict[str, Any] = ended.finished or {}
    metrics = told.get("metrics")
    if isinstance(metrics, dict):
        record.figures = {k: v for k, v in metrics.items() if isinstance(v, int | float)}
    record.outputs = outputs_of(folder, stage.gives)
    _require_outputs(verdict, record)
    record.finished = time.time()
    record.write(folder)
    return Made(record, messages)


def _prepared(verdict: Verdict, places: list[str]) -> Record:
    """The folder as the command needs it, and its record, not done.

    A damaged stage is un-finished and goes on from the end of its training, if that is whole; one
    that began with other places (something was moved, or a list has another name) begins again.
    """
    folder = verdict.folder
    folder.mkdir(parents=True, exist_ok=True)
    before = read_record(folder)
    record = Record(verdict.stage.name, verdict.digest, verdict.made_of, places)
    if before is None:
        return record
    same = before.places == places
    if verdict.state == DAMAGED and not checkpoint_is_whole(folder, before):
        same = False
    if not same:
        shutil.rmtree(folder)
        folder.mkdir()
        return record
    record.started, record.seconds = before.started, before.seconds
    record.write(folder)
    (folder / MEASURED).unlink(missing_ok=True)
    for name in verdict.bad:
        (folder / name).unlink(missing_ok=True)
    if verdict.state == DAMAGED and verdict.stage.command != PREDICT:
        _unfinish(folder, verdict.why)
    return record


def _unfinish(folder: Path, why: str) -> None:
    """Adds a word to a finished run's events, so that --resume takes it up again."""
    writer = EventWriter(folder)
    try:
        writer.write("message", text=f"Made again: {why}.")
    finally:
        writer.close()


class _Listener:
    """Hears a child's events, and counts its files where it has none."""

    def __init__(
        self, tell: Callable[..., None], out: Path, images: int, counts: bool, messages: list[str]
    ) -> None:
        self._tell = tell
        self._out = out
        self._images = images
        self._counts = counts
        self._messages = messages
        self._began = time.monotonic()
        self._first: int | None = None

    def __call__(self, event: Event | None) -> None:
        if event is None:
            if self._counts:
                self._count()
        elif event["kind"] == "progress":
            known = {name: event[name] for name in PASSED_ON if event.get(name) is not None}
            if event.get("stage"):
                known["part"] = event["stage"]
            loss = event.get("loss")
            if isinstance(loss, dict) and loss.get("total") is not None:
                known["loss"] = loss["total"]
            self._tell(event.get("step", 0), event.get("steps", 0), **known)
        elif event["kind"] == "message" and _leaves_out(str(event.get("text"))):
            self._messages.append(str(event["text"]))

    def _count(self) -> None:
        done = sum(1 for _ in self._out.glob("*.png"))
        if self._first is None:
            self._first = done
        numbers = {}
        if done > self._first:
            each = (time.monotonic() - self._began) / (done - self._first)
            numbers["seconds_left"] = each * (self._images - done)
        self._tell(done, self._images, **numbers)


def _leaves_out(sentence: str) -> bool:
    return any(words in sentence for words in LEFT_OUT)


def _require_success(run: Run, title: str, ended: Ended, messages: list[str]) -> None:
    if ended.code == 0:
        return
    if run.stopping:
        raise Cancelled
    if "images are left out" in ended.sentence:
        # `predict` says so with its exit status; what could be predicted is there.
        messages.append(ended.sentence)
        return
    hint = ""
    if "--" in ended.sentence:
        hint = " (Options of a stage are given to the pipeline as --set STAGE.OPTION=VALUE.)"
    raise TrainingError(f"{title}: {ended.sentence}{hint}")


def _require_outputs(verdict: Verdict, record: Record) -> None:
    for what in verdict.stage.gives:
        names = {"weights": "weights.safetensors", "predictions": PREDICTIONS}.get(what, what)
        if not any(each.startswith(names) for each in record.outputs):
            raise TrainingError(
                f"{verdict.stage.title} ended without {what} in {verdict.folder}; its log.txt says "
                "what it did."
            )
