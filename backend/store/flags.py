"""Flags: images that somebody marked to come back to, only ever added to."""

from dataclasses import dataclass

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.rows import Noun, now

_COLUMNS = "id, action_id, image_id, flagged, note, reviewer, session, client_time, server_time"


@dataclass(frozen=True)
class Flag:
    """One row of the log: who set (or took away) the flag of an image, when, and a note."""

    id: int
    action_id: str
    image_id: int
    flagged: bool
    note: str
    reviewer: str
    session: str
    client_time: float | None
    server_time: float


class Flags(Noun):
    """The log of flags; an image's current one is the latest row, kept in `images.flagged`."""

    def set(
        self,
        image_id: int,
        flagged: bool,
        *,
        reviewer: str,
        session: str,
        action_id: str,
        client_time: float | None = None,
        note: str = "",
    ) -> Flag:
        """Sets or takes away an image's flag, on disk when this returns.

        `action_id` is the page's own name for this act: sent twice it is recorded once. Raises
        StoreError for an unknown image, or where the action_id was used for something else.
        """
        if not reviewer.strip() or not action_id.strip():
            raise StoreError("A flag needs the reviewer's name and an action_id of its own.")

        def act(database: Database) -> Flag:
            told = _one(database, "action_id = ?", action_id)
            if told is not None:
                if (told.image_id, told.flagged, told.reviewer) != (image_id, flagged, reviewer):
                    raise StoreError(
                        f"The action {action_id[:40]!r} was recorded before for something else; "
                        "each act of a reviewer needs a name of its own."
                    )
                return told
            if not database.execute("SELECT 1 FROM images WHERE id = ?", [image_id]).fetchone():
                raise StoreError(f"There is no image {image_id} to flag.")
            fields = [action_id, image_id, int(flagged), note, reviewer, session, client_time]
            id = database.execute(
                "INSERT INTO flags (action_id, image_id, flagged, note, reviewer, session,"
                " client_time, server_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [*fields, now()],
            ).lastrowid
            made = _one(database, "id = ?", id)
            assert made is not None
            return made

        return self._connections.write_together(act)

    def history(self, image_id: int) -> list[Flag]:
        """Every row about an image, the oldest first."""
        with self._connections.read() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM flags WHERE image_id = ? ORDER BY id", [image_id]
            )
            return [_flag(row) for row in rows]

    def count(self) -> int:
        """How many images are flagged now."""
        with self._connections.read() as database:
            found = database.execute("SELECT count(*) FROM images WHERE flagged = 1")
            return int(found.fetchone()[0])


def _one(database: Database, condition: str, value: object) -> Flag | None:
    row = database.execute(f"SELECT {_COLUMNS} FROM flags WHERE {condition}", [value]).fetchone()
    return _flag(row) if row else None


def _flag(row: tuple) -> Flag:
    id, action_id, image_id, flagged, note, reviewer, session, client_time, server_time = row
    return Flag(
        id,
        action_id,
        image_id,
        bool(flagged),
        note,
        reviewer,
        session,
        client_time,
        server_time,
    )
