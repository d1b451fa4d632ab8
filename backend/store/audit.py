"""Audit: all that was done to an image, and going back to how it was by doing one thing more."""

from types import EllipsisType

from sqlite_utils import Database

from backend.errors import Conflict, StoreError
from backend.store.events import Event, events_of
from backend.store.flags import Flags
from backend.store.newest import require_newest
from backend.store.rows import Noun, now
from backend.store.tags import TagEdit, Tags

BEFORE, AFTER = "before", "after"
"""Where a revert goes: to what was before an event, or back to what the event made."""


class Audit(Noun):
    """Reads the logs of decisions, tags, flags and assignments together."""

    def history(self, image_id: int, viewer: str | None = None) -> list[Event]:
        """Every event of an image, the oldest first; StoreError where there is no such image.

        `viewer`: a reviewer who may still have to judge it unhinted. What others said who judge it
        too is left out until this one has (see `withheld`).
        """
        with self._connections.read() as database, database.atomic():
            events = events_of(database, image_id)
            others = _withheld(database, image_id, viewer)
        return [each for each in events if each.by not in others or each.kind != "decision"]

    def withheld(self, image_id: int, viewer: str) -> list[str]:
        """Who else judges an image that `viewer` is assigned to and has not judged yet."""
        with self._connections.read() as database:
            return sorted(_withheld(database, image_id, viewer))

    def revert(
        self,
        image_id: int,
        key: str,
        to: str,
        *,
        seen: str,
        reviewer: str,
        session: str,
        action_id: str,
        client_time: float | None = None,
        fixed: int | EllipsisType | None = ...,
    ) -> Event:
        """Goes back to what was `before` the event `key`, or to what was `after` it; the new event.

        `seen` is the key of the event that is current for the same thing (a mask's verdict, the
        tags, the flag), as the reviewer saw it: where another came since, Conflict says so and
        nothing changes. `fixed` is as for `Decisions.record`: where a verdict that keeps a mask
        comes back and there is a newer drawn one than the reviewer knew of, NewerMask says so.
        What one act did to several masks of the image goes back together. The same action_id
        reverts once.
        """
        if to not in (BEFORE, AFTER):
            raise StoreError(f"A revert goes to what was before or after an event, not {to!r}.")
        if not reviewer.strip() or not action_id.strip():
            raise StoreError("A revert needs the reviewer's name and an action_id of its own.")

        def act(database: Database) -> Event:
            told = _told(database, image_id, action_id, reviewer)
            if told is not None:
                return told
            events = {each.key: each for each in events_of(database, image_id)}
            event = events.get(key)
            if event is None or event.aspect is None:
                raise StoreError(f"The history of this image has no {key!r} to go back to.")
            current = next(e for e in events.values() if e.aspect == event.aspect and e.current)
            if current.key != seen:
                raise Conflict(
                    f"{current.by} {current.says} since you looked. Nothing was changed; look at "
                    "the history again.",
                    {"current": current.key},
                )
            _require_change(event, to)
            if event.kind == "tags":
                was = set(event.tags_before if to == BEFORE else event.tags)
                has = set(current.tags)
                Tags(self._connections, self._files).change(
                    [TagEdit((image_id,), tuple(sorted(was - has)), tuple(sorted(has - was)))],
                    reviewer=reviewer,
                    session=session,
                    action_id=action_id,
                    client_time=client_time,
                )
            elif event.kind == "flag":
                Flags(self._connections, self._files).set(
                    image_id,
                    bool(event.flagged) is not (to == BEFORE),
                    reviewer=reviewer,
                    session=session,
                    action_id=action_id,
                    client_time=client_time,
                )
            else:
                fields = (action_id, reviewer, session, client_time)
                _revert_decision(database, image_id, event, to, fields, fixed)
            made = _told(database, image_id, action_id, reviewer)
            assert made is not None
            return made

        return self._connections.write_together(act)


