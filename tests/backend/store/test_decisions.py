"""The log of decisions."""

import sqlite3
from collections.abc import Callable
from itertools import count

import pytest

from backend.errors import StoreError
from backend.store import Decision, Image, Store

Decide = Callable[..., Decision]
Mask = Callable[..., bytes]


@pytest.fixture
def decide(store: Store) -> Decide:
    """Decides on a candidate, with an action_id of its own."""
    acts = count()

    def act(candidate: int, verdict: str, reviewer: str = "ada", **more: str) -> Decision:
        more.setdefault("action_id", f"act {next(acts)}")
        more.setdefault("session", "morning")
        digest = store.candidates.get(candidate).digest
        return store.decisions.record(candidate, digest, verdict, reviewer=reviewer, **more)

    return act


def verdict(store: Store, candidate: int) -> str:
    return store.candidates.get(candidate).verdict


def undone(store: Store, action_id: str, reviewer: str = "ada", session: str = "later") -> str:
    decision = store.decisions.undo(reviewer, session, action_id)
    return decision.verdict if decision else "nothing"


def test_a_decision_keeps_who_when_and_which_mask(store: Store, candidate: int) -> None:
    digest = store.candidates.get(candidate).digest
    made = store.decisions.record(
        candidate,
        digest,
        "reject",
        reviewer="ada",
        session="morning",
        client_time=12.5,
        reason="the tail is missing",
        action_id="1",
    )
    assert (made.reviewer, made.session, made.client_time) == ("ada", "morning", 12.5)
    assert (made.mask_digest, made.reason) == (digest, "the tail is missing")
    assert made.supersedes is made.undoes is made.restores is None
    assert store.decisions.current(candidate) == made == store.decisions.get(made.id)
    assert verdict(store, candidate) == "reject"


def test_a_later_decision_counts_and_the_earlier_stays(
    store: Store, image: Image, candidate: int, decide: Decide
) -> None:
    first, second = decide(candidate, "reject"), decide(candidate, "accept", "bob")
    assert second.supersedes == first.id
    assert store.decisions.current(candidate) == second
    assert store.decisions.history(image.id) == [first, second]
    assert [row.reviewer for row in store.candidates.queue(verdict="all").rows] == ["bob"]


def test_an_action_sent_twice_is_recorded_once(
    store: Store, candidate: int, decide: Decide
) -> None:
    first = decide(candidate, "accept", action_id="same")
    decide(candidate, "reject", "bob")
    assert decide(candidate, "accept", action_id="same") == first
    assert store.decisions.count() == 2
    assert verdict(store, candidate) == "reject"


def test_an_action_id_cannot_mean_two_things(store: Store, candidate: int, decide: Decide) -> None:
    decide(candidate, "accept", action_id="same")
    with pytest.raises(StoreError, match="recorded before for something else"):
        decide(candidate, "reject", action_id="same")
    with pytest.raises(StoreError, match="recorded before for something else"):
        store.decisions.undo("ada", "morning", "same")
    assert undone(store, "undo") == "undecided"
    with pytest.raises(StoreError, match="recorded before for something else"):
        decide(candidate, "reject", action_id="undo")


def test_a_decision_on_another_mask_is_refused(store: Store, candidate: int) -> None:
    with pytest.raises(StoreError, match="The mask you saw"):
        store.decisions.record(
            candidate, "a" * 64, "accept", reviewer="ada", session="s", action_id="1"
        )
    assert store.decisions.count() == 0
    assert verdict(store, candidate) == "undecided"


def test_only_verdicts_that_a_reviewer_can_give_are_taken(candidate: int, decide: Decide) -> None:
    for wrong in ("undecided", "accepted", ""):
        with pytest.raises(StoreError, match="accept, reject, fix, skip"):
            decide(candidate, wrong)


def test_a_decision_needs_a_reviewer_and_a_candidate(
    store: Store, candidate: int, decide: Decide
) -> None:
    with pytest.raises(StoreError, match="reviewer's name"):
        decide(candidate, "accept", " ")
    with pytest.raises(StoreError, match="no candidate 99"):
        store.decisions.record(99, "a" * 64, "skip", reviewer="a", session="s", action_id="1")


