"""Acts on so many images that one transaction would hold everybody else up for seconds.

Such an act is written down whole in one short transaction, and then done part by part, each in a
transaction of its own; between two parts others write. It counts from its first transaction on: if
the program is killed half-way, whoever sends it again or opens the workspace next does the rest.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from backend.store.connection import Connections
from backend.store.rows import dumps

PART = 200
"""How many rows of its log an act adds at a time: some 10 ms under the lock."""
_REST_SECONDS = 0.002


@dataclass(frozen=True)
class Begun:
    """An act that is not done to its end: `what` each part needs to know, `rest` what is left."""

    action_id: str
    what: dict[str, Any]
    rest: list[Any]
    reached: int


Do = Callable[[Database, str, dict[str, Any], Sequence[Any]], None]
"""Does one part of an act: the database, the act's name, what it needs to know, its items."""


def begin(
    database: Database, kind: str, action_id: str, by: str, what: dict[str, Any], items: str
) -> None:
    """Writes an act down; `items` is the JSON list of what it is to be done to, in order.

    Nothing may be able to refuse a part later on: what could be wrong is asked before.
    """
    database.execute(
        "INSERT INTO begun_acts (action_id, kind, begun_by, what, items) VALUES (?, ?, ?, ?, ?)",
        [action_id, kind, by, dumps(what), items],
    )


def begun_by(database: Database, action_id: str) -> str | None:
    """Who began this act, where it is not done to its end yet."""
    row = database.execute(
        "SELECT begun_by FROM begun_acts WHERE action_id = ?", [action_id]
    ).fetchone()
    return None if row is None else str(row[0])


def standing(database: Database, kinds: Sequence[str], by: str | None = None) -> list[str]:
    """The acts of these kinds, of one person or (None) of all, that are not done to their end."""
    rows = database.execute(
        "SELECT action_id FROM begun_acts WHERE kind IN (SELECT value FROM json_each(?))"
        " AND (? IS NULL OR begun_by = ?) ORDER BY rowid",
        [dumps(list(kinds)), by, by],
    )
    return [action for (action,) in rows]


def finish(connections: Connections, action_id: str, do: Do) -> None:
    """Does what is left of an act; several threads or programs may do so at once."""
    while (begun := _left(connections, action_id)) is not None:
        for start in range(0, len(begun.rest), PART):
            if not _part(connections, begun, start, do):
                break  # Somebody else went on with it: look anew how far it is.
            time.sleep(_REST_SECONDS)


def _left(connections: Connections, action_id: str) -> Begun | None:
    with connections.read() as database:
        row = database.execute(
            "SELECT what, items, reached FROM begun_acts WHERE action_id = ?", [action_id]
        ).fetchone()
    if row is None:
        return None
    what, items, reached = row
    return Begun(action_id, json.loads(what), json.loads(items)[reached:], reached)


def _part(connections: Connections, begun: Begun, start: int, do: Do) -> bool:
    """One part, unless the act is no longer as far as it was; whether it was done."""
    items = begun.rest[start : start + PART]
    last = start + PART >= len(begun.rest)

    def act(database: Database) -> bool:
        row = database.execute(
            "SELECT reached FROM begun_acts WHERE action_id = ?", [begun.action_id]
        ).fetchone()
        if row is None or row[0] != begun.reached + start:
            return False
        do(database, begun.action_id, begun.what, items)
        if last:
            database.execute("DELETE FROM begun_acts WHERE action_id = ?", [begun.action_id])
        else:
            database.execute(
                "UPDATE begun_acts SET reached = reached + ? WHERE action_id = ?",
                [len(items), begun.action_id],
            )
        return True

    return connections.write_together(act)
