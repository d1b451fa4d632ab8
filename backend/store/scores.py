"""A candidate's mask scores: a log of who gave which, and the last of each, for the queue."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlite_utils import Database

from backend.store.rows import dumps, now

NAMES = ("AC", "CD", "SC", "P", "SF")
"""SAL's scores that a queue can be ordered and a histogram drawn by; each has a column."""

RANKING = ("SC", "SF", "score")
"""The first of these scores that a candidate has decides its place in the queue."""


@dataclass(frozen=True)
class Scoring:
    """What one run (None: no run) said of a candidate, and when."""

    run_id: int | None
    run: str | None
    scores: dict[str, float]
    added: float


def column(name: str) -> str:
    """The column of `candidates` that holds one of NAMES."""
    return f"c.{name.lower()}"


def give(
    database: Database,
    candidate: int,
    run_id: int | None,
    scores: Mapping[str, float],
    added: float | None = None,
) -> bool:
    """Logs the scores of a candidate and takes them as the current ones; whether they are new.

    Scores that it has and that are not among these stay: P, say, where only AC was made anew. The
    same scores of the same run again are no news, whatever came after them.
    """
    if not scores:
        return False
    new = database.execute(
        "INSERT OR IGNORE INTO candidate_scores (candidate_id, run_id, scores, added)"
        " VALUES (?, ?, ?, ?)",
        [candidate, run_id, dumps(dict(scores)), now() if added is None else added],
    ).rowcount
    if new != 1:
        return False
    row = database.execute("SELECT scores FROM candidates WHERE id = ?", [candidate]).fetchone()
    known = {**json.loads(row[0]), **scores}
    ranked = next((known[name] for name in RANKING if name in known), None)
    both = "SC" in known and "SF" in known
    database.execute(
        "UPDATE candidates SET scores = ?, score = ?, ac = ?, cd = ?, sc = ?, p = ?, sf = ?,"
        " gap = ? WHERE id = ?",
        [
            dumps(known),
            ranked,
            *(known.get(name) for name in NAMES),
            abs(known["SC"] - known["SF"]) if both else None,
            candidate,
        ],
    )
    return True


def log_of(database: Database, candidate: int) -> list[Scoring]:
    """Every scoring of a candidate, the newest first."""
    rows = database.execute(
        "SELECT s.run_id, runs.name, s.scores, s.added FROM candidate_scores AS s"
        " LEFT JOIN runs ON runs.id = s.run_id WHERE s.candidate_id = ? ORDER BY s.id DESC",
        [candidate],
    )
    return [Scoring(run_id, run, json.loads(scores), added) for run_id, run, scores, added in rows]
