"""The queue, against a second formulation in Python."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import StoreError
from backend.images import encode_png
from backend.labels import encode_labels
from backend.store import QueueRow, Store, create_store

GIVEN = ("accept", "reject", "fix", "skip")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """24 images with 40 candidates: two methods, two runs, equal scores, none, all verdicts."""
    folder = tmp_path_factory.mktemp("queue")
    store = create_store(folder / "tagmask.db", folder / "files")
    for name in ("cat", "dog", "bird"):
        store.classes.add(name)
    runs = [store.runs.add(f"run {n}", "labels", f"runs/{n}") for n in range(2)]
    draw = np.random.default_rng(5)
    for number in range(24):
        photo = encode_png(draw.integers(0, 256, (4, 4, 3), np.uint8))
        tags = [tag for tag in (1, 2, 3) if draw.random() < 0.5]
        # Names in another order than ids.
        image = store.images.add(f"{(number * 7) % 24:02d} photo", photo, source="t", tags=tags)
        for method in ("seenet", "dcsp")[: 1 + (number % 3 > 0)]:
            labels = draw.integers(0, 4, (4, 4)).astype(np.uint8)
            scores = {} if draw.random() < 0.2 else {"SC": round(float(draw.random()), 1)}
            run = (None, *runs)[number % 3]
            id = store.candidates.add(image.image.id, run, method, encode_labels(labels), scores)
            if number % 2:
                digest = store.candidates.get(id).digest
                verdict = GIVEN[int(draw.integers(4))]
                store.decisions.record(
                    id, digest, verdict, reviewer="ada", session="s", action_id=f"act {id}"
                )
    return store


def everything(store: Store) -> list[QueueRow]:
    return store.candidates.queue("newest", verdict="all", limit=1000).rows


def unscored_last(row: QueueRow, sign: int) -> tuple[bool, float]:
    return row.score is None, sign * (row.score or 0.0)


SORTED: dict[str, Callable[[QueueRow], Any]] = {
    "score": lambda row: (*unscored_last(row, 1), row.id),
    "best": lambda row: (*unscored_last(row, -1), row.id),
    "newest": lambda row: -row.id,
    "name": lambda row: (row.image_name, row.id),
}


@settings(max_examples=60, deadline=None)
@given(
    order=st.sampled_from(sorted(SORTED)),
    verdict=st.sampled_from(("all", "undecided", *GIVEN)),
    tag=st.none() | st.integers(1, 4),
    run=st.none() | st.integers(1, 3),
    method=st.none() | st.sampled_from(("seenet", "dcsp", "none")),
    low=st.none() | st.sampled_from((0.0, 0.2, 0.5)),
    high=st.none() | st.sampled_from((0.4, 0.5, 1.0)),
    query=st.sampled_from(("", "1", "PHOTO", "0_", "zzz")),
    offset=st.integers(0, 30),
    limit=st.integers(0, 12),
)
def test_a_page_is_what_python_would_have_chosen(
    full: Store,
    order: str,
    verdict: str,
    tag: int | None,
    run: int | None,
    method: str | None,
    low: float | None,
    high: float | None,
    query: str,
    offset: int,
    limit: int,
) -> None:
    page = full.candidates.queue(
        order,
        verdict=verdict,
        tag=tag,
        run=run,
        method=method,
        min_score=low,
        max_score=high,
        query=query,
        offset=offset,
        limit=limit,
    )
    wanted = [
        row
        for row in everything(full)
        if verdict in ("all", row.verdict)
        and (tag is None or tag in row.tags)
        and (run is None or row.run_id == run)
        and (method is None or row.method == method)
        and (low is None or (row.score is not None and row.score >= low))
        and (high is None or (row.score is not None and row.score <= high))
        and query.lower() in row.image_name.lower()
    ]
    wanted.sort(key=SORTED[order])
    assert page.total == len(wanted)
    assert page.offset == offset
    assert [row.id for row in page.rows] == [row.id for row in wanted[offset : offset + limit]]
    assert [replace(row, why="") for row in page.rows] == [
        replace(row, why="") for row in wanted[offset : offset + limit]
    ]


def random_order(store: Store, seed: int) -> list[int]:
    return [row.id for row in store.candidates.queue("random", seed=seed, verdict="all").rows]


def test_a_seed_orders_always_alike(full: Store) -> None:
    assert random_order(full, 7) == random_order(full, 7)
    assert sorted(random_order(full, 7)) == sorted(row.id for row in everything(full))


def test_seeds_order_differently(full: Store) -> None:
    orders = [tuple(random_order(full, seed)) for seed in range(20)]
    assert len(set(orders)) == 20
    # Were places independent of ids, a mean rank correlation of 20 orders would stand near 0.
    ranks = [np.corrcoef(order, sorted(order))[0, 1] for order in orders]
    assert abs(float(np.mean(ranks))) < 0.15
    assert len({order[0] for order in orders}) > 8


def test_pages_of_a_random_order_miss_and_repeat_nobody(full: Store) -> None:
    seen: list[int] = []
    for offset in range(0, 50, 7):
        page = full.candidates.queue("random", seed=3, verdict="all", offset=offset, limit=7)
        seen += [row.id for row in page.rows]
    assert len(seen) == len(set(seen)) == page.total


def test_every_row_says_why_it_is_here(full: Store) -> None:
    lowest = full.candidates.queue("score", verdict="all").rows[0]
    assert lowest.why == f"lowest SC first: {lowest.score:.2f}"
    assert full.candidates.queue("score", verdict="all", limit=99).rows[-1].why == (
        "has no score, so it comes last"
    )
    best = full.candidates.queue("best", verdict="all").rows[0]
    assert best.why == f"highest SC first: {best.score:.2f}"
    assert full.candidates.queue("random", seed=4).rows[0].why == "random order, seed 4"
    assert "newest" in full.candidates.queue("newest").rows[0].why
    assert full.candidates.queue("name").rows[0].why == "by name: 00_photo"


def test_rows_name_the_reviewer_who_decided(full: Store) -> None:
    for row in everything(full):
        assert row.reviewer == (None if row.verdict == "undecided" else "ada")


def test_unknown_orders_and_verdicts_are_refused(full: Store) -> None:
    with pytest.raises(StoreError, match="there are score, best"):
        full.candidates.queue("shuffled")
    with pytest.raises(StoreError, match="No verdict 'accepted'"):
        full.candidates.queue(verdict="accepted")


@pytest.mark.parametrize("run", [None, 1])
def test_counts_are_those_of_the_rows(full: Store, run: int | None) -> None:
    counts = full.candidates.counts(run)
    rows = [row for row in everything(full) if run is None or row.run_id == run]
    assert counts.total == len(rows)
    for verdict in ("undecided", *GIVEN):
        assert counts.verdicts[verdict] == sum(row.verdict == verdict for row in rows)
        for tag in (1, 2, 3):
            assert counts.classes[tag][verdict] == sum(
                row.verdict == verdict and tag in row.tags for row in rows
            )


def test_an_empty_queue_is_an_empty_page(store: Store) -> None:
    page = store.candidates.queue()
    assert (page.rows, page.total) == ([], 0)
    counts = store.candidates.counts()
    assert counts.total == 0
    assert counts.verdicts == dict.fromkeys(("undecided", *GIVEN), 0)
    assert counts.classes == {}


def test_no_query_of_the_queue_sorts_every_candidate(full: Store) -> None:
    """Each order but random is read off an index, so a page costs what is on it."""
    from backend.store.orders import Order, ordering

    with full.connections.read() as database:
        for order in ("score", "best", "fine", "disagreement", "methods", "newest"):
            plan = database.execute(
                "EXPLAIN QUERY PLAN SELECT c.id FROM candidates AS c WHERE c.verdict = 'undecided'"
                f" ORDER BY {ordering(Order(order))} LIMIT 50"
            ).fetchall()
            assert not any("TEMP B-TREE" in step[3] for step in plan), (order, plan)
