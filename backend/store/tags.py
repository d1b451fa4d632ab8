"""Changing the tags of many images in one act, and taking such acts back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.rows import Noun, dumps, now
from backend.store.tag_log import NetChange, Since, net_changes, since
from backend.store.tag_views import TagView, listed

MOST_IMAGES = 50_000
"""Images that one act may change: a second of the database's time."""


@dataclass(frozen=True)
class TagEdit:
    """Class ids that these images are given, and those that are taken from them."""

    images: tuple[int, ...]
    add: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()


@dataclass(frozen=True)
class TagAct:
    """What an act did: the images it has a row of, and how many of them have other tags now.

    `undoes` is the act that it took back.
    """

    action_id: str
    images: tuple[int, ...]
    changed: int
    undoes: str | None = None


class Tags(Noun):
    """The tags of all images, and the log of who changed them."""

    def change(
        self,
        edits: Sequence[TagEdit],
        *,
        reviewer: str,
        session: str,
        action_id: str,
        client_time: float | None = None,
    ) -> TagAct:
        """Gives and takes tags, of all images or of none; on disk when this returns.

        A row of the log is written for each image whose tags change, and for each where the
        classifier's open suggestion or doubt about one of these classes is answered by it. The
        same action_id does it once. Raises StoreError for unknown images and classes, a class both
        given and taken, and an action_id that was used for something else.
        """
        _named(reviewer, action_id)
        asked = _asked(edits)

        def act(database: Database) -> TagAct:
            told = _told(database, action_id)
            if told is not None:
                same = told.undoes is None and set(told.images) <= asked.keys()
                if not same or _author(database, action_id) != reviewer:
                    raise _reused(action_id)
                return told
            ids = dumps(list(asked))
            _require_known(database, asked, ids)
            before = _tags(database, ids)
            questions = _open_questions(database, ids, dumps(sorted(_classes(asked))))
            rows = []
            for image, (add, remove) in asked.items():
                was = before.get(image, frozenset())
                will = (was | add) - remove
                if will != was or (add | remove) & questions.get(image, frozenset()):
                    rows.append(_Row(image, was, will, add | remove))
            return _write(database, rows, reviewer, session, action_id, client_time)

        return self._connections.write_together(act)

    def undo(
        self, reviewer: str, session: str, action_id: str, client_time: float | None = None
    ) -> TagAct | None:
        """Takes back the reviewer's latest act that stands, of any session; None where none does.

        What somebody else has said since about the same class of the same image stays. The same
        action_id takes back one act, not two.
        """
        _named(reviewer, action_id)

        def act(database: Database) -> TagAct | None:
            told = _told(database, action_id)
            if told is not None:
                if told.undoes is None or _author(database, action_id) != reviewer:
                    raise _reused(action_id)
                return told
            last = _last_act(database, reviewer)
            if last is None:
                return None
            rows = _taken_back(database, last, reviewer)
            return _write(database, rows, reviewer, session, action_id, client_time, last)

        return self._connections.write_together(act)

    def last_act(self, reviewer: str) -> str | None:
        """The act that `undo` would take back."""
        with self._connections.read() as database:
            return _last_act(database, reviewer)

    def listed(self, view: TagView) -> list[int]:
        """The ids of the images of a view, in its order."""
        with self._connections.read() as database:
            if view.show != "changed":
                return listed(database, view)
            start = since(database)
            changed = net_changes(database, start.mark) if start else []
            return listed(database, view, [each.image_id for each in changed])

    def since(self, digest: str | None = None) -> Since | None:
        """The snapshot of the latest training, else the latest one that was frozen; None: none.

        `digest` names another one. Those made only to look at all images do not count.
        """
        with self._connections.read() as database:
            return since(database, digest)

    def changed(self, start: Since) -> list[NetChange]:
        """The images whose tags are others now than in a snapshot, by name."""
        with self._connections.read() as database:
            return net_changes(database, start.mark)


@dataclass(frozen=True)
class _Row:
    image: int
    before: frozenset[int]
    after: frozenset[int]
    judged: frozenset[int]
    undoes: int | None = None


def _asked(edits: Iterable[TagEdit]) -> dict[int, tuple[frozenset[int], frozenset[int]]]:
    """What each image is given and what is taken from it."""
    given: dict[int, tuple[set[int], set[int]]] = {}
    for edit in edits:
        for image in edit.images:
            add, remove = given.setdefault(image, (set(), set()))
            add.update(edit.add)
            remove.update(edit.remove)
    if len(given) > MOST_IMAGES:
        raise StoreError(
            f"{len(given):,} images were to be tagged at once; {MOST_IMAGES:,} is the most. Tag "
            "them in parts."
        )
    if any(add & remove for add, remove in given.values()):
        raise StoreError("A tag cannot be given and taken in one act.")
    return {image: (frozenset(add), frozenset(take)) for image, (add, take) in given.items()}


