"""Candidates: label maps offered for review, and the queue they wait in."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from backend.errors import StoreError
from backend.store.apart import Compared, compare, waiting
from backend.store.checking import check_labels
from backend.store.files import FileBatch
from backend.store.filters import NOT_ANOTHERS, Filter
from backend.store.nearness import side
from backend.store.orders import Order, require_name
from backend.store.queue import Counts, QueueRow, count, in_order, page, rows_of
from backend.store.rows import Noun, Page, now
from backend.store.scores import Scoring, give, log_of
from backend.store.spread import Spread, known_scores, spread

_COLUMNS = (
    "candidates.id, image_id, run_id, method, candidates.digest, scores, score, parent_id,"
    " candidates.added, verdict, decision_id"
)


@dataclass(frozen=True)
class Candidate:
    """A label map of an image: `digest` names the label PNG, `verdict` is the current one.

    `score` is what the queue is ordered by (SC, else SF, else "score"), None without; `parent_id`
    is the candidate that this one was drawn from, `decision_id` the latest decision.
    """

    id: int
    image_id: int
    run_id: int | None
    method: str
    digest: str
    scores: dict[str, float]
    score: float | None
    parent_id: int | None
    added: float
    verdict: str
    decision_id: int | None


@dataclass(frozen=True)
class CheckedCandidate:
    """A label map that fits its image and is stored, but not yet in the queue."""

    image_id: int
    image_digest: str
    method: str
    digest: str
    scores: dict[str, float]
    parent_id: int | None


class Candidates(Noun):
    """All candidates."""

    def add(
        self,
        image_id: int,
        run_id: int | None,
        method: str,
        labels: bytes | Path | str,
        scores: Mapping[str, float] | None = None,
        *,
        parent_id: int | None = None,
    ) -> int:
        """Enters a label map (PNG bytes, or the digest of a stored one); its id.

        The same labels by the same method for the same image give the candidate that is there,
        which takes other scores than it has as its newest. Raises DataError where the labels have
        another size or unknown ids, StoreError for an unknown image.
        """
        checked = self.check(image_id, method, labels, scores, parent_id=parent_id)
        return self.enter([checked], run_id)[0][0]

    def check(
        self,
        image_id: int,
        method: str,
        labels: bytes | Path | str,
        scores: Mapping[str, float] | None = None,
        *,
        parent_id: int | None = None,
        into: FileBatch | None = None,
    ) -> CheckedCandidate:
        """The slow half of `add`: decodes and stores the labels. Many threads may do it at once.

        `into` a batch, the files are stored when that ends; `enter` what was checked after it.
        """
        with self._connections.read() as database:
            image = database.execute(
                "SELECT height, width, digest, name FROM images WHERE id = ?", [image_id]
            ).fetchone()
            class_ids = {id for (id,) in database.execute("SELECT id FROM classes")}
        if image is None:
            raise StoreError(f"There is no image {image_id} to have a candidate.")
        height, width, image_digest, name = image
        size, said = (height, width), f"The mask of {name}"
        digest = check_labels(into or self._files, labels, size, class_ids, said)
        numbers = finite(scores or {})
        return CheckedCandidate(image_id, image_digest, method, digest, numbers, parent_id)

    def enter(
        self, checked: Iterable[CheckedCandidate], run_id: int | None = None
    ) -> list[tuple[int, bool]]:
        """The quick half of `add`, for many in one transaction; their ids, and which are new."""
        with self._connections.write() as database:
            return [_enter(database, each, run_id) for each in checked]

    def get(self, id: int) -> Candidate:
        """One candidate with its current verdict; StoreError where there is none."""
        with self._connections.read() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM candidates WHERE id = ?", [id]
            ).fetchone()
        if row is None:
            raise StoreError(f"There is no candidate {id} in this workspace.")
        return _candidate(row)

    def of_image(self, image_id: int) -> list[Candidate]:
        """Every candidate of an image, the newest first."""
        with self._connections.read() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM candidates WHERE image_id = ? ORDER BY id DESC",
                [image_id],
            )
            return [_candidate(row) for row in rows]

    def queue(
        self,
        order: str = "score",
        *,
        seed: int = 0,
        by: str = "SF",
        tau: float = 0.5,
        offset: int = 0,
        limit: int = 50,
        **filter: Any,
    ) -> Page[QueueRow]:
        """A page of candidates to review; other keywords are those of `Filter`.

        `order`: score (lowest first, unscored last), best (highest first), fine (lowest SF),
        disagreement (largest |SC - SF|), methods (an image's masks furthest apart, see `compare`),
        tau (where the score `by` is nearest to it), rarity (images with the rarest tag), loss
        (highest last loss), newest, random (the same for the same seed), name. Raises StoreError
        for other orders, scores and verdicts.
        """
        wanted = Order(order, seed, by, tau)
        with self._connections.read() as database:
            return page(database, wanted, Filter(**filter), offset, limit)

    def compare(self, tell: Callable[[int, int], None] | None = None) -> Compared:
        """Measures how far apart the masks of each image are, for the order "methods".

        Only images with masks that were not compared yet; `tell(done, total)` hears of each batch.
        Others may read and write meanwhile; stopped half-way, what was measured is kept.
        """
        return compare(self._connections, self._files, tell)

    def uncompared(self) -> int:
        """How many images have masks that were not compared with each other yet."""
        with self._connections.read() as database:
            return waiting(database)

    def spread(self, by: str, filter: Filter) -> Spread:
        """The histogram of a score over the candidates that pass a filter."""
        with self._connections.read() as database:
            return spread(database, by, filter)

    def either_side(
        self, by: str, tau: float, filter: Filter, limit: int
    ) -> tuple[list[QueueRow], list[QueueRow]]:
        """The candidates under a filter whose score is nearest to tau: those below it, and those
        from it up, the nearest first.
        """
        order = Order("tau", by=require_name(by), tau=tau)
        where, values = filter.conditions()
        with self._connections.read() as database:
            below, above = (
                side(database, where, values, by, tau, above=above, limit=limit)
                for above in (False, True)
            )
            return (
                in_order(database, [id for _, id in below], order, filter.assigned),
                in_order(database, [id for _, id in above], order, filter.assigned),
            )

    def known_scores(self) -> list[str]:
        """Which of AC, CD, SC, P and SF any candidate has."""
        with self._connections.read() as database:
            return known_scores(database)

    def with_labels(self, image_id: int, digest: str) -> list[int]:
        """The ids of an image's candidates that are this very label map, whatever made them."""
        with self._connections.read() as database:
            rows = database.execute(
                "SELECT id FROM candidates WHERE image_id = ? AND digest = ? ORDER BY id",
                [image_id, digest],
            )
            return [int(id) for (id,) in rows]

    def rescore(self, scored: Iterable[tuple[int, Mapping[str, float]]], run_id: int | None) -> int:
        """Takes new scores of candidates (ids) in, in one transaction; how many were news.

        Earlier ones stay in the log (`scorings`); what a candidate's decision was stays as well.
        """
        with self._connections.write() as database:
            return sum(give(database, id, run_id, finite(scores)) for id, scores in scored)

    def scorings(self, id: int) -> list[Scoring]:
        """Every scoring of a candidate, the newest first."""
        with self._connections.read() as database:
            return log_of(database, id)

    def count(self) -> int:
        """How many candidates there are."""
        with self._connections.read() as database:
            return int(database.execute("SELECT count(*) FROM candidates").fetchone()[0])

    def row(self, id: int, seen_by: str | None = None) -> QueueRow:
        """One candidate as the queue shows it, whatever its verdict; StoreError without. `seen_by`
        as in `choices`.
        """
        with self._connections.read() as database:
            rows = rows_of(database, [id], Order(), seen_by)
        if not rows:
            raise StoreError(f"There is no candidate {id} in this workspace.")
        return rows[0]

    def choices(self, image_id: int, seen_by: str | None = None) -> list[QueueRow]:
        """Every candidate of an image as the queue shows it, the oldest first: what a reviewer
        chooses among. `seen_by` a reviewer, verdicts are this one's own, and what others drew is
        left out.
        """
        allowed = f" AND {NOT_ANOTHERS}" if seen_by is not None else ""
        with self._connections.read() as database:
            ids = database.execute(
                f"SELECT id FROM candidates AS c WHERE image_id = ?{allowed} ORDER BY id",
                [image_id] if seen_by is None else [image_id, seen_by],
            )
            return in_order(database, [id for (id,) in ids.fetchall()], Order(), seen_by)

    def counts(self, run: int | None = None, *, by_class: bool = True) -> Counts:
        """How many candidates have which verdict, of one run or (None) of all.

        Without `by_class` its `classes` are empty, and it is quick enough to ask after every act.
        """
        with self._connections.read() as database:
            return count(database, run, by_class)


def finite(scores: Mapping[str, float]) -> dict[str, float]:
    """The scores that are numbers; NaN and infinity say nothing."""
    numbers = {key: float(value) for key, value in scores.items()}
    return {key: value for key, value in numbers.items() if math.isfinite(value)}


def _enter(database: Database, checked: CheckedCandidate, run_id: int | None) -> tuple[int, bool]:
    shuffle = _shuffle(checked.image_digest, checked.digest, checked.method)
    added = now()
    new = (
        database.execute(
            "INSERT OR IGNORE INTO candidates"
            " (image_id, run_id, method, digest, parent_id, shuffle, added)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                checked.image_id,
                run_id,
                checked.method,
                checked.digest,
                checked.parent_id,
                shuffle,
                added,
            ],
        ).rowcount
        == 1
    )
    row = database.execute(
        "SELECT id, scores FROM candidates WHERE image_id = ? AND digest = ? AND method = ?",
        [checked.image_id, checked.digest, checked.method],
    ).fetchone()
    id, known = int(row[0]), json.loads(row[1])
    # Another run may have made the very same mask and measured it anew, by another scorer, say.
    if new or any(known.get(name) != value for name, value in checked.scores.items()):
        give(database, id, run_id, checked.scores, added)
    return id, new


def _shuffle(*names: str) -> int:
    """31 bits that depend on nothing but the content, so that a seed orders alike everywhere."""
    return int.from_bytes(hashlib.sha256("\n".join(names).encode()).digest()[:4]) >> 1


def _candidate(row: tuple) -> Candidate:
    id, image_id, run_id, method, digest, scores, score, parent_id, added, verdict, decided = row
    return Candidate(
        id,
        image_id,
        run_id,
        method,
        digest,
        json.loads(scores),
        score,
        parent_id,
        added,
        verdict,
        decided,
    )
