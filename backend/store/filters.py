"""Which candidates: the filters of the queue, as conditions of a query."""

from dataclasses import dataclass
from typing import Any

from backend.errors import StoreError
from backend.store.rows import like

VERDICTS = ("undecided", "accept", "reject", "fix", "skip")

UNSCORED = "9e99"
"""Where candidates without a score stand: behind all others. SQLite uses the index on
`ifnull(score, 9e99)` only where a query spells it the same way."""

_LARGEST = 1e9
# A + keeps SQLite from looking up all rows that undo nothing, or all of a reviewer's decisions, for
# each candidate; INDEXED BY has it read a reviewer's decisions off their index.
_LEFT = "NOT EXISTS (SELECT 1 FROM decisions AS t WHERE t.undoes = d.id)"
_STANDS = f"+d.undoes IS NULL AND {_LEFT}"
_OF_REVIEWER = (
    "FROM decisions AS d INDEXED BY decisions_by_reviewer"
    f" WHERE d.reviewer = ? AND d.undoes IS NULL AND {_LEFT}"
)
_OWN = (
    "ifnull((SELECT d.verdict FROM decisions AS d WHERE d.candidate_id = c.id AND +d.reviewer = ?"
    f" AND {_STANDS} ORDER BY d.id DESC LIMIT 1), 'undecided')"
)

NOT_ANOTHERS = (
    "c.id NOT IN (SELECT o.id FROM candidates AS o WHERE o.parent_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM decisions AS d"
    " WHERE d.candidate_id = o.id AND +d.reviewer = ? AND +d.undoes IS NULL))"
)
"""Of candidates AS c those that were offered to all, and what this reviewer drew or decided on:
what another drew of a shared image would be a hint."""


def verdict_seen_by(reviewer: str | None) -> tuple[str, list[Any]]:
    """An SQL expression over candidates AS c, and its values: the current verdict, or, where a
    reviewer is named, what this one said, whatever others did.
    """
    return ("c.verdict", []) if reviewer is None else (_OWN, [reviewer])


@dataclass(frozen=True)
class Filter:
    """Which candidates: `verdict` one of VERDICTS or "all", `tag` a class id, the bounds those of
    the score that the queue is ordered by, `query` part of an image's name, `reviewer` whose
    verdict stands.

    `flagged`, `truth` and `kept` are about the image: flagged, with a true mask, with a mask that
    was accepted or fixed. `assigned` names a reviewer: images assigned to this one, and verdicts
    are then this reviewer's own, so that two who share an image judge it without a hint.
    """

    verdict: str = "undecided"
    tag: int | None = None
    run: int | None = None
    method: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    query: str = ""
    reviewer: str | None = None
    flagged: bool | None = None
    truth: bool | None = None
    kept: bool | None = None
    assigned: str | None = None

    def __post_init__(self) -> None:
        if self.verdict != "all" and self.verdict not in VERDICTS:
            raise StoreError(f"No verdict {self.verdict!r}; there are all, {', '.join(VERDICTS)}.")

    def conditions(self) -> tuple[str, list[Any]]:
        """A WHERE clause over candidates AS c, "" for all, and its values."""
        found: list[tuple[str, list[Any]]] = [*self._of_verdicts(), *self._of_images()]
        if self.tag is not None:
            tagged = "c.image_id IN (SELECT image_id FROM image_tags WHERE class_id = ?)"
            found.append((tagged, [self.tag]))
        if self.run is not None:
            found.append(("c.run_id = ?", [self.run]))
        if self.method is not None:
            found.append(("c.method = ?", [self.method]))
        if self.min_score is not None:
            found.append((f"ifnull(c.score, {UNSCORED}) >= ?", [self.min_score]))
        if self.max_score is not None or self.min_score is not None:
            most = _LARGEST if self.max_score is None else self.max_score
            found.append((f"ifnull(c.score, {UNSCORED}) <= ?", [most]))
        where = f" WHERE {' AND '.join(condition for condition, _ in found)}" if found else ""
        return where, [value for _, values in found for value in values]

    @property
    def about_images(self) -> bool:
        """Whether it asks which images there are, not only which masks."""
        asked = (self.flagged, self.truth, self.kept, self.assigned)
        return bool(self.query) or any(each is not None for each in asked)

    @property
    def counted_in(self) -> str:
        """The table to count over: where a filter is about images, the narrow index that has all
        it asks for, instead of the wide rows.
        """
        broad = (self.run, self.method, self.min_score, self.max_score, self.reviewer)
        if any(each is not None for each in broad) or not self.about_images:
            return "candidates AS c"
        return "candidates AS c INDEXED BY candidates_by_image"

    def _of_verdicts(self) -> list[tuple[str, list[Any]]]:
        found: list[tuple[str, list[Any]]] = []
        if self.assigned is not None:
            mine = "c.image_id IN (SELECT image_id FROM assignments WHERE reviewer = ?)"
            found += [(mine, [self.assigned]), (NOT_ANOTHERS, [self.assigned])]
        if self.verdict != "all" and self.assigned is None:
            found.append(("c.verdict = ?", [self.verdict]))
        elif self.verdict == "undecided":
            # One pass over what the reviewer decided, where the expression would ask for each.
            open_still = f"c.id NOT IN (SELECT d.candidate_id {_OF_REVIEWER})"
            found.append((open_still, [self.assigned]))
        elif self.verdict != "all":
            own = (
                f"c.id IN (SELECT d.candidate_id {_OF_REVIEWER} AND d.verdict = ? AND NOT EXISTS ("
                "SELECT 1 FROM decisions AS l WHERE l.candidate_id = d.candidate_id"
                " AND +l.reviewer = d.reviewer AND l.id > d.id AND +l.undoes IS NULL"
                " AND NOT EXISTS (SELECT 1 FROM decisions AS u WHERE u.undoes = l.id)))"
            )
            found.append((own, [self.assigned, self.verdict]))
        if self.reviewer is not None:
            decided = (
                "c.decision_id IN (SELECT id FROM decisions INDEXED BY decisions_by_reviewer"
                " WHERE reviewer = ? AND undoes IS NULL"
                " UNION ALL SELECT back.id FROM decisions AS back JOIN decisions AS d"
                " ON back.restores = d.id WHERE back.restores IS NOT NULL AND +d.reviewer = ?)"
            )
            found.append((decided, [self.reviewer, self.reviewer]))
        return found

    def _of_images(self) -> list[tuple[str, list[Any]]]:
        found: list[tuple[str, list[Any]]] = []
        sets = {
            "flagged": (self.flagged, "SELECT id FROM images WHERE flagged = 1"),
            "truth": (self.truth, "SELECT id FROM images WHERE truth_digest IS NOT NULL"),
            "kept": (
                self.kept,
                "SELECT image_id FROM candidates INDEXED BY candidates_by_image"
                " WHERE verdict IN ('accept', 'fix')",
            ),
        }
        for wanted, images in sets.values():
            if wanted is not None:
                found.append((f"c.image_id {'' if wanted else 'NOT '}IN ({images})", []))
        if self.query:
            named = "c.image_id IN (SELECT id FROM images WHERE name LIKE ? ESCAPE '!')"
            found.append((named, [like(self.query)]))
        return found
