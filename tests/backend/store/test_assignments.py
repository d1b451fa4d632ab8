"""Sharing images out among reviewers, and how far each has come."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import StoreError
from backend.store import Image, Store
from backend.store.sharing import share

Mask = Callable[..., bytes]
Photo = Callable[[int], bytes]


@pytest.fixture
def images(store: Store, photo: Photo, mask: Mask) -> list[Image]:
    """Ten images with a candidate each, five tagged cat and five dog."""
    made = []
    for number in range(10):
        tags = [1 + number % 2]
        image = store.images.add(f"i{number}", photo(number), source="test", tags=tags).image
        store.candidates.add(image.id, None, "dcsp", mask(1 + number % 5, tags[0]))
        made.append(image)
    return made


def assigned(store: Store) -> dict[int, list[str]]:
    with store.connections.read() as database:
        found: dict[int, list[str]] = {}
        for image, name in database.execute(
            "SELECT image_id, reviewer FROM assignments ORDER BY image_id, reviewer"
        ):
            found.setdefault(image, []).append(name)
    return found


def share_out(store: Store, *names: str, overlap: float = 0.0, action: str = "1", **more: object):
    return store.assignments.share_out(
        names, overlap, made_by="lead", action_id=action, **more
    )  # fmt: skip


@given(
    st.integers(0, 60), st.integers(2, 5), st.floats(0, 1), st.integers(0, 3)
)  # fmt: skip
def test_everybody_gets_equally_many_and_every_pair_equally_many_in_common(
    images: int, people: int, overlap: float, seed: int
) -> None:
    names = [f"r{number}" for number in range(people)]
    shared = share([f"digest {n}" for n in range(images)], names, overlap, seed)
    assert len(shared) == images
    assert all(len(set(whose)) == len(whose) in (1, 2) for whose in shared.values())
    common = sum(len(whose) == 2 for whose in shared.values())
    assert abs(common - overlap * images) <= 0.5
    pairs = Counter(whose for whose in shared.values() if len(whose) == 2)
    together = [pairs[pair] for pair in combinations(names, 2)]
    assert max(together) - min(together) <= 1
    if images - common >= people:
        load = Counter(name for whose in shared.values() for name in whose)
        assert max(load.values()) - min(load[name] for name in names) <= 1


def test_sharing_hangs_on_seed_and_content_alone() -> None:
    digests = [f"digest {n}" for n in range(30)]
    once = share(digests, ["ada", "bob"], 0.2, 0)
    assert share(reversed(digests), ["ada", "bob"], 0.2, 0) == once
    assert share(digests, ["ada", "bob"], 0.2, 1) != once


def test_a_fifth_of_the_images_goes_to_two(store: Store, images: list[Image]) -> None:
    shares = share_out(store, "ada", "bob", overlap=0.2)
    assert [(each.reviewer, each.images, each.shared) for each in shares] == [
        ("ada", 6, 2),
        ("bob", 6, 2),
    ]
    assert sorted(map(len, assigned(store).values())) == [1] * 8 + [2] * 2


def test_sent_twice_it_is_assigned_once(store: Store, images: list[Image]) -> None:
    first = share_out(store, "ada", "bob", overlap=0.4)
    before = assigned(store)
    assert share_out(store, "ada", "bob", overlap=0.4) == first
    assert assigned(store) == before


def test_what_is_somebodys_stays_theirs_and_new_images_are_shared_out_later(
    store: Store, images: list[Image], photo: Photo, mask: Mask
) -> None:
    share_out(store, "ada", "bob", action="1")
    before = assigned(store)
    with pytest.raises(StoreError, match="No image is left to assign"):
        share_out(store, "cyd", action="2")
    new = store.images.add("late", photo(99), source="test").image
    store.candidates.add(new.id, None, "dcsp", mask(1))
    share_out(store, "cyd", action="3")
    assert assigned(store) == before | {new.id: ["cyd"]}


def test_only_images_that_wait_for_a_judgement_are_shared_out(
    store: Store, images: list[Image], photo: Photo
) -> None:
    store.images.add("without candidate", photo(50), source="test")
    done = store.candidates.of_image(images[0].id)[0]
    store.decisions.record(
        done.id, done.digest, "accept", reviewer="ada", session="s", action_id="d"
    )
    assert store.assignments.open_images() == 9
    share_out(store, "ada", tag=2)
    assert sorted(assigned(store)) == sorted(each.id for each in images if each.tags == (2,))


def test_a_dry_run_says_the_same_and_assigns_nothing(store: Store, images: list[Image]) -> None:
    told = share_out(store, "ada", "bob", overlap=0.3, dry_run=True)
    assert assigned(store) == {}
    assert share_out(store, "ada", "bob", overlap=0.3) == told


def test_withdrawing_adds_rows_and_the_log_keeps_both(store: Store, images: list[Image]) -> None:
    share_out(store, "ada", "bob", overlap=0.2)
    assert store.assignments.withdraw("ada", made_by="lead", action_id="w") == 6
    assert store.assignments.withdraw("ada", made_by="lead", action_id="w") == 6
    assert {name for whose in assigned(store).values() for name in whose} == {"bob"}
    with sqlite3.connect(store.path) as database:
        rows = database.execute("SELECT assigned, count(*) FROM assignment_changes GROUP BY 1")
        assert rows.fetchall() == [(0, 6), (1, 12)]
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            database.execute("DELETE FROM assignment_changes")
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            database.execute("UPDATE assignment_changes SET reviewer = 'eve'")


def test_an_action_that_was_something_else_is_refused(store: Store, images: list[Image]) -> None:
    share_out(store, "ada", action="x")
    with pytest.raises(StoreError, match="recorded before for something else"):
        store.assignments.withdraw("ada", made_by="lead", action_id="x")


@pytest.mark.parametrize(
    ("names", "overlap", "sentence"),
    [
        ([], 0, "at least one name"),
        (["ada", " "], 0, "none of them empty"),
        (["ada", "Ada"], 0, "more than once"),
        (["ada"], 0.2, "only where two are named"),
        (["ada", "bob"], 1.5, "from 0 to 1"),
        (["ada", "bob"], float("nan"), "from 0 to 1"),
        (["a" * 65], 0, "at most 64"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(
    store: Store, images: list[Image], names: list[str], overlap: float, sentence: str
) -> None:
    with pytest.raises(StoreError, match=sentence):
        share_out(store, *names, overlap=overlap)
    assert assigned(store) == {}


def test_progress_counts_what_each_said_whatever_others_did(
    store: Store, images: list[Image]
) -> None:
    share_out(store, "ada", "bob", overlap=1.0)
    mine = [store.candidates.of_image(each.id)[0] for each in images]
    acts = [
        (mine[0], "accept", "ada"), (mine[0], "reject", "bob"), (mine[1], "skip", "ada"),
        (mine[2], "accept", "ada"), (mine[3], "accept", "cyd"),
    ]  # fmt: skip
    for number, (each, verdict, who) in enumerate(acts):
        store.decisions.record(
            each.id, each.digest, verdict, reviewer=who, session="s", action_id=f"d{number}"
        )
    store.decisions.undo("ada", "s", "u")
    told = {
        each.reviewer: (each.images, each.shared, each.masks, each.judged, each.said)
        for each in store.assignments.progress()
    }
    assert told == {"ada": (10, 10, 10, 1, 1), "bob": (10, 10, 10, 1, 1), "cyd": (0, 0, 0, 0, 1)}
