"""A verdict on a whole filtered set: what was seen, once, and taken back in one step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.errors import NewerMask, StoreError, StoreUnavailable
from backend.store import Filter, Store, batches, open_store

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


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """The queue follows two candidates at a time; what is given happens once in between."""
    monkeypatch.setattr(batches, "PIECE", 2)

    def meanwhile(happens: Callable[[], None]) -> None:
        once = [happens]
        monkeypatch.setattr(batches.time, "sleep", lambda _: once.pop()() if once else None)

    return meanwhile


def test_others_decide_between_the_pieces_of_a_large_act_and_have_the_last_word(
    store: Store, ids: list[int], pieces: Any
) -> None:
    seen: list[list[str]] = []

    def bob() -> None:
        seen.append(verdicts(store))
        decide(store, ids[4], "reject", "bob", "1")

    pieces(bob)
    assert accept_all(store, Filter()) == COUNT
    assert seen == [["accept"] * 2 + ["undecided"] * 4]
    assert verdicts(store) == [*["accept"] * 4, "reject", "accept"]
    # Ada's act was on record, whole, before his: that is what his verdict stands on.
    current = store.decisions.current(ids[4])
    assert current is not None
    assert store.decisions.get(current.supersedes or 0).batch == "batch"
    assert store.check() == []
    # Her one undo leaves what he said, whenever he says it.
    pieces(lambda: decide(store, ids[5], "skip", "bob", "2"))
    store.decisions.undo("ada", "s", "undo")
    assert verdicts(store) == [*["undecided"] * 4, "reject", "skip"]
    assert store.check() == []


def test_a_large_act_that_was_cut_short_is_finished_by_whoever_opens_the_workspace(
    store: Store, ids: list[int], pieces: Any, tmp_path: Path
) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    pieces(killed)
    with pytest.raises(KeyboardInterrupt):
        accept_all(store, Filter())
    assert verdicts(store) == ["accept"] * 2 + ["undecided"] * 4
    # What is half done is no set to train on, and none to decide on as a whole.
    with pytest.raises(StoreUnavailable, match="being decided on right now"):
        store.snapshots.freeze("half", "ada")
    store.close()
    with open_store(tmp_path / "tagmask.db", tmp_path / "files", read_only=True) as looking:
        assert verdicts(looking) == ["accept"] * 2 + ["undecided"] * 4
    with open_store(tmp_path / "tagmask.db", tmp_path / "files") as again:
        assert verdicts(again) == ["accept"] * COUNT
        assert again.check() == []
        again.decisions.undo("ada", "s", "undo")
        assert verdicts(again) == ["undecided"] * COUNT


def test_a_large_act_sent_again_after_it_was_cut_short_is_finished_and_counts_once(
    store: Store, ids: list[int], pieces: Any
) -> None:
    digest = store.decisions.filtered(Filter()).digest

    def accept() -> int:
        return store.decisions.record_all(
            Filter(), "accept", digest=digest, reviewer="ada", session="s", action_id="b"
        )

    def lost() -> None:
        raise StoreUnavailable("The disk is full.")

    pieces(lost)
    with pytest.raises(StoreUnavailable, match="disk is full"):
        accept()
    assert accept() == COUNT
    assert verdicts(store) == ["accept"] * COUNT
    assert store.decisions.count() == COUNT


def test_a_set_that_was_looked_at_while_another_act_went_on_is_refused(
    store: Store, ids: list[int], pieces: Any
) -> None:
    refused: list[str] = []

    def bob() -> None:
        with pytest.raises(StoreError) as error:
            accept_all(store, Filter(), "bob's", "bob")
        refused.append(str(error.value))
        # Asked for, the other act was first brought to its end.
        assert verdicts(store) == ["accept"] * COUNT

    pieces(bob)
    assert accept_all(store, Filter()) == COUNT
    assert "changed since you looked" in refused[0]
    assert store.decisions.count() == COUNT


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
