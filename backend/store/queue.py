"""The queue: which candidates come next, in what order, and why."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from backend.store import nearness
from backend.store.filters import VERDICTS, Filter, verdict_seen_by
from backend.store.orders import Order, Place, ordering, why
from backend.store.rarity import Rarity, rarest_first, rarity
from backend.store.references import references_of
from backend.store.rows import Page, marks

_FEW = 8000


@dataclass(frozen=True)
class QueueRow:
    """A candidate in its place: what the page draws, and `why` it stands here (a sentence).

    `reference_digest`: the reference mask that it was scored against last, else the image's newest.
    `choices`: how many candidates its image has. `fixed_id`: the newest mask of the image that a
    person drew and that stands, None where there is none. `apart`: 1 - mean IoU of the image's
    masks, None where there is one only or they were not compared yet.
    """

    id: int
    image_id: int
    image_name: str
    image_digest: str
    width: int
    height: int
    tags: tuple[int, ...]
    truth_digest: str | None
    flagged: bool
    reference_digest: str | None
    digest: str
    run_id: int | None
    method: str
    scores: dict[str, float]
    score: float | None
    apart: float | None
    parent_id: int | None
    verdict: str
    reviewer: str | None
    added: float
    choices: int
    fixed_id: int | None
    why: str


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
    counted = database.execute(f"SELECT count(*) FROM {filter.counted_in}{where}", values)
    total = int(counted.fetchone()[0])
    start, limit = max(0, offset), max(0, limit)
    if order.name == "tau":
        ids = nearness.nearest(database, where, values, order.by, order.tau, start, limit)
        return Page(in_order(database, ids, order, filter.assigned), total, offset)
    if order.name == "rarity":
        ids = rarest_first(database, where, values, start, limit)
        return Page(in_order(database, ids, order, filter.assigned), total, offset)
    # CROSS JOIN and + have SQLite walk the images in their order, or sort the few that match, where
    # it would sort all candidates, or walk them all to find the few.
    tables, by = "candidates AS c", ordering(order)
    if order.name in ("name", "loss"):
        tables = "images CROSS JOIN candidates AS c ON c.image_id = images.id"
    elif filter.about_images and total < _FEW:
        by = f"+{by}"
    found = database.execute(
        f"SELECT c.id FROM {tables}{where} ORDER BY {by} LIMIT ? OFFSET ?",
        [*values, limit, start],
    )
    ids = [id for (id,) in found.fetchall()]
    return Page(in_order(database, ids, order, filter.assigned), total, offset)


def in_order(
    database: Database, ids: Sequence[int], order: Order, seen_by: str | None = None
) -> list[QueueRow]:
    """These candidates as the queue shows them, in the order of the ids."""
    places = {id: place for place, id in enumerate(ids)}
    rows = rows_of(database, list(ids), order, seen_by)
    return sorted(rows, key=lambda row: places[row.id])


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


def rows_of(
    database: Database, ids: list[int], order: Order, seen_by: str | None = None
) -> list[QueueRow]:
    """These candidates as the queue shows them, in any order; unknown ids are left out.

    `seen_by` a reviewer, verdicts are this one's own, and no number speaks of what others drew.
    """
    verdict, values = verdict_seen_by(seen_by)
    rows = database.execute(
        "SELECT c.id, c.image_id, images.name, images.digest, images.width, images.height,"
        " images.truth_digest, images.flagged, c.digest, c.run_id, c.method, c.scores, c.score,"
        f" c.apart, c.parent_id, {verdict}, coalesce(restored.reviewer, decided.reviewer), c.added,"
        " (SELECT group_concat(class_id) FROM image_tags WHERE image_id = c.image_id),"
        " (SELECT count(*) FROM candidates AS s WHERE s.image_id = c.image_id"
        f"  {_shown_to(seen_by, 's')}),"
        " (SELECT max(f.id) FROM candidates AS f WHERE f.image_id = c.image_id"
        "  AND f.verdict IN ('fix', 'accept') AND f.parent_id IS NOT NULL"
        f"  {_shown_to(seen_by, 'f')}),"
        " images.loss, runs.name"
        " FROM candidates AS c JOIN images ON images.id = c.image_id"
        " LEFT JOIN runs ON runs.id = images.loss_run"
        " LEFT JOIN decisions AS decided ON decided.id = c.decision_id"
        " LEFT JOIN decisions AS restored ON restored.id = decided.restores"
        f" WHERE c.id IN ({marks(len(ids))})",
        # Whoever sees verdicts of their own is named there and in what is shown to them.
        [*values, *values, *values, *ids],
    ).fetchall()
    references = references_of(database, {row[0]: row[1] for row in rows})
    rare = rarity(database) if order.name == "rarity" else Rarity(())
    return [_row(row, references.get(row[0]), order, rare, seen_by) for row in rows]


def _shown_to(reviewer: str | None, table: str) -> str:
    """Leaves out what others drew, where a reviewer is to judge without a hint."""
    if reviewer is None:
        return ""
    return (
        f"AND ({table}.parent_id IS NULL OR EXISTS (SELECT 1 FROM decisions AS d"
        f" WHERE d.candidate_id = {table}.id AND +d.reviewer = ? AND +d.undoes IS NULL))"
    )


def _row(
    row: tuple, reference: str | None, order: Order, rare: Rarity, seen_by: str | None
) -> QueueRow:
    (
        id,
        image_id,
        name,
        image_digest,
        width,
        height,
        truth,
        flagged,
        digest,
        run_id,
        method,
        scores,
        score,
        apart,
        parent,
        verdict,
        reviewer,
        added,
        tags,
        choices,
        fixed,
        loss,
        loss_run,
    ) = row
    known = json.loads(scores)
    held = tuple(sorted(int(tag) for tag in tags.split(","))) if tags else ()
    rarest = rare.rarest(held)
    drawn = parent is not None
    place = Place(name, method, known, score, apart, choices, drawn, loss, loss_run, rarest)
    return QueueRow(
        id=id,
        image_id=image_id,
        image_name=name,
        image_digest=image_digest,
        width=width,
        height=height,
        tags=held,
        truth_digest=truth,
        flagged=bool(flagged),
        reference_digest=reference,
        digest=digest,
        run_id=run_id,
        method=method,
        scores=known,
        score=score,
        apart=apart,
        parent_id=parent,
        verdict=verdict,
        reviewer=None if verdict == "undecided" else seen_by or reviewer,
        added=added,
        choices=choices,
        fixed_id=fixed,
        why=why(order, place),
    )
