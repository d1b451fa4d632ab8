"""The filters and orders of the review desk, each against a second formulation in Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backend.images import encode_png
from backend.labels import encode_labels
from backend.store import QueueRow, Store, create_store

IMAGES = 30
REVIEWERS = ("ada", "bob")


def decide(store: Store, id: int, verdict: str, who: str) -> None:
    digest = store.candidates.get(id).digest
    action = f"{who} {id} {verdict}"
    store.decisions.record(id, digest, verdict, reviewer=who, session="s", action_id=action)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Thirty images of a rare and two common classes, some flagged, some with truth, some with a
    loss, all with two masks; both reviewers decided on some and took some back."""
    folder = tmp_path_factory.mktemp("filters")
    store = create_store(folder / "tagmask.db", folder / "files")
    for name in ("cat", "dog", "bird"):
        store.classes.add(name)
    run = store.runs.add("segment 4", "segment", "runs/4")
    draw = np.random.default_rng(3)
    for number in range(IMAGES):
        photo = encode_png(draw.integers(0, 256, (4, 4, 3), np.uint8))
        tags = [tag for tag, share in ((1, 0.7), (2, 0.4), (3, 0.15)) if draw.random() < share]
        truth = encode_labels(np.ones((4, 4), np.uint8)) if number % 3 == 0 else None
        image = store.images.add(f"{number:02d}", photo, source="t", tags=tags, truth=truth).image
        for method in ("seenet", "dcsp"):
            labels = encode_labels(draw.integers(0, 4, (4, 4)).astype(np.uint8))
            id = store.candidates.add(image.id, None, method, labels, {"SC": float(draw.random())})
            for who in REVIEWERS:
                if draw.random() < 0.5:
                    verdict = ("accept", "reject", "skip")[int(draw.integers(3))]
                    decide(store, id, verdict, who)
            if draw.random() < 0.3:
                store.decisions.undo("ada", "s", f"undo {id}")
        if number % 4 == 0:
            store.flags.set(image.id, True, reviewer="ada", session="s", action_id=f"f{number}")
        with store.connections.write() as database:
            if number % 2:
                loss = round(float(draw.random()), 2)
                told = "UPDATE images SET loss = ?, loss_run = ? WHERE id = ?"
                database.execute(told, [loss, run, image.id])
            if number % 5 < 3:
                shared = "INSERT INTO assignments VALUES (?, ?, 'lead', 0)"
                for who in REVIEWERS[: 1 + number % 2]:
                    database.execute(shared, [image.id, who])
    return store


def everything(store: Store) -> list[QueueRow]:
    return store.candidates.queue("newest", verdict="all", limit=1000).rows


def ids(rows: list[QueueRow]) -> set[int]:
    return {row.id for row in rows}


def of(store: Store, table: str, where: str) -> set[int]:
    with store.connections.read() as database:
        return {id for (id,) in database.execute(f"SELECT DISTINCT image_id FROM {table} {where}")}


