"""Which mask a network offered for each image: the one that people decided on, or are to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from backend.store.rows import marks


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
    candidate that this was drawn from.
    """
    rows = database.execute(
        "WITH RECURSIVE ranked AS ("
        " SELECT id, image_id, verdict, row_number() OVER (PARTITION BY image_id ORDER BY"
        f" verdict IN ({marks(len(verdicts))}) DESC,"
        f" CASE WHEN verdict IN ({marks(len(verdicts))}) THEN ifnull(decision_id, 0) END DESC,"
        " verdict IN ('undecided', 'skip') DESC, id DESC) AS place"
        " FROM candidates"
        "), drawn (first, id) AS ("
        " SELECT id, id FROM ranked WHERE place = 1"
        " UNION ALL SELECT drawn.first, candidates.parent_id FROM drawn"
        " JOIN candidates ON candidates.id = drawn.id WHERE candidates.parent_id IS NOT NULL"
        ") SELECT images.digest, candidates.digest, candidates.method, candidates.scores,"
        " ranked.verdict FROM drawn"
        " JOIN candidates ON candidates.id = drawn.id AND candidates.parent_id IS NULL"
        " JOIN ranked ON ranked.id = drawn.first"
        " JOIN images ON images.id = candidates.image_id",
        [*verdicts, *verdicts],
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
