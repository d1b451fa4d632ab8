"""Which reference mask stands beside a candidate: what it was scored against, else the newest."""

from collections.abc import Mapping

from sqlite_utils import Database

from backend.store.rows import marks

REFERENCE = "sal.reference"
"""The stage of the artifacts that are reference masks."""


def references_of(database: Database, images: Mapping[int, int]) -> dict[int, str]:
    """The digest of the reference mask of each candidate that has one; `images` are the image ids
    by candidate id.

    It is that of the run that scored the candidate last, where this left one, else the newest of
    the image.
    """
    ids, places = list(images), list(set(images.values()))
    newest: dict[int, str] = {}
    made: dict[tuple[int, int], str] = {}
    for image, run, digest in database.execute(
        "SELECT image_id, run_id, digest FROM artifacts WHERE stage = ?"
        f" AND image_id IN ({marks(len(places))}) ORDER BY id",
        [REFERENCE, *places],
    ):
        newest[image] = made[image, run] = digest
    found = {id: newest[image] for id, image in images.items() if image in newest}
    for id, run in database.execute(
        "SELECT candidate_id, run_id FROM candidate_scores"
        f" WHERE candidate_id IN ({marks(len(ids))}) ORDER BY id",
        ids,
    ):
        if (images[id], run) in made:
            found[id] = made[images[id], run]
    return found
