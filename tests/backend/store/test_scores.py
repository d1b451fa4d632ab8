"""Scores of candidates: logged, never lost; orders, histograms and sides against plain Python."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backend.errors import StoreError
from backend.images import encode_png
from backend.labels import encode_labels
from backend.store import REFERENCE, Filter, QueueRow, Store, create_store, open_store
from backend.store.schema import migrations

NAMES = ("AC", "CD", "SC", "P", "SF")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """60 candidates of 30 images in two runs: all scores, coarse ones, or none; many equal."""
    folder = tmp_path_factory.mktemp("scores")
    store = create_store(folder / "tagmask.db", folder / "files")
    store.classes.add("cat")
    store.classes.add("dog")
    runs = [store.runs.add(f"run {n}", "labels", f"runs/{n}") for n in range(2)]
    draw = np.random.default_rng(11)
    for number in range(30):
        photo = encode_png(draw.integers(0, 256, (4, 4, 3), np.uint8))
        image = store.images.add(f"photo {number:02d}", photo, source="t", tags=[1 + number % 2])
        for run in runs:
            labels = encode_labels(draw.integers(0, 3, (4, 4)).astype(np.uint8))
            values = {name: round(float(draw.random()), 1) for name in NAMES}
            kept = NAMES[: (0, 3, 5, 5)[int(draw.integers(4))]]
            scores = {name: values[name] for name in kept}
            id = store.candidates.add(image.image.id, run, f"m{run}", labels, scores)
            if number % 5 == 0:
                store.decisions.record(
                    id, store.candidates.get(id).digest, "accept", reviewer="ada", session="s",
                    action_id=f"act {id}",
                )  # fmt: skip
    return store


def everything(store: Store) -> list[QueueRow]:
    return store.candidates.queue("newest", verdict="all", limit=1000).rows


FILTERS = [
    Filter(),
    Filter(verdict="all"),
    Filter(verdict="accept"),
    Filter(verdict="all", tag=1),
    Filter(run=2),
    Filter(verdict="all", query="1"),
    Filter(verdict="all", min_score=0.3, max_score=0.8),
    Filter(verdict="all", query="nobody"),
]


def passing(store: Store, filter: Filter) -> list[QueueRow]:
    rows = store.candidates.queue("name", limit=1000, **vars(filter)).rows
    return sorted(rows, key=lambda row: row.id)


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("name", ["fine", "disagreement", "tau"])
@pytest.mark.parametrize("by", ["SF", "AC"])
def test_an_order_by_scores_is_what_python_would_have_sorted(
    full: Store, filter: Filter, name: str, by: str
) -> None:
    def place(row: QueueRow) -> tuple[bool, float, int]:
        told = row.scores
        if name == "fine":
            return "SF" not in told, told.get("SF", 0.0), row.id
        if name == "disagreement":
            both = "SC" in told and "SF" in told
            return not both, -abs(told["SC"] - told["SF"]) if both else 0.0, row.id
        return by not in told, abs(told[by] - 0.42) if by in told else 0.0, row.id

    wanted = [row.id for row in sorted(passing(full, filter), key=place)]
    found = full.candidates.queue(name, by=by, tau=0.42, limit=1000, **vars(filter))
    assert [row.id for row in found.rows] == wanted
    pages = [
        row.id
        for offset in range(0, 70, 7)
        for row in full.candidates.queue(
            name, by=by, tau=0.42, offset=offset, limit=7, **vars(filter)
        ).rows
    ]
    assert pages == wanted


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("by", NAMES)
def test_a_histogram_counts_every_candidate_once(full: Store, filter: Filter, by: str) -> None:
    rows = passing(full, filter)
    found = full.candidates.spread(by, filter)
    counts = [0] * 100
    for row in rows:
        if by in row.scores:
            counts[min(99, round(row.scores[by] * 100))] += 1
    assert found.counts == tuple(counts)
    assert found.without == sum(by not in row.scores for row in rows)


def test_a_score_belongs_to_the_bin_that_begins_with_it(store: Store, image, mask) -> None:
    """0.29 * 100 is 28.999999999999996, and a mask of 0.29 is selected by tau 0.29."""
    for rows, score in enumerate((0.29, 0.57, 1.0, 1.7, -0.2, 0.0)):
        store.candidates.add(image.id, None, "m", mask(rows), {"SF": score})
    counts = store.candidates.spread("SF", Filter()).counts
    assert {place: count for place, count in enumerate(counts) if count} == {
        0: 2,
        29: 1,
        57: 1,
        99: 2,
    }


def test_the_sides_of_tau_begin_at_it(full: Store) -> None:
    filter = Filter(verdict="all")
    below, above = full.candidates.either_side("SF", 0.5, filter, 4)
    scored = [row for row in everything(full) if "SF" in row.scores]
    under = sorted((0.5 - r.scores["SF"], r.id) for r in scored if r.scores["SF"] < 0.5)
    over = sorted((r.scores["SF"] - 0.5, r.id) for r in scored if r.scores["SF"] >= 0.5)
    assert [row.id for row in below] == [id for _, id in under[:4]]
    assert [row.id for row in above] == [id for _, id in over[:4]]
    assert all("from tau" in row.why for row in (*below, *above))


def test_new_scores_are_added_and_the_old_ones_kept(store: Store, candidate: int) -> None:
    run = store.runs.add("score 1", "score", "runs/1")
    assert store.candidates.rescore([(candidate, {"AC": 0.5, "CD": 1.0, "SC": 0.5})], run) == 1
    later = store.runs.add("score 2", "score", "runs/2")
    fine = {"P": 0.75, "SF": 0.75, "AC": float("nan")}
    assert store.candidates.rescore([(candidate, fine)], later) == 1
    assert store.candidates.get(candidate).scores == {
        "AC": 0.5, "CD": 1.0, "SC": 0.5, "P": 0.75, "SF": 0.75,
    }  # fmt: skip
    # The queue goes by SC, which the fixture gave 0.25 first.
    assert store.candidates.get(candidate).score == 0.5
    row = store.candidates.queue("disagreement").rows[0]
    assert row.why == "SC 0.50, SF 0.75: 0.25 apart"
    told = [(each.run, each.scores) for each in store.candidates.scorings(candidate)]
    assert told == [
        ("score 2", {"P": 0.75, "SF": 0.75}),
        ("score 1", {"AC": 0.5, "CD": 1.0, "SC": 0.5}),
        (None, {"SC": 0.25}),
    ]


def test_the_same_scores_of_the_same_run_are_no_news(store: Store, candidate: int) -> None:
    run = store.runs.add("score 1", "score", "runs/1")
    assert store.candidates.rescore([(candidate, {"SC": 0.5})], run) == 1
    assert store.candidates.rescore([(candidate, {"SC": 0.7})], None) == 1
    assert store.candidates.rescore([(candidate, {"SC": 0.5})], run) == 0
    assert store.candidates.get(candidate).score == 0.7


def test_the_same_mask_made_again_brings_its_fresh_scores(
    store: Store, image, mask: Callable[..., bytes]
) -> None:
    """A second pipeline with another scorer labels alike; its P and SF are news, its AC is not."""
    runs = [store.runs.add(f"pipeline {n}", "pipeline", f"runs/{n}") for n in range(3)]
    first = {"AC": 0.5, "SC": 0.5, "P": 0.25, "SF": 0.25}
    later = {**first, "P": 0.75, "SF": 0.75}

    def offer(run: int, scores: dict[str, float]) -> tuple[int, bool]:
        checked = store.candidates.check(image.id, "dsrg", mask(), scores)
        return store.candidates.enter([checked], runs[run])[0]

    id, is_new = offer(0, first)
    assert is_new
    assert offer(1, later) == (id, False)
    assert store.candidates.get(id).scores == later
    assert store.candidates.get(id).run_id == runs[0]
    assert [row.scores["SF"] for row in store.candidates.queue("fine").rows] == [0.75]
    # Taken in once more, in whatever order, nothing changes; nor do the same scores again.
    offer(0, first)
    offer(1, later)
    offer(2, later)
    offer(2, {})
    assert store.candidates.get(id).scores == later
    assert [(each.run_id, each.scores) for each in store.candidates.scorings(id)] == [
        (runs[1], later),
        (runs[0], first),
    ]


@pytest.mark.parametrize(
    "act", ["UPDATE candidate_scores SET scores = '{}'", "DELETE FROM candidate_scores"]
)
def test_the_log_of_scores_is_only_added_to(store: Store, candidate: int, act: str) -> None:
    with pytest.raises(StoreError, match="only added to"), store.connections.write() as database:
        database.execute(act)
    assert len(store.candidates.scorings(candidate)) == 1


def test_a_decision_outlives_new_scores(store: Store, candidate: int) -> None:
    digest = store.candidates.get(candidate).digest
    store.decisions.record(candidate, digest, "reject", reviewer="ada", session="s", action_id="a")
    store.candidates.rescore([(candidate, {"SC": 0.9, "SF": 0.9})], None)
    assert store.candidates.get(candidate).verdict == "reject"


def test_the_reference_is_that_of_the_last_scoring(
    store: Store, image, candidate: int, mask: Callable[..., bytes]
) -> None:
    runs = [store.runs.add(f"score {n}", "score", f"runs/{n}") for n in range(3)]
    kept = [store.files.put(mask(rows), ".png") for rows in (1, 3, 5)]
    assert store.candidates.row(candidate).reference_digest is None
    for run, digest in zip(runs, kept, strict=True):
        store.artifacts.enter(REFERENCE, [(image.id, digest)], run)
    # Scored against none of them yet: the image's newest is shown.
    assert store.candidates.row(candidate).reference_digest == kept[2]
    store.candidates.rescore([(candidate, {"SC": 0.4})], runs[0])
    assert store.candidates.row(candidate).reference_digest == kept[0]
    store.candidates.rescore([(candidate, {"SC": 0.6})], runs[1])
    assert store.candidates.row(candidate).reference_digest == kept[1]


def test_other_scores_and_orders_are_refused_with_those_there_are(full: Store) -> None:
    with pytest.raises(StoreError, match="there are AC, CD, SC, P, SF"):
        full.candidates.queue("tau", by="sf; DROP TABLE candidates")
    with pytest.raises(StoreError, match="there are AC, CD, SC, P, SF"):
        full.candidates.spread("IoU", Filter())


def test_a_store_from_before_scores_were_logged_has_them_logged(tmp_path: Path) -> None:
    import sqlite3

    from sqlite_utils import Database

    path = tmp_path / "tagmask.db"
    create_store(path, tmp_path / "files").close()
    older = tmp_path / "older.db"
    connection = sqlite3.connect(older)
    database = Database(connection)
    migrations.apply(database, stop_before="m002_scores")
    connection.execute(f"PRAGMA application_id = {0x54474D4B}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute(
        "INSERT INTO images (id, name, digest, width, height, source, added)"
        " VALUES (1, 'one', ?, 4, 4, 't', 0)",
        ["0" * 64],
    )
    for id, scores in ((1, '{"AC":0.5,"SC":0.25,"SF":0.75}'), (2, "{}")):
        connection.execute(
            "INSERT INTO candidates (id, image_id, method, digest, scores, shuffle, added)"
            " VALUES (?, 1, 'm', ?, ?, 0, 5.0)",
            [id, str(id) * 64, scores],
        )
    connection.commit()
    connection.close()
    with open_store(older, tmp_path / "files") as store:
        assert [(s.run, s.scores, s.added) for s in store.candidates.scorings(1)] == [
            (None, {"AC": 0.5, "SC": 0.25, "SF": 0.75}, 5.0)
        ]
        assert store.candidates.scorings(2) == []
        assert [row.id for row in store.candidates.queue("disagreement").rows] == [1, 2]
        assert store.candidates.spread("SF", Filter()).without == 1
    assert older.with_name("older.db.format-1").is_file()
