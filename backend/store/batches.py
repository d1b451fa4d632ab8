"""A filtered set as it stands: what a batch decides on, and a name that changes when it does."""

import hashlib
from dataclasses import dataclass

from sqlite_utils import Database

from backend.store.filters import VERDICTS, Filter, verdict_seen_by


@dataclass(frozen=True)
class FilteredSet:
    """How many candidates pass a filter, in all and by verdict (every verdict is a key).

    `digest` names the set with the state of each: who decides on all of it says which one was seen.
    """

    total: int
    verdicts: dict[str, int]
    digest: str


@dataclass(frozen=True)
class Member:
    """A candidate of the set, with what stands of it."""

    id: int
    digest: str
    verdict: str
    decision_id: int | None


@dataclass(frozen=True)
class Found:
    """A filtered set with its members."""

    told: FilteredSet
    rows: list[Member]


def filtered_set(database: Database, filter: Filter) -> Found:
    """The candidates that pass a filter now."""
    where, values = filter.conditions()
    verdict, own = verdict_seen_by(filter.assigned)
    rows = [
        Member(*row)
        for row in database.execute(
            f"SELECT c.id, c.digest, {verdict}, c.decision_id FROM candidates AS c{where}"
            " ORDER BY c.id",
            [*own, *values],
        )
    ]
    verdicts = dict.fromkeys(VERDICTS, 0)
    named = hashlib.sha256()
    for row in rows:
        verdicts[row.verdict] += 1
        named.update(f"{row.id}:{row.decision_id or 0}\n".encode())
    return Found(FilteredSet(len(rows), verdicts, named.hexdigest()), rows)
