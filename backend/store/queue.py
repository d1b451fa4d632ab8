"""The queue: which candidates come next, in what order, and why."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store import nearness
from backend.store.references import references_of
from backend.store.rows import Page, like, marks
from backend.store.scores import NAMES, RANKING

VERDICTS = ("undecided", "accept", "reject", "fix", "skip")
ORDERS = ("score", "best", "fine", "disagreement", "tau", "newest", "random", "name")

UNSCORED = "9e99"
"""Where candidates without a score stand: behind all others. SQLite uses the index on
`ifnull(score, 9e99)` only where a query spells it the same way."""

_FEW = 5000
_LARGEST = 1e9
_PRIME = (1 << 31) - 1


@dataclass(frozen=True)
class QueueRow:
    """A candidate in its place: what the page draws, and `why` it stands here (a sentence).

    `reference_digest`: the reference mask that it was scored against last, else the image's newest.
    """

    id: int
    image_id: int
    image_name: str
    image_digest: str
    width: int
    height: int
    tags: tuple[int, ...]
    truth_digest: str | None
    reference_digest: str | None
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
class Order:
    """In what order candidates come: `name` is one of ORDERS, `seed` that of a random order, `by`
    and `tau` the score and the value of it that the order "tau" begins at.
    """

    name: str = "score"
    seed: int = 0
    by: str = "SF"
    tau: float = 0.5

    def __post_init__(self) -> None:
        if self.name not in ORDERS:
            raise StoreError(
                f"The queue has no order {self.name!r}; there are {', '.join(ORDERS)}."
            )
        require_name(self.by)


@dataclass(frozen=True)
class Filter:
    """Which candidates: `verdict` one of VERDICTS or "all", `tag` a class id, the bounds those of
    the score that the queue is ordered by, `query` part of an image's name.
    """

    verdict: str = "undecided"
    tag: int | None = None
    run: int | None = None
    method: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    query: str = ""

    def __post_init__(self) -> None:
        if self.verdict != "all" and self.verdict not in VERDICTS:
            raise StoreError(f"No verdict {self.verdict!r}; there are all, {', '.join(VERDICTS)}.")

    def conditions(self) -> tuple[str, list[Any]]:
        """A WHERE clause over candidates AS c, "" for all, and its values."""
        conditions: dict[str, Any] = {}
        if self.verdict != "all":
            conditions["c.verdict = ?"] = self.verdict
        if self.tag is not None:
            tagged = "c.image_id IN (SELECT image_id FROM image_tags WHERE class_id = ?)"
            conditions[tagged] = self.tag
        if self.run is not None:
            conditions["c.run_id = ?"] = self.run
        if self.method is not None:
            conditions["c.method = ?"] = self.method
        if self.min_score is not None:
            conditions[f"ifnull(c.score, {UNSCORED}) >= ?"] = self.min_score
        if self.max_score is not None or self.min_score is not None:
            conditions[f"ifnull(c.score, {UNSCORED}) <= ?"] = (
                _LARGEST if self.max_score is None else self.max_score
            )
        if self.query:
            named = "c.image_id IN (SELECT id FROM images WHERE name LIKE ? ESCAPE '!')"
            conditions[named] = like(self.query)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return where, list(conditions.values())


@dataclass(frozen=True)
class Counts:
    """How many candidates: in all, by verdict (every verdict is a key), by class and verdict."""

    total: int
    verdicts: dict[str, int]
    classes: dict[int, dict[str, int]]


def page(
    database: Database, order: Order, filter: Filter, offset: int, limit: int
) -> Page[QueueRow]:
    """A page of the queue; see `Candidates.queue`."""
    where, values = filter.conditions()
    total = int(
        database.execute(f"SELECT count(*) FROM candidates AS c{where}", values).fetchone()[0]
    )
    offset_, limit = max(0, offset), max(0, limit)
    if order.name == "tau":
        ids = nearness.nearest(database, where, values, order.by, order.tau, offset_, limit)
        return Page(in_order(database, ids, order), total, offset)
    # CROSS JOIN and + have SQLite walk the images by name, or sort the few that match, where it
    # would sort all candidates, or walk them all to find the few.
    tables, ordering = "candidates AS c", _ordering(order.name, order.seed)
    if order.name == "name":
        tables = "images CROSS JOIN candidates AS c ON c.image_id = images.id"
    elif filter.query and total < _FEW:
        ordering = f"+{ordering}"
    found = database.execute(
        f"SELECT c.id FROM {tables}{where} ORDER BY {ordering} LIMIT ? OFFSET ?",
        [*values, limit, offset_],
    )
    return Page(in_order(database, [id for (id,) in found.fetchall()], order), total, offset)


def in_order(database: Database, ids: Sequence[int], order: Order) -> list[QueueRow]:
    """These candidates as the queue shows them, in the order of the ids."""
    places = {id: place for place, id in enumerate(ids)}
    return sorted(rows_of(database, list(ids), order), key=lambda row: places[row.id])


def require_name(by: str) -> str:
    """The name of a score; StoreError where there is no such score."""
    if by not in NAMES:
        raise StoreError(f"There is no score {by!r}; there are {', '.join(NAMES)}.")
    return by


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


def _ordering(order: str, seed: int) -> str:
    if order == "score":
        return f"ifnull(c.score, {UNSCORED}), c.id"
    if order == "best":
        return f"ifnull(-c.score, {UNSCORED}), c.id"
    if order == "fine":
        return "c.sf IS NULL, c.sf, c.id"
    if order == "disagreement":
        return "c.gap DESC, c.id"
    if order == "newest":
        return "c.id DESC"
    if order == "name":
        return "images.name, c.id"
    digest = hashlib.sha256(str(int(seed)).encode()).digest()
    factor = int.from_bytes(digest[:4]) % (_PRIME - 1) + 1
    shift = int.from_bytes(digest[4:8]) % _PRIME
    # `shuffle` is 31 random bits a candidate: a line modulo a prime orders them anew per seed.
    return f"(c.shuffle * {factor} + {shift}) % {_PRIME}, c.id"


def rows_of(database: Database, ids: list[int], order: Order) -> list[QueueRow]:
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
    rows = database.execute(f"{from_table} WHERE c.id IN ({marks(len(ids))})", ids).fetchall()
    references = references_of(database, {row[0]: row[1] for row in rows})
    return [_row(row, references.get(row[0]), order) for row in rows]


def _row(row: tuple, reference: str | None, order: Order) -> QueueRow:
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
        reference_digest=reference,
        digest=digest,
        run_id=run_id,
        method=method,
        scores=known,
        score=score,
        parent_id=parent,
        verdict=verdict,
        reviewer=None if verdict == "undecided" else reviewer,
        added=added,
        why=_why(order, known, score, name, method),
    )


def _why(
    order: Order, scores: dict[str, float], score: float | None, name: str, method: str
) -> str:
    if order.name in ("score", "best"):
        if score is None:
            return "has no score, so it comes last"
        ranked = next((key for key in RANKING if key in scores), "score")
        return f"{'lowest' if order.name == 'score' else 'highest'} {ranked} first: {score:.2f}"
    if order.name == "newest":
        return f"newest first: made by {method}"
    if order.name == "random":
        return f"random order, seed {order.seed}"
    if order.name == "name":
        return f"by name: {name}"
    return _why_score(order, scores)


def _why_score(order: Order, scores: dict[str, float]) -> str:
    needed = {"fine": ("SF",), "disagreement": ("SC", "SF"), "tau": (order.by,)}[order.name]
    missing = [key for key in needed if key not in scores]
    if missing:
        return f"has no {missing[-1]}, so it comes last"
    if order.name == "fine":
        return f"lowest SF first: {scores['SF']:.2f}"
    if order.name == "disagreement":
        apart = abs(scores["SC"] - scores["SF"])
        return f"SC {scores['SC']:.2f}, SF {scores['SF']:.2f}: {apart:.2f} apart"
    far = abs(scores[order.by] - order.tau)
    return f"{order.by} {scores[order.by]:.2f}, {far:.2f} from tau"
