"""Whether a reviewer knew of the newest mask that a person drew of an image."""

from sqlite_utils import Database

from backend.errors import NewerMask


def require_newest(database: Database, candidate_id: int, known: int | None) -> None:
    """Raises NewerMask where a person drew a newer mask of the image than the reviewer knew of."""
    row = database.execute(
        "SELECT f.id, d.reviewer, images.name FROM candidates AS c"
        " JOIN candidates AS f ON f.image_id = c.image_id AND f.verdict = 'fix'"
        " AND f.parent_id IS NOT NULL JOIN images ON images.id = c.image_id"
        " LEFT JOIN decisions AS d ON d.id = f.decision_id"
        " WHERE c.id = ? ORDER BY f.id DESC LIMIT 1",
        [candidate_id],
    ).fetchone()
    if row is None or row[0] in (known, candidate_id):
        return
    raise NewerMask(
        f"{row[1] or 'Somebody'} drew a newer mask of {row[2]} since you looked at it. Nothing was "
        "overwritten; look at the newer one, then decide.",
        row[0],
    )