FILTERS: dict[str, tuple[dict[str, Any], Callable[[QueueRow], bool]]] = {
    "flagged": ({"flagged": True}, lambda row: row.flagged),
    "not flagged": ({"flagged": False}, lambda row: not row.flagged),
    "with truth": ({"truth": True}, lambda row: row.truth_digest is not None),
    "without truth": ({"truth": False}, lambda row: row.truth_digest is None),
    "ada's": ({"reviewer": "ada"}, lambda row: row.reviewer == "ada"),
    "bob's": ({"reviewer": "bob"}, lambda row: row.reviewer == "bob"),
    "nobody's": ({"reviewer": "eve"}, lambda row: False),
    "bob rejected": (
        {"reviewer": "bob", "verdict": "reject", "flagged": False},
        lambda row: row.reviewer == "bob" and row.verdict == "reject" and not row.flagged,
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_lets_through_what_python_would(full: Store, name: str) -> None:
    asked, keeps = FILTERS[name]
    page = full.candidates.queue("newest", **{"verdict": "all", "limit": 1000, **asked})
    wanted = ids([row for row in everything(full) if keeps(row)])
    assert ids(page.rows) == wanted
    assert page.total == len(wanted)
    assert wanted or name == "nobody's"


@pytest.mark.parametrize("kept", [True, False])
def test_images_with_a_kept_mask(full: Store, kept: bool) -> None:
    images = {row.image_id for row in everything(full) if row.verdict in ("accept", "fix")}
    found = full.candidates.queue("newest", verdict="all", kept=kept, limit=1000).rows
    assert {row.image_id for row in found} == (
        images if kept else {row.image_id for row in everything(full)} - images
    )


def test_a_reviewer_sees_of_a_share_what_this_one_said_and_no_hint_of_others(full: Store) -> None:
    for who in REVIEWERS:
        share = of(full, "assignments", f"WHERE reviewer = '{who}'")
        own: dict[int, str] = {}
        for decision in reversed(full.decisions.latest(10_000)):
            if decision.reviewer == who and decision.undoes is None:
                own[decision.candidate_id] = decision.verdict
        taken = {each.undoes for each in full.decisions.latest(10_000) if each.undoes is not None}
        for decision in full.decisions.latest(10_000):
            if decision.id in taken and decision.reviewer == who:
                own.pop(decision.candidate_id, None)
        rows = full.candidates.queue("newest", verdict="all", assigned=who, limit=1000).rows
        assert {row.image_id for row in rows} == share
        for row in rows:
            assert row.verdict == own.get(row.id, "undecided")
            assert row.reviewer in (None, who)
        for verdict in ("undecided", "accept", "reject", "skip"):
            found = full.candidates.queue("score", verdict=verdict, assigned=who, limit=1000)
            assert ids(found.rows) == ids([row for row in rows if row.verdict == verdict])
            assert found.total == len(found.rows)
        for each in full.candidates.choices(rows[0].image_id, who):
            assert each.verdict == own.get(each.id, "undecided")


def test_a_share_is_decided_in_a_batch_by_its_own_verdicts(full: Store) -> None:
    from backend.store import Filter

    rows = full.candidates.queue(verdict="all", assigned="ada", limit=1000).rows
    told = full.decisions.filtered(Filter(verdict="all", assigned="ada"))
    assert told.total == len(rows)
    for verdict, count in told.verdicts.items():
        assert count == sum(row.verdict == verdict for row in rows)


def test_the_rarest_class_comes_first_on_every_page(full: Store) -> None:
    rows = everything(full)
    images = {tag: len({row.image_id for row in rows if tag in row.tags}) for tag in (1, 2, 3)}
    assert images[3] < images[2] < images[1]
    place = {tag: rank for rank, tag in enumerate(sorted(images, key=lambda tag: images[tag]))}

    def key(row: QueueRow) -> tuple[int, int]:
        return min((place[tag] for tag in row.tags), default=len(place)), row.id

    for asked in ({"verdict": "all"}, {}, {"verdict": "all", "flagged": True}):
        kept = full.candidates.queue("newest", limit=1000, **asked).rows
        wanted = [row.id for row in sorted(kept, key=key)]
        for offset in range(0, len(wanted) + 7, 7):
            page = full.candidates.queue("rarity", limit=7, offset=offset, **asked)
            assert [row.id for row in page.rows] == wanted[offset : offset + 7]
            assert page.total == len(wanted)
    first = full.candidates.queue("rarity", verdict="all").rows[0]
    assert first.why == f"rarest tag first: bird, on {images[3]} images"
    last = full.candidates.queue("rarity", verdict="all", limit=1000).rows[-1]
    assert last.why == "has no tag, so it comes last"


def test_the_highest_loss_comes_first_and_the_run_is_named(full: Store) -> None:
    with full.connections.read() as database:
        losses = dict(database.execute("SELECT id, loss FROM images").fetchall())
    rows = full.candidates.queue("loss", verdict="all", limit=1000).rows
    told = [losses[row.image_id] for row in rows]
    known = [loss for loss in told if loss is not None]
    assert known == sorted(known, reverse=True)
    assert told[: len(known)] == known
    assert rows[0].why == f"highest loss first: {known[0]:.2f} in segment 4"
    assert rows[-1].why == "has no loss yet, so it comes last"
    undecided = full.candidates.queue("loss", limit=1000).rows
    assert ids(undecided) == ids([row for row in rows if row.verdict == "undecided"])


def test_the_choices_of_an_image_are_all_its_masks(full: Store) -> None:
    row = full.candidates.queue().rows[0]
    assert row.choices == 2
    found = full.candidates.choices(row.image_id)
    assert [each.method for each in found] == ["seenet", "dcsp"]
    assert row.id in ids(found)
    assert full.candidates.choices(999) == []


def test_a_mask_that_another_drew_of_a_shared_image_leaves_no_trace_in_a_share(full: Store) -> None:
    row = full.candidates.queue("score", verdict="all", assigned="ada", limit=1000).rows[0]
    drawn = encode_labels(np.full((4, 4), 2, np.uint8))
    fixed = full.fixes.record(
        row.id, row.digest, drawn, fixed=row.fixed_id, reviewer="bob", session="s",
        action_id="drawn in secret",
    )  # fmt: skip
    assert full.candidates.row(row.id).fixed_id == fixed.candidate_id
    assert full.candidates.row(row.id).choices == row.choices + 1
    assert full.candidates.row(row.id, "ada") == row
    assert full.candidates.row(row.id, "bob").fixed_id == fixed.candidate_id
