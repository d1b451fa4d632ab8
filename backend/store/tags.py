"""Changing the tags of many images in one act, and taking such acts back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store import parts, tag_rows
from backend.store.rows import Noun, dumps
from backend.store.tag_log import NetChange, Since, net_changes, since
from backend.store.tag_rows import Act, Ids
from backend.store.tag_views import TagView, listed

MOST_IMAGES = 50_000
"""Images that one act may change: some seconds, in which others are held up for a part each."""

CHANGE, UNDO = "tags", "tags undone"


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
        ids = dumps(list(asked))
        mine = Act(action_id, reviewer, session, client_time)

        def act(database: Database) -> TagAct | None:
            told = _told(database, action_id)
            by = _author(database, action_id)
            if told is not None or by is not None:
                same = told is None or (told.undoes is None and set(told.images) <= asked.keys())
                if not same or by != reviewer:
                    raise _reused(action_id)
                return None if parts.begun_by(database, action_id) else told
            _require_known(database, asked, ids)
            if len(asked) > parts.PART:
                what, items = _written_down(mine, asked)
                parts.begin(database, CHANGE, action_id, reviewer, what, items)
                return None
            rows = tag_rows.changed(database, asked)
            tag_rows.write(database, rows, mine)
            return _done(mine, rows)

        return self._connections.write_together(act) or self._to_its_end(action_id)

    def undo(
        self, reviewer: str, session: str, action_id: str, client_time: float | None = None
    ) -> TagAct | None:
        """Takes back the reviewer's latest act that stands, of any session; None where none does.

        What somebody else has said since about the same class of the same image stays. The same
        action_id takes back one act, not two.
        """
        _named(reviewer, action_id)

        mine = Act(action_id, reviewer, session, client_time)

        def act(database: Database) -> TagAct | _Unfinished | None:
            told = _told(database, action_id)
            by = _author(database, action_id)
            if told is not None or by is not None:
                if by != reviewer or (told is not None and told.undoes is None):
                    raise _reused(action_id)
                return _Unfinished() if parts.begun_by(database, action_id) else told
            if parts.standing(database, (CHANGE, UNDO), reviewer):
                return _Unfinished()
            # To look for it can take long, where many acts were undone already.
            last = seen[1] if _newest(database, reviewer) == seen[0] else _last(database, reviewer)
            if last is None:
                return None
            found = database.execute(
                "SELECT id FROM tag_changes WHERE action_id = ? ORDER BY id", [last]
            )
            changes = [id for (id,) in found]
            if len(changes) > parts.PART:
                what = asdict(mine) | {"undoes": last}
                parts.begin(database, UNDO, action_id, reviewer, what, dumps(changes))
                return _Unfinished()
            rows = tag_rows.taken_back(database, changes, reviewer)
            tag_rows.write(database, rows, mine)
            return _done(mine, rows, last)

        while True:
            with self._connections.read() as database, database.atomic():
                seen = _newest(database, reviewer), _last(database, reviewer)
            done = self._connections.write_together(act)
            if not isinstance(done, _Unfinished):
                return done
            self.finish(reviewer)

    def finish(self, reviewer: str | None = None) -> None:
        """Does what is left of large acts, one person's or (None) everybody's, that were begun."""
        with self._connections.read() as database:
            begun = parts.standing(database, (CHANGE, UNDO), reviewer)
        for action_id in begun:
            parts.finish(self._connections, action_id, _part)

    def _to_its_end(self, action_id: str) -> TagAct:
        parts.finish(self._connections, action_id, _part)
        with self._connections.read() as database:
            return _told(database, action_id) or TagAct(action_id, (), 0)

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


class _Unfinished:
    """There is a large act to be done to its end first."""


def _part(database: Database, action_id: str, what: dict[str, Any], items: Sequence[Any]) -> None:
    """Some images of a large act: [image, number of its edit] each, or rows to be taken back."""
    mine = Act(action_id, what["reviewer"], what["session"], what["client_time"])
    if "undoes" in what:
        rows = tag_rows.taken_back(database, items, mine.reviewer)
    else:
        edits = [(frozenset(add), frozenset(remove)) for add, remove in what["edits"]]
        rows = tag_rows.changed(database, {image: edits[number] for image, number in items})
    tag_rows.write(database, rows, mine)


def _written_down(act: Act, asked: Mapping[int, tuple[Ids, Ids]]) -> tuple[dict[str, Any], str]:
    """What `_part` needs to know of a change, and its items as JSON."""
    numbers = {edit: number for number, edit in enumerate(dict.fromkeys(asked.values()))}
    edits = [[sorted(add), sorted(remove)] for add, remove in numbers]
    items = dumps([[image, numbers[edit]] for image, edit in asked.items()])
    return asdict(act) | {"edits": edits}, items


def _done(act: Act, rows: Sequence[tag_rows.Row], undoes: str | None = None) -> TagAct:
    changed = sum(row.before != row.after for row in rows)
    return TagAct(act.action_id, tuple(row.image for row in rows), changed, undoes)


def _asked(edits: Iterable[TagEdit]) -> dict[int, tuple[Ids, Ids]]:
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


def _require_known(database: Database, asked: Mapping[int, tuple[Ids, Ids]], ids: str) -> None:
    there = database.execute(
        "SELECT count(*) FROM images WHERE id IN (SELECT value FROM json_each(?))", [ids]
    ).fetchone()[0]
    if there != len(asked):
        raise StoreError(
            f"{len(asked) - there} of these images are not in this workspace. Reload the page."
        )
    classes = {id for (id,) in database.execute("SELECT id FROM classes")}
    named = {tag for both in set(asked.values()) for each in both for tag in each}
    if named - classes:
        raise StoreError(
            f"There is no class {', '.join(map(str, sorted(named - classes)))} in this workspace; "
            "add the class first, then tag images with it."
        )


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


def _author(database: Database, action_id: str) -> str | None:
    """Whose act of this name it is that was begun or done; None where there is none."""
    row = database.execute(
        "SELECT changed_by FROM tag_changes WHERE action_id = ? LIMIT 1", [action_id]
    ).fetchone()
    return parts.begun_by(database, action_id) if row is None else str(row[0])


def _newest(database: Database, reviewer: str) -> int | None:
    """The number of a person's latest row: while it is the same, so is their last act."""
    row = database.execute(
        "SELECT max(id) FROM tag_changes WHERE changed_by = ? AND action_id IS NOT NULL",
        [reviewer],
    ).fetchone()
    return None if row[0] is None else int(row[0])


def _last(database: Database, reviewer: str) -> str | None:
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