def _require_known(
    database: Database, asked: Mapping[int, tuple[frozenset[int], frozenset[int]]], ids: str
) -> None:
    there = database.execute(
        "SELECT count(*) FROM images WHERE id IN (SELECT value FROM json_each(?))", [ids]
    ).fetchone()[0]
    if there != len(asked):
        raise StoreError(
            f"{len(asked) - there} of these images are not in this workspace. Reload the page."
        )
    classes = {id for (id,) in database.execute("SELECT id FROM classes")}
    named = _classes(asked)
    if named - classes:
        raise StoreError(
            f"There is no class {', '.join(map(str, sorted(named - classes)))} in this workspace; "
            "add the class first, then tag images with it."
        )


def _tags(database: Database, ids: str) -> dict[int, frozenset[int]]:
    rows = database.execute(
        "SELECT image_id, class_id FROM image_tags"
        " WHERE image_id IN (SELECT value FROM json_each(?))",
        [ids],
    )
    return _by_image(rows)


def _classes(asked: Mapping[int, tuple[frozenset[int], frozenset[int]]]) -> set[int]:
    return {id for both in set(asked.values()) for each in both for id in each}


def _open_questions(database: Database, ids: str, classes: str) -> dict[int, frozenset[int]]:
    """Those of these classes that the classifier said something about and nobody has answered."""
    rows = database.execute(
        "SELECT image_id, class_id FROM tag_suggestions"
        " WHERE judged IS NULL AND image_id IN (SELECT value FROM json_each(?))"
        " AND class_id IN (SELECT value FROM json_each(?))",
        [ids, classes],
    )
    return _by_image(rows)


def _by_image(rows: Iterable[tuple[Any, ...]]) -> dict[int, frozenset[int]]:
    found: dict[int, set[int]] = {}
    for image, each in rows:
        found.setdefault(image, set()).add(each)
    return {image: frozenset(ids) for image, ids in found.items()}


def _taken_back(database: Database, action: str, reviewer: str) -> list[_Row]:
    """The rows that undo an act, without what others said since."""
    mine = database.execute(
        "SELECT id, image_id, before, after, judged FROM tag_changes WHERE action_id = ?"
        " ORDER BY id",
        [action],
    ).fetchall()
    current = _tags(database, dumps([row[1] for row in mine]))
    others = _by_image(
        database.execute(
            "SELECT later.image_id, said.value FROM tag_changes AS mine"
            " JOIN tag_changes AS later ON later.image_id = mine.image_id AND later.id > mine.id,"
            " json_each(later.judged) AS said"
            " WHERE mine.action_id = ? AND later.changed_by != ? AND later.undoes IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM tag_changes AS u WHERE u.undoes = later.id)",
            [action, reviewer],
        )
    )
    rows = []
    for id, image, before, after, judged in mine:
        was, became = frozenset(json.loads(before)), frozenset(json.loads(after))
        theirs = others.get(image, frozenset())
        now_has = current.get(image, frozenset())
        will = (now_has - ((became - was) - theirs)) | ((was - became) - theirs)
        rows.append(_Row(image, now_has, will, frozenset(json.loads(judged)), undoes=id))
    return rows


def _write(
    database: Database,
    rows: Sequence[_Row],
    reviewer: str,
    session: str,
    action_id: str,
    client_time: float | None,
    undone: str | None = None,
) -> TagAct:
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
                row.image, _listed(row.before), _listed(row.after), reviewer, at,
                action_id, session, client_time, _listed(row.judged), row.undoes,
            ]
            for row in rows
        ),
    )  # fmt: skip
    changed = sum(row.before != row.after for row in rows)
    return TagAct(action_id, tuple(row.image for row in rows), changed, undone)


@lru_cache(maxsize=4096)
def _listed(ids: frozenset[int]) -> str:
    return dumps(sorted(ids))


def _told(database: Database, action_id: str) -> TagAct | None:
    """What an act did that is in the log already."""
    rows = database.execute(
        "SELECT c.image_id, c.before != c.after, undone.action_id FROM tag_changes AS c"
        " LEFT JOIN tag_changes AS undone ON undone.id = c.undoes WHERE c.action_id = ?"
        " ORDER BY c.id",
        [action_id],
    ).fetchall()
    if not rows:
        return None
    return TagAct(action_id, tuple(row[0] for row in rows), sum(r[1] for r in rows), rows[0][2])


def _author(database: Database, action_id: str) -> str:
    row = database.execute(
        "SELECT changed_by FROM tag_changes WHERE action_id = ? LIMIT 1", [action_id]
    )
    return str(row.fetchone()[0])


def _last_act(database: Database, reviewer: str) -> str | None:
    row = database.execute(
        "SELECT action_id FROM tag_changes AS c WHERE changed_by = ? AND action_id IS NOT NULL"
        " AND undoes IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM tag_changes AS u WHERE u.undoes = c.id)"
        " ORDER BY id DESC LIMIT 1",
        [reviewer],
    ).fetchone()
    return None if row is None else str(row[0])


def _named(reviewer: str, action_id: str) -> None:
    if not reviewer.strip() or not action_id.strip():
        raise StoreError("A change of tags needs the reviewer's name and an action_id of its own.")


def _reused(action_id: str) -> StoreError:
    return StoreError(
        f"The action {action_id[:40]!r} was recorded before for something else; each act of a "
        "reviewer needs a name of its own."
    )
