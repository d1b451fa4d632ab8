"""Decisions: what reviewers said, only ever added to."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.batches import (
    FilteredSet,
    decide_all,
    filtered_set,
    require_settled,
    settle,
    stands,
    take_back,
)
from backend.store.filters import Filter
from backend.store.newest import require_newest
from backend.store.rows import Noun, now

GIVEN = ("accept", "reject", "fix", "skip")
"""Verdicts a reviewer can give; `undecided` comes back only through undo."""

_COLUMNS = (
    "id, action_id, candidate_id, mask_digest, verdict, reason, reviewer, session, client_time,"
    " server_time, supersedes, undoes, restores, batch"
)


@dataclass(frozen=True)
class Decision:
    """One row of the log; the latest row of a candidate holds its current verdict.

    `supersedes` is the row that was current before. A row made by undo has `undoes` (the decision
    taken back) and `restores` (the decision that counts again, None where none is left). `batch`
    is shared by the rows that one act on a filtered set added.
    """

    id: int
    action_id: str
    candidate_id: int
    mask_digest: str
    verdict: str
    reason: str
    reviewer: str
    session: str
    client_time: float | None
    server_time: float
    supersedes: int | None
    undoes: int | None
    restores: int | None
    batch: str | None = None


class Decisions(Noun):
    """The log of decisions, and how it reads now."""

    def record(
        self,
        candidate_id: int,
        mask_digest: str,
        verdict: str,
        *,
        reviewer: str,
        session: str,
        action_id: str,
        client_time: float | None = None,
        reason: str = "",
        fixed: int | EllipsisType | None = ...,
        batch: str | None = None,
    ) -> Decision:
        """Adds a decision, on disk when this returns.

        `mask_digest` is the mask that the reviewer saw, `action_id` the page's own name for this
        act: sent twice it is recorded once. `fixed` is the newest mask drawn by a person that the
        reviewer knew this image to have (a candidate's id, None for none; left out, it is not
        asked): where there is a newer one, NewerMask is raised and only a skip goes through.
        Raises StoreError where the candidate is unknown or has another mask, where the verdict is
        not accept, reject, fix or skip, or where the action_id was used for something else.
        """
        if verdict not in GIVEN:
            raise StoreError(f"A verdict is one of {', '.join(GIVEN)}; {verdict!r} is none.")
        _named(reviewer, action_id)

        def act(database: Database) -> Decision:
            told = self._by_action(database, action_id)
            if told is not None:
                same = (told.candidate_id, told.mask_digest, told.verdict, told.reviewer)
                if same != (candidate_id, mask_digest, verdict, reviewer) or told.undoes:
                    raise _reused(action_id)
                return told
            candidate = database.execute(
                "SELECT digest, (SELECT max(d.id) FROM decisions AS d WHERE d.candidate_id = c.id)"
                " FROM candidates AS c WHERE c.id = ?",
                [candidate_id],
            ).fetchone()
            if candidate is None:
                raise StoreError(f"There is no candidate {candidate_id} to decide on.")
            if candidate[0] != mask_digest:
                raise StoreError(
                    f"The mask you saw ({mask_digest[:12]}) is not the one of candidate "
                    f"{candidate_id} ({candidate[0][:12]}). Look at it again, then decide."
                )
            if fixed is not ... and verdict != "skip":
                require_newest(database, candidate_id, fixed)
            return self._insert(
                database,
                action_id=action_id,
                candidate_id=candidate_id,
                mask_digest=mask_digest,
                verdict=verdict,
                reason=reason,
                supersedes=candidate[1],
                batch=batch,
                **_shared(reviewer, session, client_time),
            )

        return self._connections.write_together(act)

    def filtered(self, filter: Filter) -> FilteredSet:
        """What `record_all` would decide on: how many, by verdict, and the set's name."""
        with self._connections.read() as database:
            return filtered_set(database, filter)

    def record_all(
        self,
        filter: Filter,
        verdict: str,
        *,
        digest: str,
        reviewer: str,
        session: str,
        action_id: str,
        client_time: float | None = None,
        reason: str = "",
    ) -> int:
        """Accepts or rejects every candidate under a filter, as one batch that one undo takes back.

        Those that have the verdict already are left as they are. `digest` is that of the set the
        reviewer looked at (`filtered`): where anything in it was decided since, came or went,
        StoreError is raised and nothing is recorded. Answers how many rows the batch has; the same
        action_id again answers the same. When this returns the queue shows all of it; meanwhile
        others decide on. StoreUnavailable while another such act is on its way.
        """
        if verdict not in ("accept", "reject"):
            raise StoreError(f"A whole set is accepted or rejected; {verdict!r} is neither.")
        _named(reviewer, action_id)

        def act(database: Database) -> int:
            told = database.execute(
                "SELECT verdict, reviewer, count(*) FROM decisions WHERE batch = ?", [action_id]
            ).fetchone()
            if told[2]:
                if told[:2] != (verdict, reviewer):
                    raise _reused(action_id)
                return int(told[2])
            require_settled(database)
            found = filtered_set(database, filter)
            if found.digest != digest:
                raise StoreError(
                    f"The set has changed since you looked at it; it holds {found.total:,} "
                    "masks now. Look at it again, then decide."
                )
            count = found.total - found.verdicts[verdict]
            shared = _shared(reviewer, session, client_time) | {"reason": reason}
            decide_all(database, filter, verdict, count, action_id, shared)
            return count

        settle(self._connections)
        count = self._connections.write_together(act)
        settle(self._connections)
        return count

    def undo(
        self, reviewer: str, session: str, action_id: str, client_time: float | None = None
    ) -> Decision | None:
        """Takes back the reviewer's latest decision that stands, of any session; None if none.

        Adds a row with the verdict that counts without it. Where another reviewer decided on the
        candidate since, theirs stays. A decision that was part of a batch takes the whole batch
        with it: as many rows, which share `batch`, the first of them answered. The same action_id
        takes back once, not twice.
        """
        _named(reviewer, action_id)

        def act(database: Database) -> Decision | None:
            told = self._by_action(database, action_id)
            if told is not None:
                if told.undoes is None or told.reviewer != reviewer:
                    raise _reused(action_id)
                return told
            row = database.execute(
                "SELECT id, batch FROM decisions AS d INDEXED BY decisions_by_reviewer"
                f" WHERE reviewer = ? AND {stands('d')} ORDER BY id DESC LIMIT 1",
                [reviewer],
            ).fetchone()
            if row is None:
                return None
            shared = _shared(reviewer, session, client_time)
            take_back(database, row[0], row[1], action_id, shared)
            return self._by_action(database, action_id)

        back = self._connections.write_together(act)
        settle(self._connections)
        return back

    def size_of(self, batch: str) -> int:
        """How many rows a batch has."""
        with self._connections.read() as database:
            found = database.execute("SELECT count(*) FROM decisions WHERE batch = ?", [batch])
            return int(found.fetchone()[0])

    def times(self, reviewer: str, limit: int = 200) -> list[float]:
        """When a reviewer gave the latest verdicts one by one, the newest first; server's time.

        A fix is one of them: of its two rows the one that is named by the act. Whole sets are none.
        """
        with self._connections.read() as database:
            rows = database.execute(
                "SELECT server_time FROM decisions WHERE reviewer = ? AND undoes IS NULL"
                " AND (batch IS NULL OR batch = action_id) ORDER BY id DESC LIMIT ?",
                [reviewer, limit],
            )
            return [at for (at,) in rows]

    def reviewers(self) -> list[str]:
        """Everybody who ever decided, by name; hops along the index, however long the log is."""
        with self._connections.read() as database:
            rows = database.execute(
                "WITH RECURSIVE names (name) AS ("
                " SELECT min(reviewer) FROM decisions WHERE undoes IS NULL UNION ALL"
                " SELECT (SELECT min(reviewer) FROM decisions WHERE undoes IS NULL"
                "  AND reviewer > names.name) FROM names WHERE names.name IS NOT NULL"
                ") SELECT name FROM names WHERE name IS NOT NULL"
            )
            return [name for (name,) in rows]

    def current(self, candidate_id: int) -> Decision | None:
        """The latest row of a candidate, or None where nobody decided."""
        with self._connections.read() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM current_decisions WHERE candidate_id = ?", [candidate_id]
            ).fetchone()
        return Decision(*row) if row else None

    def get(self, id: int) -> Decision:
        """One row of the log; StoreError where there is none."""
        with self._connections.read() as database:
            row = database.execute(f"SELECT {_COLUMNS} FROM decisions WHERE id = ?", [id])
            found = row.fetchone()
        if found is None:
            raise StoreError(f"There is no decision {id} in this workspace.")
        return Decision(*found)

    def history(self, image_id: int) -> list[Decision]:
        """Every row about an image's candidates, the oldest first."""
        return self._many(
            "candidate_id IN (SELECT id FROM candidates WHERE image_id = ?) ORDER BY id",
            [image_id],
        )

    def latest(self, limit: int = 50, *, reviewer: str | None = None) -> list[Decision]:
        """The latest rows of the log, the newest first, of one reviewer or (None) of all."""
        return self._many(
            "(? IS NULL OR reviewer = ?) ORDER BY id DESC LIMIT ?", [reviewer, reviewer, limit]
        )

    def count(self) -> int:
        """How many rows the log has."""
        with self._connections.read() as database:
            return int(database.execute("SELECT count(*) FROM decisions").fetchone()[0])

    def _many(self, condition: str, values: Sequence[object]) -> list[Decision]:
        with self._connections.read() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM decisions WHERE {condition}", list(values)
            )
            return [Decision(*row) for row in rows]

    def _by_action(self, database: Database, action_id: str) -> Decision | None:
        row = database.execute(
            f"SELECT {_COLUMNS} FROM decisions WHERE action_id = ?", [action_id]
        ).fetchone()
        return Decision(*row) if row else None

    def _insert(self, database: Database, **fields: object) -> Decision:
        names, values = ", ".join(fields), ", ".join("?" * len(fields))
        id = database.execute(
            f"INSERT INTO decisions ({names}) VALUES ({values})", list(fields.values())
        ).lastrowid
        row = database.execute(f"SELECT {_COLUMNS} FROM decisions WHERE id = ?", [id]).fetchone()
        return Decision(*row)


def _shared(reviewer: str, session: str, client_time: float | None) -> dict[str, object]:
    """What all rows of an act have in common."""
    return {
        "reviewer": reviewer,
        "session": session,
        "client_time": client_time,
        "server_time": now(),
    }


def _named(reviewer: str, action_id: str) -> None:
    if not reviewer.strip() or not action_id.strip():
        raise StoreError("A decision needs the reviewer's name and an action_id of its own.")


def _reused(action_id: str) -> StoreError:
    return StoreError(
        f"The action {action_id[:40]!r} was recorded before for something else; each act of a "
        "reviewer needs a name of its own."
    )
