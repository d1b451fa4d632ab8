"""Decisions: what reviewers said, only ever added to."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.rows import Noun, now

GIVEN = ("accept", "reject", "fix", "skip")
"""Verdicts a reviewer can give; `undecided` comes back only through undo."""

_COLUMNS = (
    "id, action_id, candidate_id, mask_digest, verdict, reason, reviewer, session, client_time,"
    " server_time, supersedes, undoes, restores"
)


@dataclass(frozen=True)
class Decision:
    """One row of the log; the latest row of a candidate holds its current verdict.

    `supersedes` is the row that was current before. A row made by undo has `undoes` (the decision
    taken back) and `restores` (the decision that counts again, None where none is left).
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
    ) -> Decision:
        """Adds a decision, on disk when this returns.

        `mask_digest` is the mask that the reviewer saw, `action_id` the page's own name for this
        act: sent twice it is recorded once. Raises StoreError where the candidate is unknown or
        has another mask, where the verdict is not accept, reject, fix or skip, or where the
        action_id was used for something else.
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
                "SELECT digest, decision_id FROM candidates WHERE id = ?", [candidate_id]
            ).fetchone()
            if candidate is None:
                raise StoreError(f"There is no candidate {candidate_id} to decide on.")
            if candidate[0] != mask_digest:
                raise StoreError(
                    f"The mask you saw ({mask_digest[:12]}) is not the one of candidate "
                    f"{candidate_id} ({candidate[0][:12]}). Look at it again, then decide."
                )
            return self._insert(
                database,
                action_id=action_id,
                candidate_id=candidate_id,
                mask_digest=mask_digest,
                verdict=verdict,
                reason=reason,
                reviewer=reviewer,
                session=session,
                client_time=client_time,
                supersedes=candidate[1],
            )

        return self._connections.write_together(act)

    def undo(
        self, reviewer: str, session: str, action_id: str, client_time: float | None = None
    ) -> Decision | None:
        """Takes back the reviewer's latest decision that stands, of any session; None if none.

        Adds a row with the verdict that counts without it. Where another reviewer decided on the
        candidate since, theirs stays. The same action_id takes back one decision, not two.
        """
        _named(reviewer, action_id)

        def act(database: Database) -> Decision | None:
            told = self._by_action(database, action_id)
            if told is not None:
                if told.undoes is None or told.reviewer != reviewer:
                    raise _reused(action_id)
                return told
            row = database.execute(
                f"SELECT {_COLUMNS} FROM decisions AS d WHERE reviewer = ? AND undoes IS NULL AND"
                " NOT EXISTS (SELECT 1 FROM decisions AS taken WHERE taken.undoes = d.id)"
                " ORDER BY id DESC LIMIT 1",
                [reviewer],
            ).fetchone()
            if row is None:
                return None
            last = Decision(*row)
            standing = database.execute(
                "SELECT id, verdict FROM decisions AS d WHERE candidate_id = ? AND id != ? AND"
                " undoes IS NULL AND"
                " NOT EXISTS (SELECT 1 FROM decisions AS taken WHERE taken.undoes = d.id)"
                " ORDER BY id DESC LIMIT 1",
                [last.candidate_id, last.id],
            ).fetchone()
            current = database.execute(
                "SELECT decision_id FROM candidates WHERE id = ?", [last.candidate_id]
            ).fetchone()
            return self._insert(
                database,
                action_id=action_id,
                candidate_id=last.candidate_id,
                mask_digest=last.mask_digest,
                verdict=standing[1] if standing else "undecided",
                reason="",
                reviewer=reviewer,
                session=session,
                client_time=client_time,
                supersedes=current[0],
                undoes=last.id,
                restores=standing[0] if standing else None,
            )

        return self._connections.write_together(act)

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
        fields["server_time"] = now()
        names, values = ", ".join(fields), ", ".join("?" * len(fields))
        id = database.execute(
            f"INSERT INTO decisions ({names}) VALUES ({values})", list(fields.values())
        ).lastrowid
        row = database.execute(f"SELECT {_COLUMNS} FROM decisions WHERE id = ?", [id]).fetchone()
        return Decision(*row)


def _named(reviewer: str, action_id: str) -> None:
    if not reviewer.strip() or not action_id.strip():
        raise StoreError("A decision needs the reviewer's name and an action_id of its own.")


def _reused(action_id: str) -> StoreError:
    return StoreError(
        f"The action {action_id[:40]!r} was recorded before for something else; each act of a "
        "reviewer needs a name of its own."
    )
