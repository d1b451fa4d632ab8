"""Where a score divides candidates in two: those nearest to tau, on either side and on both."""

from typing import Any

from sqlite_utils import Database

from backend.store.scores import column


def side(
    database: Database,
    where: str,
    values: list[Any],
    by: str,
    tau: float,
    *,
    above: bool,
    limit: int,
) -> list[tuple[float, int]]:
    """(distance, id) of the candidates on one side of tau, the nearest first; tau itself is above.

    `where` and `values` are those of `Filter.conditions`.
    """
    score = column(by)
    kept = f"{where}{' AND' if where else ' WHERE'} ({score} IS NULL) = 0"
    beyond, direction = (">=", "ASC") if above else ("<", "DESC")
    rows = database.execute(
        f"SELECT abs({score} - ?), c.id FROM candidates AS c{kept} AND {score} {beyond} ?"
        f" ORDER BY {score} {direction}, c.id LIMIT ?",
        [tau, *values, tau, limit],
    )
    return [(far, id) for far, id in rows]


def nearest(
    database: Database,
    where: str,
    values: list[Any],
    by: str,
    tau: float,
    offset: int,
    limit: int,
) -> list[int]:
    """Ids of a page of all candidates, those nearest to tau first, those without the score last.

    Both sides are read off the index, outwards from tau, as far as the page needs.
    """
    reach = offset + limit
    scored: list[tuple[float, int]] = []
    for above in (False, True):
        scored += side(database, where, values, by, tau, above=above, limit=reach)
    ids = [id for _, id in sorted(scored)[offset:reach]]
    if len(ids) < limit:
        kept = f"{where}{' AND' if where else ' WHERE'} ({column(by)} IS NULL) = 1"
        rest = database.execute(
            f"SELECT c.id FROM candidates AS c{kept} ORDER BY c.id LIMIT ? OFFSET ?",
            [*values, limit - len(ids), max(0, offset - len(scored))],
        )
        ids += [id for (id,) in rest]
    return ids
