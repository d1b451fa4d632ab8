"""How a score is spread over the candidates under a filter: a histogram, never the rows."""

from dataclasses import dataclass

from sqlite_utils import Database

from backend.store.filters import Filter
from backend.store.orders import require_name
from backend.store.scores import NAMES, column

BINS = 100
# A score of 0.29 belongs to the bin from 0.29 on, though 0.29 * 100 is a little less than 29.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Spread:
    """`counts` of BINS bins of equal width over 0..1, `without` the score so many candidates."""

    by: str
    counts: tuple[int, ...]
    without: int


def spread(database: Database, by: str, filter: Filter) -> Spread:
    """The histogram of a score; what lies beyond 0..1 is in the outermost bins."""
    require_name(by)
    where, values = filter.conditions()
    counts, without = [0] * BINS, 0
    rows = database.execute(
        f"SELECT CAST({column(by)} * {BINS} + {_ROUNDING} AS INTEGER), count(*)"
        f" FROM candidates AS c{where} GROUP BY 1",
        values,
    )
    for place, number in rows:
        if place is None:
            without = number
        else:
            counts[min(max(place, 0), BINS - 1)] += number
    return Spread(by, tuple(counts), without)


def known_scores(database: Database) -> list[str]:
    """Which of SAL's scores any candidate has."""
    return [
        name
        for name in NAMES
        if database.execute(
            f"SELECT EXISTS (SELECT 1 FROM candidates AS c WHERE {column(name)} IS NOT NULL)"
        ).fetchone()[0]
    ]
