"""A verdict on a whole filtered set: what was seen, once, and taken back in one step."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.errors import NewerMask, StoreError
from backend.store import Filter, Store

Photo = Callable[[int], bytes]
Mask = Callable[..., bytes]
COUNT = 6


@pytest.fixture
def ids(store: Store, photo: Photo, mask: Mask) -> list[int]:
    """Candidates of six images, tagged cat and dog by turns."""
    made = []
    for number in range(COUNT):
        tags = [1 + number % 2]
        image = store.images.add(f"image {number}", photo(number), source="t", tags=tags).image
        made.append(store.candidates.add(image.id, None, "dcsp", mask(), {"SC": number / 10}))
    return made


def decide(store: Store, id: int, verdict: str, who: str, action: str, **more: Any) -> None:
    digest = store.candidates.get(id).digest
    store.decisions.record(id, digest, verdict, reviewer=who, session="s", action_id=action, **more)


def verdicts(store: Store) -> list[str]:
    rows = store.candidates.queue("newest", verdict="all", limit=99).rows
    return [row.verdict for row in reversed(rows)]


def accept_all(store: Store, filter: Filter, action: str = "batch", who: str = "ada") -> int:
    digest = store.decisions.filtered(filter).digest
    return store.decisions.record_all(
        filter, "accept", digest=digest, reviewer=who, session="s", action_id=action
    )


def test_a_batch_decides_the_filtered_set_and_nothing_else(store: Store, ids: list[int]) -> None:
    cats = Filter(tag=1)
    told = store.decisions.filtered(cats)
    assert (told.total, told.verdicts["undecided"]) == (3, 3)
    assert accept_all(store, cats) == 3
    assert verdicts(store) == ["accept", "undecided"] * 3
    for id in ids[::2]:
        current = store.decisions.current(id)
        assert current is not None
        assert (current.batch, current.reviewer) == ("batch", "ada")
        assert current.mask_digest == store.candidates.get(id).digest


def test_a_batch_sent_twice_is_recorded_once(store: Store, ids: list[int]) -> None:
    digest = store.decisions.filtered(Filter()).digest
    for _ in range(2):
        count = store.decisions.record_all(
            Filter(), "reject", digest=digest, reviewer="ada", session="s", action_id="b"
        )
        assert count == COUNT
    assert store.decisions.count() == COUNT
    with pytest.raises(StoreError, match="recorded before for something else"):
        store.decisions.record_all(
            Filter(), "accept", digest=digest, reviewer="ada", session="s", action_id="b"
        )


def test_a_set_that_changed_since_it_was_looked_at_is_refused_whole(
    store: Store, ids: list[int]
) -> None:
    everything = Filter(verdict="all")
    digest = store.decisions.filtered(everything).digest
    decide(store, ids[2], "reject", "bob", "1")
    with pytest.raises(StoreError, match="changed since you looked"):
        store.decisions.record_all(
            everything, "accept", digest=digest, reviewer="ada", session="s", action_id="b"
        )
    assert store.decisions.count() == 1
    assert verdicts(store)[2] == "reject"


def test_one_undo_takes_the_whole_batch_back_and_what_stood_before_counts_again(
    store: Store, ids: list[int]
) -> None:
    decide(store, ids[0], "reject", "bob", "1")
    decide(store, ids[1], "accept", "ada", "2")
    assert accept_all(store, Filter(verdict="all")) == COUNT - 1
    # Bob decided on one of them since: his verdict stays.
    decide(store, ids[5], "skip", "bob", "3")
    back = store.decisions.undo("ada", "s", "undo")
    assert back is not None
    assert back.batch == "undo"
    assert store.decisions.size_of("undo") == COUNT - 1
    assert verdicts(store) == ["reject", "accept", *["undecided"] * 3, "skip"]
    # The same undo again takes nothing more back; another one goes on with what came before.
    assert store.decisions.undo("ada", "s", "undo") == back
    assert verdicts(store)[1] == "accept"
    store.decisions.undo("ada", "s", "undo 2")
    assert verdicts(store)[1] == "undecided"
    assert store.decisions.undo("ada", "s", "undo 3") is None
    assert store.check() == []


def test_a_later_single_decision_is_undone_before_the_batch(store: Store, ids: list[int]) -> None:
    accept_all(store, Filter())
    decide(store, ids[3], "reject", "ada", "1")
    store.decisions.undo("ada", "s", "u1")
    assert verdicts(store) == ["accept"] * COUNT
    store.decisions.undo("ada", "s", "u2")
    assert verdicts(store) == ["undecided"] * COUNT


@pytest.mark.parametrize("verdict", ["skip", "fix", "undecided", "love"])
def test_a_set_is_only_accepted_or_rejected(store: Store, ids: list[int], verdict: str) -> None:
    digest = store.decisions.filtered(Filter()).digest
    with pytest.raises(StoreError, match="accepted or rejected"):
        store.decisions.record_all(
            Filter(), verdict, digest=digest, reviewer="ada", session="s", action_id="b"
        )


def test_a_newer_drawn_mask_is_not_overwritten_by_whoever_did_not_see_it(
    store: Store, ids: list[int], mask: Mask
) -> None:
    image = store.candidates.get(ids[0]).image_id
    decide(store, ids[0], "accept", "bob", "1", fixed=None)
    drawn = store.candidates.add(image, None, "fixed", mask(4), parent_id=ids[0])
    decide(store, drawn, "fix", "ada", "2")
    assert store.candidates.row(ids[0]).fixed_id == drawn
    for verdict in ("accept", "reject"):
        with pytest.raises(NewerMask, match="ada drew a newer mask of image_0") as refused:
            decide(store, ids[0], verdict, "bob", f"3 {verdict}", fixed=None)
        assert refused.value.candidate == drawn
    assert store.decisions.current(drawn).verdict == "fix"  # type: ignore[union-attr]
    # To leave it for later overwrites nothing; who saw the newer one decides as before.
    decide(store, ids[0], "skip", "bob", "4", fixed=None)
    decide(store, ids[0], "accept", "bob", "5", fixed=drawn)
    assert store.candidates.get(ids[0]).verdict == "accept"


def test_times_are_those_of_single_verdicts_and_reviewers_are_all(
    store: Store, ids: list[int]
) -> None:
    assert store.decisions.reviewers() == []
    decide(store, ids[0], "accept", "bob", "1")
    decide(store, ids[1], "accept", "ada", "2")
    accept_all(store, Filter(), who="cid")
    store.decisions.undo("ada", "s", "u")
    assert store.decisions.reviewers() == ["ada", "bob", "cid"]
    assert len(store.decisions.times("bob")) == 1
    assert store.decisions.times("cid") == []
