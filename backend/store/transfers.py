"""Transfers: imports and exports, how far each came and what it said."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import StoreError
from backend.store.rows import Noun, dumps, marks, now

_COLUMNS = (
    "id, kind, format, path, options, state, listing, done, total, counts, said, by, started,"
    " finished"
)


@dataclass(frozen=True)
class Transfer:
    """One import or export.

    `path` is what comes in or is written, `options` how. `state`: receiving (an upload that still
    comes), running (also where its process was killed: whoever holds the lock tells), done, failed,
    cancelled. `done` of `total` images; `listing` is a digest of the list that `done` counts in;
    `counts` are numbers by name, `said` sentences.
    """

    id: int
    kind: str
    format: str
    path: str
    options: dict[str, Any]
    state: str
    listing: str | None
    done: int
    total: int
    counts: dict[str, int]
    said: tuple[str, ...]
    by: str
    started: float
    finished: float | None


class Transfers(Noun):
    """All transfers."""

    def begin(
        self,
        kind: str,
        format: str,
        path: str,
        options: Mapping[str, Any],
        by: str,
        *,
        state: str = "running",
    ) -> Transfer:
        """Enters a transfer, or gives the same one back where it has not been finished.

        The same is one of this kind, format, path and options; a cancelled one is begun anew.
        """
        with self._connections.write() as database:
            told = dumps(dict(options))
            # An upload that is not in yet is waited for; anything else goes on.
            open_states = ("receiving",) if state == "receiving" else ("running", "failed")
            row = database.execute(
                "SELECT id FROM transfers WHERE kind = ? AND format = ? AND path = ?"
                f" AND options = ? AND state IN ({marks(len(open_states))})"
                " ORDER BY id DESC LIMIT 1",
                [kind, format, path, told, *open_states],
            ).fetchone()
            if row is not None:
                known = int(row[0])
                return self.get(known) if state == "receiving" else self.resume(known)
            id = database.execute(
                "INSERT INTO transfers (kind, format, path, options, state, by, started)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [kind, format, path, told, state, by, now()],
            ).lastrowid
            assert id is not None
            return self.get(id)

    def resume(self, id: int) -> Transfer:
        """Marks a transfer that failed or was killed as running; StoreError for an ended one."""
        with self._connections.write() as database:
            found = self.get(id)
            if found.state in ("done", "cancelled"):
                raise StoreError(f"Transfer {id} is {found.state}, so there is nothing to go on.")
            # Why it failed was said last; this attempt says its own.
            said = found.said[:-1] if found.state == "failed" else found.said
            database.execute(
                "UPDATE transfers SET state = 'running', finished = NULL, said = ? WHERE id = ?",
                [dumps([*said]), id],
            )
            return self.get(id)

    def prepare(self, id: int, path: str, options: Mapping[str, Any], format: str) -> Transfer:
        """Settles what an upload that has come in full is, and how it is brought in."""
        with self._connections.write() as database:
            database.execute(
                "UPDATE transfers SET path = ?, options = ?, format = ? WHERE id = ?",
                [path, dumps(dict(options)), format, id],
            )
            return self.get(id)

    def list_of(self, id: int, listing: str, total: int) -> Transfer:
        """Says what list it works through; another list than before is begun from its start."""
        with self._connections.write() as database:
            database.execute(
                "UPDATE transfers SET done = CASE WHEN listing = ? THEN done ELSE 0 END,"
                " counts = CASE WHEN listing = ? THEN counts ELSE '{}' END,"
                " listing = ?, total = ? WHERE id = ?",
                [listing, listing, listing, total, id],
            )
            return self.get(id)

    def advance(
        self, id: int, done: int, counts: Mapping[str, int], said: Sequence[str] = ()
    ) -> str:
        """Keeps how far it came; its state now, which is "cancelled" where somebody stopped it."""
        with self._connections.write() as database:
            database.execute(
                "UPDATE transfers SET done = ?, counts = ?, said = ? WHERE id = ?",
                [done, dumps(dict(counts)), dumps([*said]), id],
            )
            return self.get(id).state

    def end(self, id: int, state: str, said: Sequence[str]) -> Transfer:
        """Marks a transfer as done, failed or cancelled; one that is cancelled stays so."""
        with self._connections.write() as database:
            database.execute(
                "UPDATE transfers SET state = CASE state WHEN 'cancelled' THEN state ELSE ? END,"
                " said = ?, finished = ? WHERE id = ?",
                [state, dumps([*said]), now(), id],
            )
            return self.get(id)

    def cancel(self, id: int) -> Transfer:
        """Asks a transfer to stop, which it does after the images at hand; what came in stays."""
        with self._connections.write() as database:
            found = self.get(id)
            if found.state == "done":
                raise StoreError(f"Transfer {id} is done already; nothing was cancelled.")
            database.execute(
                "UPDATE transfers SET state = 'cancelled', finished = ifnull(finished, ?)"
                " WHERE id = ?",
                [now(), id],
            )
            return self.get(id)

    def get(self, id: int) -> Transfer:
        """One transfer; StoreError where there is none."""
        with self._connections.read() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM transfers WHERE id = ?", [id]
            ).fetchone()
        if row is None:
            raise StoreError(f"There is no transfer {id} in this workspace.")
        return _transfer(row)

    def latest(self, limit: int = 20) -> list[Transfer]:
        """The latest transfers, the newest first."""
        with self._connections.read() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM transfers ORDER BY id DESC LIMIT ?", [limit]
            )
            return [_transfer(row) for row in rows]


def _transfer(row: tuple) -> Transfer:
    id, kind, format, path, options, state, listing, done, total, counts, said, *rest = row
    by, started, finished = rest
    return Transfer(
        id,
        kind,
        format,
        path,
        json.loads(options),
        state,
        listing,
        done,
        total,
        json.loads(counts),
        tuple(json.loads(said)),
        by,
        started,
        finished,
    )
