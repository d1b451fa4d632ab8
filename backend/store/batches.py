"""A whole set as one act: what it holds, its rows in the log, and the queue brought after them.

The log takes every row of an act in one transaction; that is quick. The queue's columns stand in a
dozen indexes, and to bring 20,000 candidates to a new verdict takes seconds. Where an act is large
it is noted as unsettled, and the queue follows piece by piece: nobody else who decides waits longer
than for one piece. Where the program is killed meanwhile, who opens the workspace next goes on.
"""

import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial

from sqlite_utils import Database

from backend.errors import StoreUnavailable
from backend.store.connection import Connections
from backend.store.filters import VERDICTS, Filter, verdict_seen_by

PIECE = 500
"""How many candidates are brought to their verdict at a time. Fewer would hold the lock hardly less
long: their entries lie all over the indexes, and a transaction writes whole pages."""
_REST_SECONDS = 0.005
# In kibibytes: without room for what a piece changes SQLite writes pages twice. And its usual size.
_ROOM, _USUAL = 32_768, 2_000


@dataclass(frozen=True)
class FilteredSet:
    """How many candidates pass a filter, in all and by verdict (every verdict is a key).

    `digest` names the set with the state of each: who decides on all of it says which one was seen.
    """

    total: int
    verdicts: dict[str, int]
    digest: str


def filtered_set(database: Database, filter: Filter) -> FilteredSet:
    """The candidates that pass a filter now."""
    where, values = filter.conditions()
    verdict, own = verdict_seen_by(filter.assigned)
    rows = database.execute(
        f"SELECT c.id, ifnull(c.decision_id, 0), {verdict} FROM candidates AS c{where}"
        " ORDER BY c.id",
        [*own, *values],
    ).fetchall()
    verdicts = dict.fromkeys(VERDICTS, 0) | Counter(verdict for _, _, verdict in rows)
    named = "".join([f"{id}:{decision}\n" for id, decision, _ in rows])
    return FilteredSet(len(rows), verdicts, hashlib.sha256(named.encode()).hexdigest())


def decide_all(
    database: Database, filter: Filter, verdict: str, count: int, batch: str, act: dict[str, object]
) -> None:
    """Adds a row for every candidate under a filter that has not the verdict yet, `count` of them.

    `act` are the columns that all of them share.
    """
    _begin(database, batch, count)
    where, values = filter.conditions()
    seen, own = verdict_seen_by(filter.assigned)
    database.execute(
        "INSERT INTO decisions (action_id, candidate_id, mask_digest, supersedes, verdict, batch,"
        f" {', '.join(act)}) SELECT ? || '/' || c.id, c.id, c.digest, c.decision_id, ?, ?,"
        f" {', '.join('?' * len(act))} FROM candidates AS c"
        f"{where}{' AND' if where else ' WHERE'} {seen} != ? ORDER BY c.id",
        [batch, verdict, batch, *act.values(), *values, *own, verdict],
    )


def stands(row: str) -> str:
    """That a row of the log, by its name in the query, neither is an undo nor was undone."""
    return (
        f"{row}.undoes IS NULL"
        f" AND NOT EXISTS (SELECT 1 FROM decisions AS t WHERE t.undoes = {row}.id)"
    )


def take_back(
    database: Database, last: int, batch: str | None, action_id: str, act: dict[str, object]
) -> None:
    """Adds the rows that take a decision back, or all that stands of the batch it was part of.

    The first of them is named by the act alone, the others by their candidate as well.
    """
    which, first = "d.id = ?", last
    if batch is not None:
        which = "d.batch = ?"
        size, first = database.execute(
            f"SELECT count(*), min(d.id) FROM decisions AS d WHERE {which} AND +{stands('d')}",
            [batch],
        ).fetchone()
        _begin(database, action_id, size)
    database.execute(
        "INSERT INTO decisions (action_id, candidate_id, mask_digest, verdict, reason, supersedes,"
        f" undoes, restores, batch, {', '.join(act)})"
        " SELECT CASE d.id WHEN ? THEN ? ELSE ? || '/' || d.candidate_id END, d.candidate_id,"
        " d.mask_digest, ifnull(s.verdict, 'undecided'), '',"
        " (SELECT max(m.id) FROM decisions AS m WHERE m.candidate_id = d.candidate_id),"
        f" d.id, s.id, ?, {', '.join('?' * len(act))}"
        # With + SQLite reads the candidate's few rows, not all that undo nothing.
        " FROM decisions AS d LEFT JOIN decisions AS s ON s.id = (SELECT max(e.id)"
        " FROM decisions AS e WHERE e.candidate_id = d.candidate_id AND e.id != d.id"
        f" AND +{stands('e')}) WHERE {which} AND +{stands('d')} ORDER BY d.id",
        [first, action_id, action_id, action_id if batch else None, *act.values(), batch or last],
    )


def require_settled(database: Database) -> None:
    """Raises StoreUnavailable while the queue is not yet what the log says."""
    if database.execute("SELECT 1 FROM unsettled LIMIT 1").fetchone():
        raise StoreUnavailable(
            "A whole set is being decided on right now; that takes seconds. Try again in a moment."
        )


def settle(connections: Connections) -> None:
    """Brings the queue to what the log says of every large act, a piece in each transaction."""
    batch = None if connections.read_only else _unsettled(connections)
    if batch is None:
        return
    try:
        with connections.read() as database:
            database.execute(f"PRAGMA cache_size = -{_ROOM}")
        while batch is not None:
            connections.write_together(partial(_settle_piece, batch=batch))
            # Other programs ask for the lock now and then; they get it between two pieces.
            time.sleep(_REST_SECONDS)
            batch = _unsettled(connections)
    finally:
        with connections.read() as database:
            database.execute(f"PRAGMA cache_size = -{_USUAL}")


def _unsettled(connections: Connections) -> str | None:
    with connections.read() as database:
        found = database.execute("SELECT batch FROM unsettled LIMIT 1").fetchone()
    return found and str(found[0])


def _begin(database: Database, batch: str, count: int) -> None:
    """Notes that the queue follows an act of so many rows later, where it is a large one."""
    if count > PIECE:
        database.execute("INSERT INTO unsettled (batch) VALUES (?)", [batch])


def _settle_piece(database: Database, batch: str) -> None:
    piece = (
        "SELECT id, candidate_id, verdict FROM decisions WHERE batch = ?1"
        " AND id > (SELECT reached FROM unsettled WHERE batch = ?1) ORDER BY id LIMIT ?2"
    )
    last = database.execute(f"SELECT max(id) FROM ({piece})", [batch, PIECE]).fetchone()[0]
    if last is None:
        database.execute("DELETE FROM unsettled WHERE batch = ?", [batch])
        return
    # Whoever decided on one of them since has the last word.
    database.execute(
        f"UPDATE candidates SET verdict = d.verdict, decision_id = d.id FROM ({piece}) AS d"
        " WHERE candidates.id = d.candidate_id AND ifnull(candidates.decision_id, 0) < d.id",
        [batch, PIECE],
    )
    database.execute("UPDATE unsettled SET reached = ? WHERE batch = ?", [last, batch])
