"""Leases: who is editing which image, so that two people do not draw on one at once.

A lease is a courtesy with a clock: it ends by itself where its holder went away, and whoever says
so may take it over. What keeps an update from being lost is the mask that it names (`NewerMask`).
"""

from dataclasses import dataclass

from sqlite_utils import Database

from backend.errors import Conflict, StoreError
from backend.store.rows import Noun, now

LEASE_SECONDS = 90.0
"""For how long a lease holds without being renewed. A page renews it every 25 seconds, and a
browser lets a page that is out of sight do so once a minute at least."""

_COLUMNS = "image_id, reviewer, session, taken_at, until"


@dataclass(frozen=True)
class Lease:
    """`reviewer` edits the image in the visit `session`, till `until` unless it is renewed."""

    image_id: int
    reviewer: str
    session: str
    taken_at: float
    until: float

    def holds(self) -> bool:
        """Whether it has not run out; one that ends far too late is from before a clock was set."""
        return 0 < self.until - now() <= 2 * LEASE_SECONDS


class Leases(Noun):
    """The leases that are held now."""

    def hold(self, image_id: int, *, reviewer: str, session: str, steal: bool = False) -> Lease:
        """Takes the lease on an image, or renews it where this visit has it.

        Where another visit holds it that one keeps it and Conflict says who has it, unless
        `steal` says that the reviewer was asked and takes it over. StoreError without an image.
        """
        if not reviewer.strip() or not session.strip():
            raise StoreError("A lease needs the reviewer's name and the visit it is for.")

        def act(database: Database) -> Lease:
            if not database.execute("SELECT 1 FROM images WHERE id = ?", [image_id]).fetchone():
                raise StoreError(f"There is no image {image_id} to edit.")
            held = _one(database, image_id)
            mine = held is not None and (held.reviewer, held.session) == (reviewer, session)
            if not steal:
                require_free(database, image_id, reviewer, session)
            at = now()
            taken = held.taken_at if held is not None and mine and held.holds() else at
            lease = Lease(image_id, reviewer, session, taken, at + LEASE_SECONDS)
            database.execute(
                f"INSERT OR REPLACE INTO leases ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
                [image_id, reviewer, session, taken, lease.until],
            )
            return lease

        return self._connections.write_together(act)

    def release(self, image_id: int, *, reviewer: str, session: str) -> bool:
        """Gives the lease back; False where this visit did not have it (any more)."""

        def act(database: Database) -> bool:
            return bool(
                database.execute(
                    "DELETE FROM leases WHERE image_id = ? AND reviewer = ? AND session = ?",
                    [image_id, reviewer, session],
                ).rowcount
            )

        return self._connections.write_together(act)

    def on(self, image_id: int) -> Lease | None:
        """Who holds the image now, or None."""
        with self._connections.read() as database:
            held = _one(database, image_id)
        return held if held is not None and held.holds() else None

    def all(self) -> list[Lease]:
        """Every lease that holds now, the latest taken first."""
        with self._connections.read() as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM leases ORDER BY taken_at DESC")
            leases = [Lease(*row) for row in rows]
        return [lease for lease in leases if lease.holds()]


def require_free(database: Database, image_id: int, reviewer: str, session: str) -> None:
    """Raises Conflict where another visit, of this reviewer or another, edits the image."""
    held = _one(database, image_id)
    if held is None or not held.holds() or (held.reviewer, held.session) == (reviewer, session):
        return
    who = "You are" if held.reviewer == reviewer else f"{held.reviewer} is"
    where = " in another window" if held.reviewer == reviewer else ""
    raise Conflict(
        f"{who} editing this image{where}. Wait until it is free, or take it over.",
        {"lease": {"reviewer": held.reviewer, "taken_at": held.taken_at, "until": held.until}},
    )


def _one(database: Database, image_id: int) -> Lease | None:
    row = database.execute(
        f"SELECT {_COLUMNS} FROM leases WHERE image_id = ?", [image_id]
    ).fetchone()
    return Lease(*row) if row else None
