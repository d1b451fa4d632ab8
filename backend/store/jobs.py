"""Jobs: runs that wait for, or are looked after by, the supervisor."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from backend.errors import JobError
from backend.store.job_events import JobEvents, event_row
from backend.store.rows import dumps, marks, now

STATES: dict[str, tuple[str, ...]] = {
    "queued": ("running", "cancelled"),
    "running": ("stopping", "done", "failed", "cancelled", "lost"),
    "stopping": ("done", "failed", "cancelled", "lost"),
    "done": (),
    "failed": ("queued",),
    "cancelled": ("queued",),
    "lost": ("queued", "running"),
}
"""Which state may follow which; `queued` after an end is a resume, `running` a re-adoption."""

ENDED = ("done", "failed", "cancelled", "lost")

_COLUMNS = (
    "id, key, recipe, arguments, snapshot, priority, state, submitted_by, submitted_at, supervisor,"
    " attempts, started_at, finished_at, cancel_requested_at, run_id, run_folder, pid,"
    " process_started, heartbeat_at, events_offset, exit_code, error, progress"
)
_CHANGEABLE = (
    "state",
    "priority",
    "supervisor",
    "started_at",
    "finished_at",
    "run_id",
    "run_folder",
    "pid",
    "process_started",
    "heartbeat_at",
    "events_offset",
    "exit_code",
    "error",
    "progress",
)


@dataclass(frozen=True)
class Job:
    """A queued run. `arguments` is the list after the recipe's name on the command line, or a
    dict of option names; `events_offset` is how many bytes of events.jsonl were taken in;
    `progress` the latest progress event; times are seconds since 1970."""

    id: int
    key: str | None
    recipe: str
    arguments: dict[str, Any] | list[str]
    snapshot: str | None
    priority: int
    state: str
    submitted_by: str
    submitted_at: float
    supervisor: str | None
    attempts: int
    started_at: float | None
    finished_at: float | None
    cancel_requested_at: float | None
    run_id: int | None
    run_folder: str | None
    pid: int | None
    process_started: float | None
    heartbeat_at: float | None
    events_offset: int
    exit_code: int | None
    error: str | None
    progress: dict[str, Any]


class Jobs(JobEvents):
    """The queue of jobs, their states, and the events of each."""

    def submit(
        self,
        recipe: str,
        arguments: Mapping[str, Any] | Sequence[str],
        *,
        snapshot: str | None = None,
        by: str,
        key: str | None = None,
        priority: int = 0,
    ) -> Job:
        """Queues a job; with the same `key` again, the job that is there.

        Raises JobError where the key was used for another recipe or other arguments.
        """
        kept = dict(arguments) if isinstance(arguments, Mapping) else list(arguments)
        with self._connections.write() as database:
            if key is not None:
                known = self._one(database, "key = ?", key)
                if known is not None:
                    if (known.recipe, known.arguments) != (recipe, json.loads(dumps(kept))):
                        raise JobError(
                            f"The key {key[:40]!r} belongs to job {known.id}, which is another "
                            "run. Press Train again, or leave the key out."
                        )
                    return known
            id = database.execute(
                "INSERT INTO jobs (key, recipe, arguments, snapshot, priority, state, submitted_by,"
                " submitted_at) VALUES (?, ?, ?, ?, ?, 'queued', ?, ?)",
                [key, recipe, dumps(kept), snapshot, priority, by, now()],
            ).lastrowid
            return self._get(database, id)

    def claim(self, supervisor_id: str) -> Job | None:
        """The next queued job, now running for this supervisor; None where none waits.

        Higher priority first, then the oldest. Two supervisors never get the same job.
        """
        with self._connections.write() as database:
            row = database.execute(
                "SELECT id FROM jobs WHERE state = 'queued' ORDER BY priority DESC, id LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            database.execute(
                "UPDATE jobs SET state = 'running', supervisor = ?, started_at = ?,"
                " heartbeat_at = ?, finished_at = NULL, exit_code = NULL, error = NULL,"
                " attempts = attempts + 1 WHERE id = ?",
                [supervisor_id, now(), now(), row[0]],
            )
            return self._get(database, row[0])

    def update(self, job_id: int, **fields: Any) -> Job:
        """Changes fields of a job (state, pid, process_started, run_id, run_folder, ...).

        Raises JobError for a field that cannot be set or a state that may not follow.
        """
        with self._connections.write() as database:
            self._change(database, job_id, fields)
            return self._get(database, job_id)

    def append_events(
        self, job_id: int, events: Iterable[Mapping[str, Any]], *, offset: int | None = None
    ) -> int:
        """Takes events in; how many were new. An event of a known (job, seq) changes nothing.

        The latest progress event becomes the job's `progress`, `offset` (bytes of events.jsonl read
        so far) its `events_offset`, in the same transaction, so that after a crash reading goes
        on exactly there. Raises JobError for an event without seq, time or kind; then nothing of
        the call is kept.
        """
        rows = [event_row(job_id, event) for event in events]
        progress = [body for _, _, _, kind, body in rows if kind == "progress"]
        with self._connections.write() as database:
            self._get(database, job_id)
            before = database.conn.total_changes
            database.conn.executemany(
                "INSERT OR IGNORE INTO job_events VALUES (?, ?, ?, ?, ?)", rows
            )
            new = database.conn.total_changes - before
            if progress:
                database.execute(
                    "UPDATE jobs SET progress = ? WHERE id = ?", [progress[-1], job_id]
                )
            if offset is not None:
                database.execute("UPDATE jobs SET events_offset = ? WHERE id = ?", [offset, job_id])
            return new

    def request_cancel(self, job_id: int) -> Job:
        """Asks a job to stop: a waiting one is cancelled at once, a running one is `stopping`.

        A job that ended stays as it is.
        """
        with self._connections.write() as database:
            job = self._get(database, job_id)
            if job.state == "queued":
                database.execute(
                    "UPDATE jobs SET state = 'cancelled', cancel_requested_at = ?,"
                    " finished_at = ? WHERE id = ?",
                    [now(), now(), job_id],
                )
            elif job.state == "running":
                database.execute(
                    "UPDATE jobs SET state = 'stopping', cancel_requested_at = ? WHERE id = ?",
                    [now(), job_id],
                )
            return self._get(database, job_id)

    def resume(self, job_id: int) -> Job:
        """Queues a lost, failed or cancelled job again, in the run folder it has."""
        with self._connections.write() as database:
            _allowed(self._get(database, job_id), "queued")
            database.execute(
                "UPDATE jobs SET state = 'queued', supervisor = NULL, pid = NULL,"
                " process_started = NULL, cancel_requested_at = NULL, finished_at = NULL,"
                " exit_code = NULL, error = NULL WHERE id = ?",
                [job_id],
            )
            return self._get(database, job_id)

    def get(self, job_id: int) -> Job:
        """One job; JobError where there is none."""
        with self._connections.read() as database:
            return self._get(database, job_id)

    def all(self, limit: int = 100, *, states: Sequence[str] = ()) -> list[Job]:
        """The latest jobs, the newest first, in these states or (empty) in any."""
        where = f"WHERE state IN ({marks(len(states))})" if states else ""
        with self._connections.read() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM jobs {where} ORDER BY id DESC LIMIT ?", [*states, limit]
            )
            return [_job(row) for row in rows]

    def _change(self, database: Database, job_id: int, fields: dict[str, Any]) -> None:
        unknown = set(fields) - set(_CHANGEABLE)
        if unknown:
            raise JobError(
                f"A job's {', '.join(sorted(unknown))} cannot be set; these can: "
                f"{', '.join(_CHANGEABLE)}."
            )
        job, fields = self._get(database, job_id), dict(fields)
        state = fields.get("state", job.state)
        if state != job.state:
            _allowed(job, state)
            if state in ENDED:
                fields.setdefault("finished_at", now())
        if "progress" in fields:
            fields["progress"] = dumps(fields["progress"])
        if fields.get("run_folder") is not None:
            fields["run_folder"] = str(fields["run_folder"])
        if fields:
            changes = ", ".join(f"{name} = ?" for name in fields)
            database.execute(f"UPDATE jobs SET {changes} WHERE id = ?", [*fields.values(), job_id])

    def active(self) -> list[Job]:
        """The jobs that are running or stopping, the oldest first."""
        return self.all(1_000_000, states=("running", "stopping"))[::-1]

    def _get(self, database: Database, job_id: int | None) -> Job:
        job = self._one(database, "id = ?", job_id)
        if job is None:
            raise JobError(f"There is no job {job_id} in this workspace.")
        return job

    def _one(self, database: Database, condition: str, value: object) -> Job | None:
        row = database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {condition}", [value]).fetchone()
        return _job(row) if row else None


def _allowed(job: Job, state: str) -> None:
    if state not in STATES:
        raise JobError(f"{state!r} is no state of a job; there are {', '.join(STATES)}.")
    if state not in STATES[job.state]:
        after = ", ".join(STATES[job.state]) or "nothing"
        raise JobError(f"Job {job.id} is {job.state} and cannot become {state}; only {after}.")


def _job(row: tuple) -> Job:
    values = list(row)
    values[3] = json.loads(values[3])
    values[-1] = json.loads(values[-1])
    return Job(*values)
