"""What can be compared: the masks of a run, those of a method, and those that people kept."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.errors import DataError

if TYPE_CHECKING:
    from sqlite_utils import Database

    from backend.store import Store

KEPT = "accepted"
RUN, METHOD = "run:", "method:"


@dataclass(frozen=True)
class Side:
    """One mask an image at most. `id` is `run:NUMBER`, `method:NAME` or `accepted`; `count` is how
    many images have one."""

    id: str
    title: str
    detail: str
    count: int


@dataclass(frozen=True)
class Mask:
    """A side's mask of an image; `digest` names the label PNG."""

    candidate: int
    digest: str
    verdict: str
    scores: dict[str, float]


def sides(store: "Store") -> list[Side]:
    """Everything of this workspace that has masks: runs, the newest first, methods, kept masks."""
    with store.connections.read() as database:
        groups = database.execute(
            "SELECT run_id, method, count(DISTINCT image_id) FROM candidates"
            " WHERE parent_id IS NULL GROUP BY run_id, method ORDER BY run_id DESC, method"
        ).fetchall()
        of_run = dict(
            database.execute(
                "SELECT run_id, count(DISTINCT image_id) FROM candidates"
                " WHERE parent_id IS NULL AND run_id IS NOT NULL GROUP BY run_id"
            )
        )
        names = dict(database.execute("SELECT id, name FROM runs"))
        of_method = dict(
            database.execute(
                "SELECT method, count(DISTINCT image_id) FROM candidates"
                " WHERE parent_id IS NULL GROUP BY method ORDER BY method"
            )
        )
        kept = database.execute(
            "SELECT count(DISTINCT image_id) FROM candidates WHERE verdict IN ('accept', 'fix')"
        ).fetchone()[0]
    methods: dict[int, list[str]] = {}
    runs: dict[str, set[int | None]] = {}
    for run, method, _ in groups:
        runs.setdefault(method, set()).add(run)
        if run is not None:
            methods.setdefault(run, []).append(method)
    found = [
        Side(f"{RUN}{run}", f"{names[run]} (run {run})", ", ".join(methods[run]), of_run[run])
        for run in sorted(of_run, reverse=True)
    ]
    for method, count in of_method.items():
        of = runs[method]
        only = next(iter(of)) if len(of) == 1 else None
        # What one run alone made, and nothing else, is that run again.
        if only is None or methods[only] != [method]:
            found.append(Side(f"{METHOD}{method}", method, "one method, of any run", count))
    if kept:
        found.append(Side(KEPT, "Accepted masks", "what reviewers accepted or fixed", kept))
    return found


def side(store: "Store", id: str) -> Side:
    """The side of this id; DataError, with those that there are, where there is none."""
    known = sides(store)
    for each in known:
        if each.id == id:
            return each
    there = ", ".join(each.id for each in known[:12]) or "none: no run or method has offered masks"
    raise DataError(f"There are no masks of {id[:80]!r} to show; there are {there}.")


def masks_of(store: "Store", id: str, images: Iterable[int] | None = None) -> dict[int, Mask]:
    """A side's masks by image id: of a run or method the newest of each image, of the kept masks
    the one that was decided last. `images` None: of all images."""
    condition, values, newest = _condition(id)
    found: dict[int, Mask] = {}

    def take(database: "Database", more: str, more_values: list[Any]) -> None:
        for image, candidate, digest, verdict, scores, _ in database.execute(
            f"SELECT image_id, id, digest, verdict, scores, max({newest}) FROM candidates"
            f" WHERE {condition}{more} GROUP BY image_id",
            [*values, *more_values],
        ):
            found[image] = Mask(candidate, digest, verdict, json.loads(scores))

    with store.connections.read() as database:
        if images is None:
            take(database, "", [])
        for one in images or ():
            take(database, " AND image_id = ?", [one])
    return found


def _condition(id: str) -> tuple[str, list[Any], str]:
    readers: dict[str, Callable[[str], tuple[str, list[Any]]]] = {
        RUN: lambda rest: ("run_id = ? AND parent_id IS NULL", [_number(id, rest)]),
        METHOD: lambda rest: ("method = ? AND parent_id IS NULL", [rest]),
    }
    if id == KEPT:
        from backend.store.offered import GIVEN_AT

        return "verdict IN ('accept', 'fix')", [], GIVEN_AT
    for prefix, reader in readers.items():
        if id.startswith(prefix):
            return *reader(id.removeprefix(prefix)), "id"
    raise DataError(f"{id[:80]!r} names no masks; accepted are run:NUMBER, method:NAME and {KEPT}.")


def _number(id: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    raise DataError(f"{id[:80]!r} names no run; after 'run:' comes the run's number.")