def _require_change(event: Event, to: str) -> None:
    """A row that changes nothing would only blur the history."""
    if event.back_to == to:
        return
    if to == BEFORE and not event.current:
        raise StoreError(
            "Other things were done since, so there is no going back to just before it. Choose "
            "the event whose result you want again."
        )
    raise StoreError("This would change nothing: it is so already.")


def _revert_decision(
    database: Database,
    image_id: int,
    event: Event,
    to: str,
    act: tuple[str, str, str, float | None],
    fixed: int | EllipsisType | None,
) -> None:
    """Adds a decision that repeats an earlier one, for every mask of the image in the same act."""
    action_id, reviewer, session, client_time = act
    id = int(event.key.partition(":")[2])
    rows = database.execute(
        "SELECT d.id, d.candidate_id, c.digest, c.decision_id, d.supersedes"
        " FROM decisions AS d JOIN candidates AS c ON c.id = d.candidate_id"
        " WHERE d.id = ? OR (d.batch IS NOT NULL AND c.image_id = ?"
        " AND d.batch = (SELECT batch FROM decisions WHERE id = ?)"
        " AND d.undoes IS NULL) ORDER BY d.id = ? DESC, d.id",
        [id, image_id, id, id],
    ).fetchall()
    at = now()
    for number, (each, candidate, digest, current, superseded) in enumerate(rows):
        target = superseded if to == BEFORE else each
        if number and (current != each if to == BEFORE else current == each):
            # Somebody judged this other mask since; theirs stays.
            continue
        origin, verdict = _origin(database, target)
        if not number and verdict in ("accept", "fix") and fixed is not ...:
            require_newest(database, candidate, fixed)
        database.execute(
            "INSERT INTO decisions (action_id, candidate_id, mask_digest, verdict, reviewer,"
            " session, client_time, server_time, supersedes, restores, batch)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                action_id if not number else f"{action_id}.{number}",
                candidate, digest, verdict, reviewer, session, client_time, at, current, origin,
                action_id if len(rows) > 1 else None,
            ],
        )  # fmt: skip


def _origin(database: Database, id: int | None) -> tuple[int | None, str]:
    """The decision that a row stands for, which may be one that it brought back; its verdict."""
    if id is None:
        return None, "undecided"
    restores, verdict = database.execute(
        "SELECT restores, verdict FROM decisions WHERE id = ?", [id]
    ).fetchone()
    return (None if verdict == "undecided" else restores or id), str(verdict)


def _told(database: Database, image_id: int, action_id: str, reviewer: str) -> Event | None:
    """The event that an action_id made before; StoreError where it was another act than this."""
    for event in events_of(database, image_id):
        if event.action_id == action_id and event.by == reviewer:
            return event
    used = database.execute(
        "SELECT 1 FROM decisions WHERE action_id = ? UNION ALL SELECT 1 FROM flags"
        " WHERE action_id = ? UNION ALL SELECT 1 FROM tag_changes WHERE action_id = ?",
        [action_id, action_id, action_id],
    ).fetchone()
    if used:
        raise StoreError(
            f"The action {action_id[:40]!r} was recorded before for something else; each act of a "
            "reviewer needs a name of its own."
        )
    return None


def _withheld(database: Database, image_id: int, viewer: str | None) -> set[str]:
    whose = {
        name
        for (name,) in database.execute(
            "SELECT reviewer FROM assignments WHERE image_id = ?", [image_id]
        )
    }
    if viewer not in whose or len(whose) == 1:
        return set()
    left = database.execute(
        "SELECT 1 FROM candidates AS c WHERE c.image_id = ? AND c.parent_id IS NULL"
        " AND c.id NOT IN (SELECT d.candidate_id FROM decisions AS d WHERE d.reviewer = ?"
        " AND d.undoes IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM decisions AS taken WHERE taken.undoes = d.id)) LIMIT 1",
        [image_id, viewer],
    ).fetchone()
    return whose - {viewer} if left else set()
