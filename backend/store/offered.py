"""Which mask a network offered for each image: the one that people decided on, or are to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from backend.store.rows import marks

DECIDING = ("accept", "fix")
"""Verdicts that settle what an image's mask is."""

GIVEN_AT = (
    "ifnull((SELECT CASE WHEN d.undoes IS NULL THEN d.id ELSE d.restores END"
    " FROM decisions AS d WHERE d.id = candidates.decision_id), 0)"
)
"""When a candidate's verdict was given, by its number in the log. To undo something else does not
give it anew: what was decided about another mask of the image since goes on to count."""


@dataclass(frozen=True)
class Offered:
    """A candidate as a snapshot tells of it: the digest of its mask, what made it, its scores; and
    the image's verdict where no mask of it is decided, "reject" or "undecided".
    """

    digest: str
    method: str
    scores: dict[str, float]
    verdict: str


def candidates_offered(database: Database, verdicts: Sequence[str]) -> dict[str, Offered]:
    """The candidate of each image that has any, by the image's digest.

    Of several it is the one decided last with one of these verdicts, else the newest that is
    undecided (or skipped), else the newest rejected. Of a mask that a person drew it is the
    candidate that this was drawn from; a drawn one that nobody stands by any more (its fix was
    undone) says nothing of the image. An image that was accepted or fixed, but with none of these
    verdicts, is not here: it waits for nobody, and what was offered for it may be superseded.
    """
    asked = f"verdict IN ({marks(len(verdicts))})"
    rows = database.execute(
        "WITH RECURSIVE ranked AS ("
        f" SELECT id, image_id, {asked} AS asked, row_number() OVER (PARTITION BY image_id ORDER BY"
        f" {asked} DESC, CASE WHEN {asked} THEN {GIVEN_AT} END DESC,"
        " verdict IN ('undecided', 'skip') DESC, id DESC) AS place"
        f" FROM candidates WHERE parent_id IS NULL OR {asked}"
        "), drawn (first, id) AS ("
        " SELECT id, id FROM ranked WHERE place = 1 AND (asked OR NOT EXISTS ("
        " SELECT 1 FROM candidates AS c WHERE c.image_id = ranked.image_id"
        f" AND c.verdict IN ({marks(len(DECIDING))})))"
        " UNION ALL SELECT drawn.first, candidates.parent_id FROM drawn"
        " JOIN candidates ON candidates.id = drawn.id WHERE candidates.parent_id IS NOT NULL"
        ") SELECT images.digest, candidates.digest, candidates.method, candidates.scores,"
        " candidates.verdict FROM drawn"
        " JOIN candidates ON candidates.id = drawn.id AND candidates.parent_id IS NULL"
        " JOIN images ON images.id = candidates.image_id",
        [*verdicts, *verdicts, *verdicts, *verdicts, *DECIDING],
    )
    return {
        image: Offered(
            digest,
            method,
            json.loads(scores),
            "reject" if verdict == "reject" else "undecided",
        )
        for image, digest, method, scores, verdict in rows
    }