def test_undo_steps_back_any_number_of_times(
    store: Store, image: Image, candidate: int, decide: Decide, mask: Mask
) -> None:
    other = store.candidates.add(image.id, None, "oaa", mask(4))
    decide(candidate, "reject")
    decide(other, "skip")
    decide(candidate, "accept")
    assert undone(store, "u1") == "reject"
    assert (verdict(store, candidate), verdict(store, other)) == ("reject", "skip")
    assert undone(store, "u2") == "undecided"
    assert (verdict(store, candidate), verdict(store, other)) == ("reject", "undecided")
    assert undone(store, "u3") == "undecided"
    assert verdict(store, candidate) == "undecided"
    assert undone(store, "u4") == "nothing"
    assert store.decisions.count() == 6


def test_undo_is_a_row_that_names_what_it_takes_back(
    store: Store, candidate: int, decide: Decide
) -> None:
    first, second = decide(candidate, "reject"), decide(candidate, "accept")
    back = store.decisions.undo("ada", "morning", "u1")
    assert back is not None
    assert (back.undoes, back.restores, back.supersedes) == (second.id, first.id, second.id)
    assert store.decisions.current(candidate) == back
    assert back.mask_digest == second.mask_digest


def test_an_undo_sent_twice_steps_back_once(store: Store, candidate: int, decide: Decide) -> None:
    decide(candidate, "reject")
    decide(candidate, "accept")
    assert undone(store, "same") == undone(store, "same") == "reject"
    assert store.decisions.count() == 3


def test_undo_takes_back_ones_own_only(store: Store, candidate: int, decide: Decide) -> None:
    decide(candidate, "accept", "bob")
    assert undone(store, "u1", "ada") == "nothing"
    assert verdict(store, candidate) == "accept"


def test_undo_never_overturns_what_another_decided_since(
    store: Store, candidate: int, decide: Decide
) -> None:
    decide(candidate, "reject", "ada")
    kept = decide(candidate, "accept", "bob")
    back = store.decisions.undo("ada", "morning", "u1")
    assert back is not None
    assert (back.verdict, back.restores) == ("accept", kept.id)
    assert verdict(store, candidate) == "accept"
    assert store.candidates.row(candidate).reviewer == "bob"
    # And what bob superseded is gone for good: ada had taken it back.
    assert undone(store, "u2", "bob") == "undecided"


def test_deciding_again_after_undo_can_be_undone_again(
    store: Store, candidate: int, decide: Decide
) -> None:
    decide(candidate, "reject")
    undone(store, "u1")
    decide(candidate, "fix")
    assert undone(store, "u2") == "undecided"
    assert undone(store, "u3") == "nothing"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE decisions SET verdict = 'reject'",
        "DELETE FROM decisions",
        "INSERT OR REPLACE INTO decisions (id, action_id, candidate_id, mask_digest, verdict,"
        " reviewer, session, server_time) VALUES (1, 'x', 1, 'x', 'reject', 'eve', 's', 0)",
    ],
)
def test_the_log_itself_refuses_to_be_rewritten(
    store: Store, candidate: int, decide: Decide, statement: str
) -> None:
    made = decide(candidate, "accept")
    with store.connections.read() as database:
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            database.execute(statement)
        database.rollback()
    assert store.decisions.get(made.id) == made
    assert store.decisions.count() == 1


def test_the_latest_rows_come_first(candidate: int, decide: Decide, store: Store) -> None:
    made = [decide(candidate, "skip"), decide(candidate, "fix", "bob"), decide(candidate, "accept")]
    assert store.decisions.latest() == made[::-1]
    assert store.decisions.latest(1, reviewer="bob") == [made[1]]
    with pytest.raises(StoreError, match="no decision 99"):
        store.decisions.get(99)


def test_check_finds_a_queue_that_disagrees_with_the_log(
    store: Store, candidate: int, decide: Decide
) -> None:
    decide(candidate, "accept")
    assert store.check() == []
    with store.connections.write() as database:
        database.execute("UPDATE candidates SET verdict = 'reject'")
    assert store.check() == [
        f"Candidate {candidate} was decided accept, but the queue says reject."
    ]
