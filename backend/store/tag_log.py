"""What became of images' tags between two moments of their log."""

import json
from dataclasses import dataclass

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.rows import marks

EVERY = "all"
"""The kind of a snapshot of every image, made for a network to look at and not to learn from."""

MEASURING = ("suggest", "losses", "score", "labels", "fuse")
"""Recipes that look at a snapshot and learn nothing from its tags."""


@dataclass(frozen=True)
class Since:
    """A snapshot that changes are counted from; `recipe` and `job` trained on it, if any did.

    `mark` is the number of the last change of a tag that is in it.
    """

    digest: str
    name: str
    at: float
    mark: int
    job: int | None
    recipe: str | None


@dataclass(frozen=True)
class NetChange:
    """An image whose tags are others now; `first`: it had none before, and never had any.

    `by` is whoever changed them last.
    """

    image_id: int
    image: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    by: str
    first: bool


def last_change(database: Database) -> int:
    """The number of the latest change of any tag, 0 where there is none."""
    return int(database.execute("SELECT ifnull(max(id), 0) FROM tag_changes").fetchone()[0])


def net_changes(database: Database, after: int, upto: int | None = None) -> list[NetChange]:
    """The images whose tags differ between two changes of the log, by name.

    What was changed and changed back is no change.
    """
    # Lists are written sorted and compact: the same tags are the same text.
    rows = database.execute(
        "SELECT f.image_id, images.name, f.before, l.after, l.changed_by,"
        " EXISTS (SELECT 1 FROM tag_changes AS e WHERE e.image_id = f.image_id AND e.id <= ?)"
        " FROM (SELECT min(id) AS first, max(id) AS last FROM tag_changes"
        " WHERE id > ? AND (? IS NULL OR id <= ?) GROUP BY image_id) AS net"
        " JOIN tag_changes AS f ON f.id = net.first JOIN tag_changes AS l ON l.id = net.last"
        " JOIN images ON images.id = f.image_id WHERE f.before != l.after ORDER BY images.name",
        [after, after, upto, upto],
    )
    found = []
    for image, name, was, now, by, known in rows:
        before = tuple(json.loads(was))
        first = not known and not before
        found.append(NetChange(image, name, before, tuple(json.loads(now)), by, first))
    return found


_TOLD = (
    "s.digest, s.name, s.frozen_at, ifnull(s.tags_seen,"
    # Snapshots of an older Tagmask do not say which changes they have seen.
    " (SELECT ifnull(max(id), 0) FROM tag_changes WHERE changed_at <= s.frozen_at))"
)


def since(database: Database, digest: str | None = None) -> Since | None:
    """The snapshot of this digest; else that of the latest training, else the latest frozen one.

    None where there is none. Those made only to look at images do not count, nor does a training
    that did not come to its end. Raises StoreError for an unknown digest.
    """
    if digest is not None:
        row = database.execute(
            f"SELECT {_TOLD}, NULL, NULL FROM snapshots AS s WHERE s.digest = ?", [digest]
        ).fetchone()
        if row is None:
            raise StoreError(f"There is no snapshot {digest[:12]!r} in this workspace.")
        return Since(*row)
    row = database.execute(
        f"SELECT {_TOLD}, jobs.id, jobs.recipe FROM jobs"
        " JOIN snapshots AS s ON s.digest = jobs.snapshot"
        " WHERE jobs.started_at IS NOT NULL AND jobs.state NOT IN ('failed', 'cancelled', 'lost')"
        f" AND jobs.recipe NOT IN ({marks(len(MEASURING))}) ORDER BY jobs.id DESC LIMIT 1",
        list(MEASURING),
    ).fetchone()
    row = (
        row
        or database.execute(
            f"SELECT {_TOLD}, NULL, NULL FROM snapshots AS s WHERE s.kind != ?"
            " ORDER BY s.rowid DESC LIMIT 1",
            [EVERY],
        ).fetchone()
    )
    return Since(*row) if row else None


def before(database: Database, digest: str) -> Since | None:
    """The snapshot that was frozen before this one, which may be one that is still to come."""
    row = database.execute(
        f"SELECT {_TOLD}, NULL, NULL FROM snapshots AS s WHERE s.kind != ? AND s.rowid <"
        " ifnull((SELECT rowid FROM snapshots WHERE digest = ?), 9e18)"
        " ORDER BY s.rowid DESC LIMIT 1",
        [EVERY, digest],
    ).fetchone()
    return Since(*row) if row else None
