"""Assignments: which images are whose to judge, and how far each reviewer has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store import parts
from backend.store.opinions import judgements, opinions
from backend.store.rows import Noun, dumps, now
from backend.store.sharing import checked_names, share

KIND = "assignments"

# What could be shared out: images with a mask nobody decided on, that are nobody's yet.
_OPEN = (
    "SELECT digest, id FROM images WHERE id NOT IN (SELECT image_id FROM assignments)"
    " AND id IN (SELECT image_id FROM candidates WHERE verdict = 'undecided')"
    " AND (? IS NULL OR id IN (SELECT image_id FROM image_tags WHERE class_id = ?))"
)


@dataclass(frozen=True)
class Share:
    """What a reviewer gets: images in all, and how many of them with somebody else."""

    reviewer: str
    images: int
    shared: int


@dataclass(frozen=True)
class Progress:
    """How far a reviewer is: `masks` are the candidates of the `images` that are theirs to judge,
    `judged` those they accepted, rejected or fixed; `said` all opinions of theirs that stand, on
    whatever image; `last` when they last did something, None where never.
    """

    reviewer: str
    images: int
    shared: int
    masks: int
    judged: int
    said: int
    last: float | None


class Assignments(Noun):
    """Who judges what. The log is only added to; the table of what holds now follows it."""

    def share_out(
        self,
        reviewers: Sequence[str],
        overlap: float,
        *,
        seed: int = 0,
        tag: int | None = None,
        made_by: str,
        action_id: str,
        dry_run: bool = False,
    ) -> list[Share]:
        """Assigns the images that wait for a judgement and are nobody's; who got how many.

        `overlap` (0..1) of them go to two reviewers, so that agreement can be measured; `tag`
        takes only images with this class. What was assigned before stays. The same action_id
        assigns once. `dry_run` only says what would be. StoreError where nothing is left to assign.
        """
        names = checked_names(reviewers, overlap)
        if not dry_run and not (made_by.strip() and action_id.strip()):
            raise StoreError("Sharing images out needs the name of who does it and an action_id.")

        def act(database: Database) -> list[Share] | None:
            if parts.standing(database, [KIND]):
                return None
            told = _told(database, action_id)
            if told is not None:
                return told
            _require_unused(database, action_id, assigned=0)
            if _newest(database) != newest:
                return None
            _do(database, action_id, rows, 1, made_by)
            return shares

        while True:
            # What takes long is worked out while others write; it counts if nobody assigned since.
            with self._connections.read() as database, database.atomic():
                told = None if dry_run else _told(database, action_id)
                newest = _newest(database)
                free = {} if told else dict(database.execute(_OPEN, [tag, tag]).fetchall())
            shares, rows = (told, []) if told else _plan(free, names, overlap, seed)
            if dry_run:
                return shares
            done = self._connections.write_together(act)
            self.finish()
            if done is not None:
                return done

    def withdraw(self, reviewer: str | None, *, made_by: str, action_id: str) -> int:
        """Takes assignments back, of one reviewer or (None) of all; how many images it was.

        What was judged stays judged. The same action_id withdraws once.
        """
        if not made_by.strip() or not action_id.strip():
            raise StoreError("Withdrawing needs the name of who does it and an action_id.")

        def act(database: Database) -> bool:
            _require_unused(database, action_id, assigned=1)
            if parts.standing(database, [KIND]):
                return False
            rows = database.execute(
                "SELECT image_id, reviewer FROM assignments WHERE (? IS NULL OR reviewer = ?)"
                " AND NOT EXISTS (SELECT 1 FROM assignment_changes WHERE action_id = ?)",
                [reviewer, reviewer, action_id],
            ).fetchall()
            _do(database, action_id, rows, 0, made_by)
            return True

        done = False
        while not done:
            done = self._connections.write_together(act)
            self.finish()
        with self._connections.read() as database:
            found = database.execute(
                "SELECT count(DISTINCT image_id) FROM assignment_changes"
                " WHERE action_id = ? AND assigned = 0",
                [action_id],
            )
            return int(found.fetchone()[0])

    def finish(self) -> None:
        """Does what is left of assigning or withdrawing very many images that was begun."""
        with self._connections.read() as database:
            begun = parts.standing(database, [KIND])
        for action_id in begun:
            parts.finish(self._connections, action_id, _part)

    def of(self, image_id: int) -> list[str]:
        """Whose an image is to judge."""
        with self._connections.read() as database:
            rows = database.execute(
                "SELECT reviewer FROM assignments WHERE image_id = ? ORDER BY reviewer", [image_id]
            )
            return [name for (name,) in rows]

    def independently(self, image_id: int, first: str, second: str) -> bool:
        """Whether two are to judge an image without knowing of each other."""
        with self._connections.read() as database:
            return first != second and independent(database, image_id, first, second)

    def open_images(self, tag: int | None = None) -> int:
        """How many images `share_out` would take."""
        with self._connections.read() as database:
            return len(database.execute(_OPEN, [tag, tag]).fetchall())

    def progress(self) -> list[Progress]:
        """How far everybody is who was assigned images or ever decided, by name."""
        with self._connections.read() as database, database.atomic():
            images = {
                name: (whole, shared)
                for name, whole, shared in database.execute(
                    "SELECT reviewer, count(*), sum(image_id IN (SELECT image_id FROM assignments"
                    " GROUP BY image_id HAVING count(*) > 1)) FROM assignments GROUP BY reviewer"
                )
            }
            masks: dict[str, set[int]] = {name: set() for name in images}
            for name, candidate in database.execute(
                "SELECT a.reviewer, c.id FROM assignments AS a JOIN candidates AS c"
                " ON c.image_id = a.image_id WHERE c.parent_id IS NULL"
            ):
                masks[name].add(candidate)
            said = opinions(database)
            last = dict(
                database.execute("SELECT reviewer, max(server_time) FROM decisions GROUP BY 1")
            )
        judged: dict[str, set[int]] = {}
        for candidate, kept in judgements(said).items():
            for name in kept:
                judged.setdefault(name, set()).add(candidate)
        stands: dict[str, int] = {}
        for each in said:
            stands[each.reviewer] = stands.get(each.reviewer, 0) + 1
        return [
            Progress(
                name,
                *images.get(name, (0, 0)),
                len(masks.get(name, ())),
                len(masks.get(name, set()) & judged.get(name, set())),
                stands.get(name, 0),
                last.get(name),
            )
            for name in sorted(images.keys() | last.keys(), key=str.casefold)
        ]


def _plan(
    free: Mapping[str, int], names: list[str], overlap: float, seed: int
) -> tuple[list[Share], list[tuple[int, str]]]:
    """Who gets how many of the images that are free (digest -> id), and the rows that say so."""
    if not free:
        raise StoreError(
            "No image is left to assign: each that waits for a judgement is somebody's "
            "already. Withdraw assignments first, or offer candidates for more images."
        )
    shared = share(free, names, overlap, seed)
    rows = [(free[digest], name) for digest, whose in shared.items() for name in whose]
    return [
        Share(
            name,
            sum(name in whose for whose in shared.values()),
            sum(name in whose and len(whose) > 1 for whose in shared.values()),
        )
        for name in names
    ], rows


def _told(database: Database, action_id: str) -> list[Share] | None:
    """What sharing out by this name came to, where it was done."""
    rows = database.execute(
        "SELECT reviewer, count(*), sum(image_id IN (SELECT image_id FROM assignment_changes"
        " WHERE action_id = ? GROUP BY image_id HAVING count(*) > 1))"
        " FROM assignment_changes WHERE action_id = ? AND assigned = 1 GROUP BY reviewer"
        " ORDER BY min(id)",
        [action_id, action_id],
    ).fetchall()
    return [Share(*row) for row in rows] or None


def _newest(database: Database) -> int:
    found = database.execute("SELECT ifnull(max(id), 0) FROM assignment_changes")
    return int(found.fetchone()[0])


def _do(
    database: Database, action_id: str, rows: Sequence[tuple[int, str]], assigned: int, by: str
) -> None:
    """Adds the rows of an act, or writes it down where they are too many for one transaction."""
    what = {"assigned": assigned, "made_by": by, "at": now()}
    if len(rows) <= parts.PART:
        _part(database, action_id, what, rows)
    else:
        parts.begin(database, KIND, action_id, by, what, dumps(rows))


def _part(database: Database, action_id: str, what: dict[str, Any], items: Sequence[Any]) -> None:
    database.conn.executemany(
        "INSERT INTO assignment_changes (action_id, image_id, reviewer, assigned, made_by, made_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            [action_id, image, name, what["assigned"], what["made_by"], what["at"]]
            for image, name in items
        ],
    )


def independent(database: Database, image_id: int, first: str, second: str) -> bool:
    """Whether an image is two reviewers' to judge, so that neither is to see what the other did."""
    both = database.execute(
        "SELECT count(*) FROM assignments WHERE image_id = ? AND reviewer IN (?, ?)",
        [image_id, first, second],
    ).fetchone()
    return bool(both[0] == 2)


def _require_unused(database: Database, action_id: str, *, assigned: int) -> None:
    used = database.execute(
        "SELECT 1 FROM assignment_changes WHERE action_id = ? AND assigned = ? LIMIT 1",
        [action_id, assigned],
    ).fetchone()
    if used:
        raise StoreError(
            f"The action {action_id[:40]!r} was recorded before for something else; each act "
            "needs a name of its own."
        )
