"""The rows that an act on tags adds to their log, and the tags that follow it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlite_utils import Database

from backend.store.rows import dumps, now

Ids = frozenset[int]


@dataclass(frozen=True)
class Act:
    """Whose act it is, in which visit, at which time of theirs, and its name."""

    action_id: str
    reviewer: str
    session: str
    client_time: float | None


@dataclass(frozen=True)
class Row:
    """What an act does to an image: its class ids before and after, and those judged in it.

    `undoes` is the row that it takes back.
    """

    image: int
    before: Ids
    after: Ids
    judged: Ids
    undoes: int | None = None


def changed(database: Database, asked: Mapping[int, tuple[Ids, Ids]]) -> list[Row]:
    """The rows of an act that gives and takes these classes, for images of which there is news."""
    ids = dumps(list(asked))
    classes = {tag for both in set(asked.values()) for each in both for tag in each}
    before = _tags(database, ids)
    questions = _open_questions(database, ids, dumps(sorted(classes)))
    rows = []
    for image, (add, remove) in asked.items():
        was: Ids = before.get(image, frozenset())
        will = (was | add) - remove
        if will != was or (add | remove) & questions.get(image, frozenset()):
            rows.append(Row(image, was, will, add | remove))
    return rows


def taken_back(database: Database, changes: Sequence[int], reviewer: str) -> list[Row]:
    """The rows that undo these rows of a reviewer's, without what others said since."""
    these = dumps(list(changes))
    mine = database.execute(
        "SELECT id, image_id, before, after, judged FROM tag_changes"
        " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        [these],
    ).fetchall()
    current = _tags(database, dumps([row[1] for row in mine]))
    others = _by_image(
        database.execute(
            "SELECT later.image_id, said.value FROM tag_changes AS mine"
            " JOIN tag_changes AS later ON later.image_id = mine.image_id AND later.id > mine.id,"
            " json_each(later.judged) AS said"
            " WHERE mine.id IN (SELECT value FROM json_each(?)) AND later.changed_by != ?"
            " AND later.undoes IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM tag_changes AS u WHERE u.undoes = later.id)",
            [these, reviewer],
        )
    )
    rows = []
    for id, image, before, after, judged in mine:
        was, became = frozenset(json.loads(before)), frozenset(json.loads(after))
        theirs = others.get(image, frozenset())
        now_has = current.get(image, frozenset())
        will = (now_has - ((became - was) - theirs)) | ((was - became) - theirs)
        rows.append(Row(image, now_has, will, frozenset(json.loads(judged)), undoes=id))
    return rows


def write(database: Database, rows: Sequence[Row], act: Act) -> None:
    """Adds the rows to the log, and gives and takes the tags."""
    gone = [(row.image, tag) for row in rows for tag in sorted(row.before - row.after)]
    come = [(row.image, tag) for row in rows for tag in sorted(row.after - row.before)]
    database.conn.executemany("DELETE FROM image_tags WHERE image_id = ? AND class_id = ?", gone)
    database.conn.executemany("INSERT INTO image_tags VALUES (?, ?)", come)
    at = now()
    database.conn.executemany(
        "INSERT INTO tag_changes (image_id, before, after, changed_by, changed_at, action_id,"
        " session, client_time, judged, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            [
                row.image, _listed(row.before), _listed(row.after), act.reviewer, at,
                act.action_id, act.session, act.client_time, _listed(row.judged), row.undoes,
            ]
            for row in rows
        ),
    )  # fmt: skip


def _tags(database: Database, ids: str) -> dict[int, Ids]:
    rows = database.execute(
        "SELECT image_id, class_id FROM image_tags"
        " WHERE image_id IN (SELECT value FROM json_each(?))",
        [ids],
    )
    return _by_image(rows)


def _open_questions(database: Database, ids: str, classes: str) -> dict[int, Ids]:
    """Those of these classes that the classifier said something about and nobody has answered."""
    rows = database.execute(
        "SELECT image_id, class_id FROM tag_suggestions"
        " WHERE judged IS NULL AND image_id IN (SELECT value FROM json_each(?))"
        " AND class_id IN (SELECT value FROM json_each(?))",
        [ids, classes],
    )
    return _by_image(rows)


def _by_image(rows: Iterable[tuple[Any, ...]]) -> dict[int, Ids]:
    found: dict[int, set[int]] = {}
    for image, each in rows:
        found.setdefault(image, set()).add(each)
    return {image: frozenset(ids) for image, ids in found.items()}


@lru_cache(maxsize=4096)
def _listed(ids: Ids) -> str:
    return dumps(sorted(ids))
