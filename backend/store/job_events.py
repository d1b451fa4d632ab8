"""What jobs told on their way, each event once; and which supervisor looks after them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import JobError
from backend.store.rows import Noun, dumps, marks, now


@dataclass(frozen=True)
class JobEvent:
    """A line of a run's events.jsonl: `body` holds what stands beside seq, time and kind."""

    job_id: int
    seq: int
    time: float
    kind: str
    body: dict[str, Any]


@dataclass(frozen=True)
class SupervisorSeen:
    """A supervisor and when it last said that it lives."""

    id: str
    host: str
    pid: int
    started_at: float
    heartbeat_at: float


class JobEvents(Noun):
    """The events of every job, in the order of their seq."""

    def events(
        self,
        job_id: int,
        after_seq: int = -1,
        kinds: Sequence[str] | None = None,
        limit: int = 1000,
    ) -> list[JobEvent]:
        """The first `limit` events behind `after_seq`, of these kinds or (None) of all."""
        which = f" AND kind IN ({marks(len(kinds))})" if kinds else ""
        with self._connections.read() as database:
            rows = database.execute(
                "SELECT job_id, seq, time, kind, body FROM job_events"
                f" WHERE job_id = ? AND seq > ?{which} ORDER BY seq LIMIT ?",
                [job_id, after_seq, *(kinds or ()), limit],
            )
            return [
                JobEvent(job, seq, time, kind, json.loads(body))
                for job, seq, time, kind, body in rows
            ]

    def last_seq(self, job_id: int) -> int:
        """The highest seq of a job's events, -1 where it has none."""
        with self._connections.read() as database:
            row = database.execute("SELECT max(seq) FROM job_events WHERE job_id = ?", [job_id])
            last = row.fetchone()[0]
        return -1 if last is None else int(last)

    def beat(self, supervisor_id: str, host: str, pid: int) -> None:
        """A supervisor says that it lives."""
        with self._connections.write() as database:
            database.execute(
                "INSERT INTO supervisors"
                " VALUES (?, ?, ?, ?, ?, (SELECT ifnull(max(beat), 0) + 1 FROM supervisors))"
                " ON CONFLICT (id) DO UPDATE"
                " SET heartbeat_at = excluded.heartbeat_at, beat = excluded.beat",
                [supervisor_id, host, pid, now(), now()],
            )

    def last_supervisor(self) -> SupervisorSeen | None:
        """The supervisor heard from last, or None."""
        with self._connections.read() as database:
            row = database.execute(
                "SELECT id, host, pid, started_at, heartbeat_at FROM supervisors"
                " ORDER BY beat DESC LIMIT 1"
            ).fetchone()
        return SupervisorSeen(*row) if row else None


def event_row(job_id: int, event: Mapping[str, Any]) -> tuple[int, int, float, str, str]:
    """An event as (job, seq, time, kind, JSON of the rest); JobError where it is none."""
    body = dict(event)
    try:
        seq, time, kind = body.pop("seq"), body.pop("time"), body.pop("kind")
        good = type(seq) is int and seq >= 0 and isinstance(kind, str)
        if not good or not isinstance(time, int | float):
            raise ValueError("seq is a count from 0, time is in seconds, kind is a word")
        return job_id, seq, float(time), kind, dumps(body)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise JobError(
            f"An event of job {job_id} is not one ({error!r}): {event!r:.120}"
        ) from error
