"""Runs: one execution of a recipe, and what it made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import StoreError
from backend.store.rows import Noun, dumps, now

_COLUMNS = "id, name, recipe, folder, config, job_id, created, finished, metrics, weights_path"


@dataclass(frozen=True)
class Run:
    """A run; `finished` is None until it ended well, `weights_path` a file or None."""

    id: int
    name: str
    recipe: str
    folder: str
    config: dict[str, Any]
    job_id: int | None
    created: float
    finished: float | None
    metrics: dict[str, Any]
    weights_path: str | None


class Runs(Noun):
    """All runs, training or import."""

    def add(
        self,
        name: str,
        recipe: str,
        folder: str | Path,
        config: Mapping[str, Any] | None = None,
        job_id: int | None = None,
    ) -> int:
        """Enters a run; its id. A job's run is entered once: asked again, the same id."""
        with self._connections.write() as database:
            if job_id is not None:
                known = database.execute(
                    "SELECT id FROM runs WHERE job_id = ?", [job_id]
                ).fetchone()
                if known is not None:
                    return int(known[0])
            id = database.execute(
                "INSERT INTO runs (name, recipe, folder, config, job_id, created)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [name, recipe, str(folder), dumps(dict(config or {})), job_id, now()],
            ).lastrowid
            assert id is not None
            return id

    def finish(
        self, id: int, metrics: Mapping[str, Any], weights_path: str | Path | None = None
    ) -> Run:
        """Marks a run as ended well, with its numbers and weights."""
        with self._connections.write() as database:
            database.execute(
                "UPDATE runs SET finished = ?, metrics = ?, weights_path = ? WHERE id = ?",
                [
                    now(),
                    dumps(dict(metrics)),
                    None if weights_path is None else str(weights_path),
                    id,
                ],
            )
            return self.get(id)

    def all(self) -> list[Run]:
        """Every run, the newest first."""
        with self._connections.read() as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM runs ORDER BY id DESC")
            return [_run(row) for row in rows]

    def get(self, id: int) -> Run:
        """One run; StoreError where there is none."""
        with self._connections.read() as database:
            row = database.execute(f"SELECT {_COLUMNS} FROM runs WHERE id = ?", [id]).fetchone()
        if row is None:
            raise StoreError(f"There is no run {id} in this workspace.")
        return _run(row)

    def of_job(self, job_id: int) -> Run | None:
        """The run that a job started, or None."""
        with self._connections.read() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM runs WHERE job_id = ?", [job_id]
            ).fetchone()
        return _run(row) if row else None


def _run(row: tuple) -> Run:
    id, name, recipe, folder, config, job_id, created, finished, metrics, weights_path = row
    return Run(
        id,
        name,
        recipe,
        folder,
        json.loads(config),
        job_id,
        created,
        finished,
        json.loads(metrics),
        weights_path,
    )
