"""Opinions: what each reviewer last said of each mask, whoever decided on it since.

The queue goes by the last word on a mask, whosever it was. Agreement and progress ask what each
reviewer said, so they read the log.
"""

from typing import NamedTuple

from sqlite_utils import Database


class Opinion(NamedTuple):
    """A reviewer's last word on a candidate that still stands.

    `drawn` says that the mask is what this reviewer made of `parent_id`, a fix.
    """

    reviewer: str
    candidate_id: int
    image_id: int
    parent_id: int | None
    digest: str
    verdict: str
    decision_id: int

    @property
    def keeps(self) -> bool:
        """Whether the reviewer wants to train on this mask."""
        return self.verdict in ("accept", "fix")

    @property
    def drawn(self) -> bool:
        return self.verdict == "fix" and self.parent_id is not None


def opinions(database: Database) -> list[Opinion]:
    """Every opinion, in the order in which they were given; skips are none.

    A decision that its reviewer took back is none either, the one before it counts again.
    """
    rows = database.execute(
        "SELECT d.reviewer, d.candidate_id, c.image_id, c.parent_id, c.digest, d.verdict, d.id"
        " FROM decisions AS d JOIN candidates AS c ON c.id = d.candidate_id"
        " WHERE d.undoes IS NULL AND d.id NOT IN"
        " (SELECT undoes FROM decisions WHERE undoes IS NOT NULL) ORDER BY d.id"
    )
    last: dict[tuple[str, int], Opinion] = {}
    for row in rows:
        opinion = Opinion(*row)
        # Taken out first, so that the dictionary's order is that of the last words.
        last.pop((opinion.reviewer, opinion.candidate_id), None)
        last[opinion.reviewer, opinion.candidate_id] = opinion
    return [each for each in last.values() if each.verdict in ("accept", "reject", "fix")]


def judgements(said: list[Opinion]) -> dict[int, dict[str, bool]]:
    """Whether each reviewer would keep each candidate as it is, by candidate and reviewer.

    Who fixed a mask did not keep it as it was, unless they accepted it again afterwards.
    """
    kept: dict[int, dict[str, bool]] = {}
    for opinion in said:
        kept.setdefault(opinion.candidate_id, {})[opinion.reviewer] = opinion.keeps
        if opinion.drawn and opinion.parent_id is not None:
            kept.setdefault(opinion.parent_id, {})[opinion.reviewer] = False
    return kept
