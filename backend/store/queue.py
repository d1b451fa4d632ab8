"""The queue: which candidates come next, in what order, and why."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.rows import Page, like, marks

VERDICTS = ("undecided", "accept", "reject", "fix", "skip")
ORDERS = ("score", "best", "newest", "random", "name")

RANKING = ("SC", "SF", "score")
"""The first of these scores that a candidate has decides its place in the queue."""

UNSCORED = "9e99"
"""Where candidates without a score stand: behind all others. SQLite uses the index on
`ifnull(score, 9e99)` only where a query spells it the same way."""

_FEW = 5000
_LARGEST = 1e9
_PRIME = (1 << 31) - 1


@dataclass(frozen=True)
class QueueRow:
    """A candidate in its place: what the page draws, and `why` it stands here (a sentence)."""

    id: int
    image_id: int
    image_name: str
    image_digest: str
    width: int
    height: int
    tags: tuple[int, ...]
    truth_digest: str | None
    digest: str
    run_id: int | None
    method: str
    scores: dict[str, float]
    score: float | None
    parent_id: int | None
    verdict: str
    reviewer: str | None
    added: float
    why: str


@dataclass(frozen=True)
class Counts:
    """How many candidates: in all, by verdict (every verdict is a key), by class and verdict."""

    total: int
    verdicts: dict[str, int]
    classes: dict[int, dict[str, int]]


def page(
    database: Database,
    *,
    order: str,
    seed: int,
    verdict: str,
    tag: int | None,
    run: int | None,
    method: str | None,
    min_score: float | None,
    max_score: float | None,
    query: str,
    offset: int,
    limit: int,
) -> Page[QueueRow]:
    """A page of the queue; see `Candidates.queue`."""
    if order not in ORDERS:
        raise StoreError(f"The queue has no order {order!r}; there are {', '.join(ORDERS)}.")
    if verdict != "all" and verdict not in VERDICTS:
        raise StoreError(f"No verdict {verdict!r}; there are all, {', '.join(VERDICTS)}.")
    where, values = _conditions(verdict, tag, run, method, min_score, max_score, query)
    total = int(
        database.execute(f"SELECT count(*) FROM candidates AS c{where}", values).fetchone()[0]
    )
    # CROSS JOIN and + have SQLite walk the images by name, or sort the few that match, where it
    # would sort all candidates, or walk them all to find the few.
    tables, ordering = "candidates AS c", _ordering(order, seed)
    if order == "name":
        tables = "images CROSS JOIN candidates AS c ON c.image_id = images.id"
    elif query and total < _FEW:
        ordering = f"+{ordering}"
    ids = database.execute(
        f"SELECT c.id FROM {tables}{where} ORDER BY {ordering} LIMIT ? OFFSET ?",
        [*values, max(0, limit), max(0, offset)],
    )
    places = {id: place for place, (id,) in enumerate(ids.fetchall())}
    rows = rows_of(database, list(places), order, seed)
    rows.sort(key=lambda row: places[row.id])
    return Page(rows, total, offset)


def count(database: Database, run: int | None, by_class: bool) -> Counts:
    """Counts by verdict and by class; a class's count is over images tagged with it."""
    where, values = ("", []) if run is None else (" WHERE c.run_id = ?", [run])
    verdicts = dict.fromkeys(VERDICTS, 0)
    for verdict, number in database.execute(
        f"SELECT c.verdict, count(*) FROM candidates AS c{where} GROUP BY c.verdict", values
    ):
        verdicts[verdict] = number
    classes: dict[int, dict[str, int]] = {}
    if not by_class:
        return Counts(sum(verdicts.values()), verdicts, classes)
    for tag, verdict, number in database.execute(
        "SELECT t.class_id, c.verdict, count(*) FROM candidates AS c"
        f" JOIN image_tags AS t ON t.image_id = c.image_id{where} GROUP BY 1, 2",
        values,
    ):
        classes.setdefault(tag, dict.fromkeys(VERDICTS, 0))[verdict] = number
    return Counts(sum(verdicts.values()), verdicts, classes)


