"""Events: the rows of every log that tell of an image, as one story."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from sqlite_utils import Database

from backend.errors import StoreError

DRAWN = "fixed"
"""The method of a mask that a person drew: the decision tells of it, not the offer."""


@dataclass(frozen=True)
class Event:
    """Who did what to an image, when: `by` and `says` read as a sentence without its full stop.

    `key` names the row ("decision:12"). `aspect` is what of the image it changed, of which the
    event that is `current` made what holds now; None for what no revert concerns. `back_to` says
    which revert would change something: "before" it, to what it made ("after"), or None.
    """

    key: str
    kind: str
    at: float
    by: str
    says: str
    note: str = ""
    aspect: str | None = None
    current: bool = False
    back_to: str | None = None
    action_id: str | None = None
    candidate_id: int | None = None
    mask_digest: str | None = None
    method: str | None = None
    verdict: str | None = None
    tags: tuple[int, ...] = ()
    tags_before: tuple[int, ...] = ()
    flagged: bool | None = None


def events_of(database: Database, image_id: int) -> list[Event]:
    """Every event of an image, the oldest first; StoreError where there is no such image.

    Each log keeps its own order, whatever the clock did; between logs the time decides.
    """
    row = database.execute(
        "SELECT name, source, added FROM images WHERE id = ?", [image_id]
    ).fetchone()
    if row is None:
        raise StoreError(f"There is no image {image_id} in this workspace.")
    name, source, added = row
    brought = Event(f"image:{image_id}", "image", added, source, f"brought {name} in")
    logs = (_offers, _assignments, _tags, _flags, _decisions)
    told = chain.from_iterable(_timed(log(database, image_id)) for log in logs)
    return [brought, *(event for _, event in sorted(told, key=lambda each: each[0]))]


def _timed(events: Iterable[Event]) -> Iterator[tuple[float, Event]]:
    """Each event with the time to sort it by: never before an earlier one of the same log."""
    latest = 0.0
    for event in events:
        latest = max(latest, event.at)
        yield latest, event


def _offers(database: Database, image_id: int) -> Iterator[Event]:
    rows = database.execute(
        "SELECT c.id, c.added, c.method, c.digest, runs.name FROM candidates AS c"
        " LEFT JOIN runs ON runs.id = c.run_id WHERE c.image_id = ? AND c.method != ?"
        " ORDER BY c.id",
        [image_id, DRAWN],
    )
    for id, added, method, digest, run in rows:
        yield Event(
            f"candidate:{id}", "candidate", added, run or "Inspect or import",
            f"offered the mask of {method}",
            candidate_id=id, mask_digest=digest, method=method,
        )  # fmt: skip


def _assignments(database: Database, image_id: int) -> Iterator[Event]:
    rows = database.execute(
        "SELECT id, made_at, made_by, reviewer, assigned FROM assignment_changes"
        " WHERE image_id = ? ORDER BY id",
        [image_id],
    )
    for id, at, by, reviewer, assigned in rows:
        says = f"{'gave it to' if assigned else 'took it from'} {reviewer} to judge"
        yield Event(f"assignment:{id}", "assignment", at, by, says)


def _tags(database: Database, image_id: int) -> Iterator[Event]:
    names = dict(database.execute("SELECT id, name FROM classes").fetchall())

    def listed(ids: Iterable[int]) -> str:
        told = [names.get(id, f"class {id}") for id in sorted(ids)]
        return f"the tag{'s' * (len(told) > 1)} {', '.join(told)}" if told else ""

    rows = database.execute(
        "SELECT id, before, after, changed_by, changed_at, action_id, undoes, judged"
        " FROM tag_changes WHERE image_id = ? ORDER BY id",
        [image_id],
    ).fetchall()
    now_has = tuple(json.loads(rows[-1][2])) if rows else ()
    for id, before, after, by, at, action_id, undoes, judged in rows:
        was, became = tuple(json.loads(before)), tuple(json.loads(after))
        added, removed = listed(set(became) - set(was)), listed(set(was) - set(became))
        parts = [f"added {added}"] if added else []
        parts += [f"removed {removed}"] if removed else []
        says = " and ".join(parts) or f"answered about {listed(json.loads(judged))}"
        current = id == rows[-1][0]
        changed = was != became if current else became != now_has
        yield Event(
            f"tags:{id}", "tags", at, by, f"took a change of tags back: {says}" if undoes else says,
            aspect="tags", current=current, action_id=action_id,
            back_to=("before" if current else "after") if changed else None,
            tags=became, tags_before=was,
        )  # fmt: skip


def _flags(database: Database, image_id: int) -> Iterator[Event]:
    rows = database.execute(
        "SELECT id, flagged, note, reviewer, server_time, action_id FROM flags"
        " WHERE image_id = ? ORDER BY id",
        [image_id],
    ).fetchall()
    for id, flagged, note, by, at, action_id in rows:
        current = id == rows[-1][0]
        other = bool(flagged) != bool(rows[-1][1])
        yield Event(
            f"flag:{id}", "flag", at, by, "flagged the image" if flagged else "took the flag away",
            note, aspect="flag", current=current, action_id=action_id,
            back_to="before" if current else "after" if other else None,
            flagged=bool(flagged),
        )  # fmt: skip


_SAID = {
    "accept": "accepted {mask}",
    "reject": "rejected {mask}",
    "fix": "fixed {mask}",
    "skip": "skipped {mask}",
    "undecided": "set {mask} back to undecided",
}


def _decisions(database: Database, image_id: int) -> Iterator[Event]:
    rows = database.execute(
        "SELECT d.id, d.server_time, d.reviewer, d.verdict, d.reason, d.action_id, d.mask_digest,"
        " d.undoes, d.restores, c.id, c.method, c.decision_id, c.verdict, taken.verdict,"
        " taken.reviewer, back.verdict, back.reviewer, ifnull(was.verdict, 'undecided'),"
        " parent.method FROM decisions AS d JOIN candidates AS c ON c.id = d.candidate_id"
        " LEFT JOIN decisions AS taken ON taken.id = d.undoes"
        " LEFT JOIN decisions AS back ON back.id = d.restores"
        " LEFT JOIN decisions AS was ON was.id = d.supersedes"
        " LEFT JOIN candidates AS parent ON parent.id = c.parent_id"
        " WHERE c.image_id = ? ORDER BY d.id",
        [image_id],
    )
    for row in rows:
        id, at, by, verdict, reason, action_id, digest, undoes, restores = row[:9]
        candidate, method, latest, holds, taken, _, back, whose, was, drawn_from = row[9:]
        mask = f"the mask of {method}" if method != DRAWN else "the drawn mask"
        if undoes is not None:
            says = f"took back “{taken}” on {mask}"
            says += f": {_whose(whose, by)} “{back}” counts again" if restores else ""
        elif restores is not None:
            says = f"brought back {_whose(whose, by)} “{back}” on {mask}"
        elif verdict == "fix" and drawn_from:
            earlier = "the drawn mask" if drawn_from == DRAWN else f"the mask of {drawn_from}"
            says = f"fixed {earlier} by drawing a new one"
        else:
            says = _SAID[verdict].format(mask=mask)
        current = id == latest
        event = Event(
            f"decision:{id}", "decision", at, by, says, reason,
            aspect=f"mask {candidate}", current=current, action_id=action_id,
            candidate_id=candidate, mask_digest=digest, method=method, verdict=verdict,
        )  # fmt: skip
        if current and was != verdict:
            event = replace(event, back_to="before")
        elif not current and verdict != holds:
            event = replace(event, back_to="after")
        yield event


def _whose(name: str, by: str) -> str:
    return "their own" if name == by else f"{name}'s"
