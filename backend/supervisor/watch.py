"""One run being watched: its process, how far its events are stored, what it said last."""

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.events import LAST_WORDS, Event, Position, read_events
from backend.launchers import Ended, Process
from backend.supervisor.outcome import Outcome

if TYPE_CHECKING:
    from backend.store import Job, Store

EVENTS = "events.jsonl"
HEARTBEAT = "heartbeat"
ATTEMPT = "attempt"
STOPPING = "stopping"
_TELLING = (ATTEMPT, STOPPING, "started", *LAST_WORDS)
_PIECES_AT_ONCE = 8


@dataclass
class Watch:
    """A run from its start, or its adoption, until the job has its final state.

    `process` is None where the trainer could not be started; `noted` says that the store knows of
    the process; `stop_asked_at` is on the supervisor's clock; `products` is the registering of what
    the run made, done in another thread.
    """

    job: "Job"
    folder: Path
    process: Process | None
    position: Position
    command: str = ""
    noted: bool = False
    word: Event | None = None
    stop_asked_at: float | None = None
    killed: bool = False
    ended: Ended | None = None
    products: "Future[list[str]] | None" = None
    outcome: Outcome | None = None

    def take_in(self, store: "Store") -> bool:
        """Stores what the run said since last time; True if there was anything.

        Events and the position behind them are stored in one transaction, so each is stored once
        however often supervisors die.
        """
        anything = False
        for _ in range(_PIECES_AT_ONCE):
            events, position = read_events(self.folder / EVENTS, self.position)
            if position == self.position:
                break
            store.jobs.append_events(self.job.id, events, offset=position.offset)
            for event in events:
                self.heed(event)
            self.position = position
            anything = True
        return anything

    def say(self, store: "Store", kind: str, now: float, **body: Any) -> None:
        """Stores an event of the supervisor's own among the run's."""
        event = {"seq": self.position.seq, "time": now, "kind": kind, **body}
        store.jobs.append_events(self.job.id, [event], offset=self.position.offset)
        self.position = Position(self.position.offset, self.position.seq + 1)

    def heartbeat(self) -> float | None:
        """When the run last said that it lives, in seconds since the epoch."""
        try:
            return (self.folder / HEARTBEAT).stat().st_mtime
        except OSError:
            return None

    def heed(self, event: Event) -> None:
        """Remembers what decides how the attempt ended, and whether it was told to."""
        kind = event["kind"]
        if kind in LAST_WORDS:
            self.word = event
        elif kind in (ATTEMPT, "started"):
            self.word = None
        elif kind == STOPPING:
            self.stop_asked_at = 0.0


def begun(store: "Store", job: "Job", folder: Path, process: Process | None) -> Watch:
    """The watch of a job as the store knows it: just claimed, or begun by an earlier supervisor."""
    seq = store.jobs.last_seq(job.id) + 1
    watch = Watch(job, folder, process, Position(job.events_offset, seq))
    stored = store.jobs.events(job.id, kinds=_TELLING, limit=100_000)
    told = [{**each.body, "seq": each.seq, "time": each.time, "kind": each.kind} for each in stored]
    if told and told[-1]["kind"] == "finished":
        watch.word = told[-1]
    for event in _of_attempt(told, job.attempts):
        watch.noted = True
        watch.heed(event)
    return watch


def _of_attempt(told: list[Event], number: int) -> list[Event]:
    """The events from this attempt's own on: an earlier one's last word is not its."""
    for index, event in enumerate(told):
        if event["kind"] == ATTEMPT and event.get("number") == number:
            return told[index:]
    return []
