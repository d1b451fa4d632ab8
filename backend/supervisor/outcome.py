"""How a run ended, read from its last word, its exit code and what was asked of it."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from backend.events import Event
from backend.launchers import LOG, Ended

_TAIL = 4096


@dataclass(frozen=True)
class Outcome:
    """A job's final state and, where that is not `done`, the sentence that explains it."""

    state: str
    error: str | None


def judge(
    word: Event | None, ended: Ended, *, stop_asked: bool, killed: bool, run: Path
) -> Outcome:
    """The state a dead run is left in.

    `word` is the run's finished, failed or cancelled event, if it got to say one; `stop_asked`:
    a person wanted it cancelled; `killed`: it did not stop in time and was ended.
    """
    kind = word["kind"] if word else None
    if kind == "finished":
        return Outcome("done", None)
    if kind == "failed" and word is not None:
        return Outcome("failed", str(word.get("error") or "The trainer failed without a reason."))
    if stop_asked:
        late = "It did not stop in time and was ended. " if killed else ""
        return Outcome("cancelled", f"{late}{resuming(run)}")
    if kind == "cancelled":
        return Outcome("lost", f"The trainer was told to stop from outside. {resuming(run)}")
    code = ended.code
    if code is None:
        return Outcome("lost", f"The trainer is gone without a last word. {resuming(run)}")
    if code < 0:
        return Outcome("lost", f"The trainer was ended by {_signal(-code)}. {resuming(run)}")
    if code == 0:
        said = "The trainer ended without saying that it had finished"
    else:
        said = f"The trainer ended with code {code}"
    last = last_line(run / LOG)
    return Outcome("failed", f"{said}: {last}" if last else f"{said}; its log is empty.")


def resuming(run: Path) -> str:
    """What a person can do with an unfinished run."""
    if has_checkpoint(run):
        return "Resume goes on from its last checkpoint."
    return "It had saved no checkpoint yet: “Start again” runs it from the beginning."


def has_checkpoint(run: Path) -> bool:
    """Whether a run can go on where it was; a pipeline always can, whatever stage it is at."""
    return any(run.glob("checkpoint*")) or (run / "pipeline.json").is_file()


def last_line(log: Path) -> str:
    """The last line of a log that says something; "" if there is none but the command's."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or lines[-1].startswith("$ "):
        return ""
    return lines[-1][:500]


def _signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL:
        return f"{name}, as the system does when memory runs out"
    return name