def _conditions(
    verdict: str,
    tag: int | None,
    run: int | None,
    method: str | None,
    min_score: float | None,
    max_score: float | None,
    query: str,
) -> tuple[str, list[Any]]:
    conditions: dict[str, Any] = {}
    if verdict != "all":
        conditions["c.verdict = ?"] = verdict
    if tag is not None:
        conditions["c.image_id IN (SELECT image_id FROM image_tags WHERE class_id = ?)"] = tag
    if run is not None:
        conditions["c.run_id = ?"] = run
    if method is not None:
        conditions["c.method = ?"] = method
    if min_score is not None:
        conditions[f"ifnull(c.score, {UNSCORED}) >= ?"] = min_score
    if max_score is not None or min_score is not None:
        conditions[f"ifnull(c.score, {UNSCORED}) <= ?"] = (
            _LARGEST if max_score is None else max_score
        )
    if query:
        conditions["c.image_id IN (SELECT id FROM images WHERE name LIKE ? ESCAPE '!')"] = like(
            query
        )
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return where, list(conditions.values())


def _ordering(order: str, seed: int) -> str:
    if order == "score":
        return f"ifnull(c.score, {UNSCORED}), c.id"
    if order == "best":
        return f"ifnull(-c.score, {UNSCORED}), c.id"
    if order == "newest":
        return "c.id DESC"
    if order == "name":
        return "images.name, c.id"
    digest = hashlib.sha256(str(int(seed)).encode()).digest()
    factor = int.from_bytes(digest[:4]) % (_PRIME - 1) + 1
    shift = int.from_bytes(digest[4:8]) % _PRIME
    # `shuffle` is 31 random bits a candidate: a line modulo a prime orders them anew per seed.
    return f"(c.shuffle * {factor} + {shift}) % {_PRIME}, c.id"


def rows_of(database: Database, ids: list[int], order: str, seed: int) -> list[QueueRow]:
    """These candidates as the queue shows them, in any order; unknown ids are left out."""
    from_table = (
        "SELECT c.id, c.image_id, images.name, images.digest, images.width, images.height,"
        " images.truth_digest, c.digest, c.run_id, c.method, c.scores, c.score, c.parent_id,"
        " c.verdict, coalesce(restored.reviewer, decided.reviewer), c.added,"
        " (SELECT group_concat(class_id) FROM image_tags WHERE image_id = c.image_id)"
        " FROM candidates AS c JOIN images ON images.id = c.image_id"
        " LEFT JOIN decisions AS decided ON decided.id = c.decision_id"
        " LEFT JOIN decisions AS restored ON restored.id = decided.restores"
    )
    rows = database.execute(f"{from_table} WHERE c.id IN ({marks(len(ids))})", ids)
    return [_row(row, order, seed) for row in rows]


def _row(row: tuple, order: str, seed: int) -> QueueRow:
    (
        id,
        image_id,
        name,
        image_digest,
        width,
        height,
        truth,
        digest,
        run_id,
        method,
        scores,
        score,
        parent,
        verdict,
        reviewer,
        added,
        tags,
    ) = row
    known = json.loads(scores)
    return QueueRow(
        id=id,
        image_id=image_id,
        image_name=name,
        image_digest=image_digest,
        width=width,
        height=height,
        tags=tuple(sorted(int(tag) for tag in tags.split(","))) if tags else (),
        truth_digest=truth,
        digest=digest,
        run_id=run_id,
        method=method,
        scores=known,
        score=score,
        parent_id=parent,
        verdict=verdict,
        reviewer=None if verdict == "undecided" else reviewer,
        added=added,
        why=_why(order, seed, known, score, name, method),
    )


def _why(
    order: str, seed: int, scores: dict[str, float], score: float | None, name: str, method: str
) -> str:
    ranked = next((key for key in RANKING if key in scores), "score")
    if order in ("score", "best"):
        if score is None:
            return "has no score, so it comes last"
        return f"{'lowest' if order == 'score' else 'highest'} {ranked} first: {score:.2f}"
    if order == "newest":
        return f"newest first: made by {method}"
    if order == "random":
        return f"random order, seed {seed}"
    return f"by name: {name}"
