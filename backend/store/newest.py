"""Whether a reviewer knew of the newest mask that a person drew of an image."""

from sqlite_utils import Database

from backend.errors import NewerMask


def require_newest(database: Database, candidate_id: int, known: int | None) -> None:
    """Raises NewerMask where a person drew a newer mask of the image than the reviewer knew of.

    It counts while it stands, as the fix that it is or accepted by somebody since.
    """
    row = database.execute(
        "SELECT f.id, images.name FROM candidates AS c"
        " JOIN candidates AS f ON f.image_id = c.image_id AND f.verdict IN ('fix', 'accept')"
        " AND f.parent_id IS NOT NULL JOIN images ON images.id = c.image_id"
        " WHERE c.id = ? ORDER BY f.id DESC LIMIT 1",
        [candidate_id],
    ).fetchone()
    if row is None or row[0] in (known, candidate_id):
        return
    raise NewerMask(
        f"{drawn_by(database, row[0]) or 'Somebody'} drew a newer mask of {row[1]} since you "
        "looked at it. Nothing was overwritten; look at the newer one, then decide.",
        row[0],
    )


def drawn_by(database: Database, candidate_id: int) -> str | None:
    """Who drew a mask, whoever accepted it or brought it back since."""
    row = database.execute(
        "SELECT reviewer FROM decisions WHERE candidate_id = ? AND verdict = 'fix'"
        " AND undoes IS NULL AND restores IS NULL ORDER BY id DESC LIMIT 1",
        [candidate_id],
    ).fetchone()
    return None if row is None else str(row[0])
