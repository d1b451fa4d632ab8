"""Fixes: masks that a reviewer drew over a candidate, each a new version beside the old one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlite_utils import Database

from backend.errors import NewerMask, StoreError
from backend.labels import decode_labels
from backend.store.assignments import independent
from backend.store.candidates import Candidate, Candidates
from backend.store.decisions import Decision, Decisions
from backend.store.events import DRAWN
from backend.store.leases import require_free
from backend.store.newest import drawn_by, require_newest
from backend.store.rows import Noun


@dataclass(frozen=True)
class Fix:
    """A fix on record: the new candidate, the one it was drawn from, and the decision."""

    candidate_id: int
    parent_id: int
    decision: Decision


class Fixes(Noun):
    """What reviewers drew, kept as candidates by the method `fixed`."""

    def record(
        self,
        parent_id: int,
        parent_digest: str,
        labels: bytes,
        *,
        fixed: int | None,
        reviewer: str,
        session: str,
        action_id: str,
        client_time: float | None = None,
        reason: str = "",
    ) -> Fix:
        """Adds a mask drawn over a candidate as a version of its own, on disk when this returns.

        `labels` is a label PNG, `parent_digest` the mask that was drawn over, `fixed` the newest
        drawn mask that the reviewer knew the image to have (a candidate's id, None for none). The
        new candidate is decided `fix` and its parent, unless it is that already, `reject` as
        replaced: in one transaction, as one batch that one undo takes back. The same action_id is
        recorded once. Raises Conflict where another visit holds the lease on the image, NewerMask
        where there is a newer drawn mask than the reviewer knew of, StoreError for an unknown
        candidate, another mask than it has or one that does not differ from it, DataError for
        labels that do not fit the image.
        """
        candidates = Candidates(self._connections, self._files)
        decisions = Decisions(self._connections, self._files)
        parent = candidates.get(parent_id)
        checked = candidates.check(parent.image_id, DRAWN, labels, parent_id=parent_id)
        self._require_change(parent, labels)
        act_of: dict[str, Any] = {
            "reviewer": reviewer,
            "session": session,
            "client_time": client_time,
            "batch": action_id,
        }

        def act(database: Database) -> Fix:
            told = database.execute(
                "SELECT 1 FROM decisions WHERE action_id = ?", [action_id]
            ).fetchone()
            if told is None:
                require_free(database, parent.image_id, reviewer, session)
                _require_seen(database, parent, fixed, reviewer)
            [(drawn, _)] = candidates.enter([checked])
            if told is None and _verdict(database, parent_id) != "reject":
                decisions.record(
                    parent_id,
                    parent_digest,
                    "reject",
                    action_id=f"{action_id}/{parent_id}",
                    reason=f"replaced by the drawn mask {checked.digest[:12]}",
                    **act_of,
                )
            if parent.digest != parent_digest:
                raise StoreError(
                    f"You drew over the mask {parent_digest[:12]}, but candidate {parent_id} is "
                    f"{parent.digest[:12]}. Open it again, then draw."
                )
            # What an act was used for before is answered again, or refused, by its name.
            decision = decisions.record(
                drawn, checked.digest, "fix", action_id=action_id, reason=reason, **act_of
            )
            return Fix(drawn, parent_id, decision)

        return self._connections.write_together(act)

    def _require_change(self, parent: Candidate, labels: bytes) -> None:
        before = decode_labels(self._files.read(parent.digest), "The mask that was drawn over")
        if np.array_equal(before, decode_labels(labels)):
            raise StoreError(
                "This mask does not differ from the one it was drawn over, so there is no new "
                "version to keep. Accept that one if it is good as it is."
            )


def _require_seen(database: Database, parent: Candidate, fixed: int | None, reviewer: str) -> None:
    """Raises NewerMask, except between two who are to draw without knowing of each other."""
    try:
        require_newest(database, parent.id, fixed)
    except NewerMask as newer:
        author = drawn_by(database, newer.candidate)
        blind = author and independent(database, parent.image_id, reviewer, author)
        if author == reviewer or not blind:
            raise


def _verdict(database: Database, candidate_id: int) -> str:
    row = database.execute("SELECT verdict FROM candidates WHERE id = ?", [candidate_id])
    return str(row.fetchone()[0])
