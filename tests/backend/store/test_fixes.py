"""Fixes: a drawn mask is a new version whose parent is known, and nobody's is lost."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backend.errors import Conflict, DataError, NewerMask, StoreError
from backend.labels import encode_labels, read_labels
from backend.store import Image, Store
from tests.backend.store.conftest import HEIGHT, WIDTH


def drawn(rows: int = 4, class_id: int = 2) -> bytes:
    """A mask with an ignored pixel, as no brush of the fixtures makes it."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[:rows] = class_id
    labels[-1, -1] = 255
    return encode_labels(labels)


@pytest.fixture
def fix(store: Store, candidate: int) -> Callable[..., Any]:
    """Saves a mask over `candidate`; what is not said is as the page would have it."""

    def save(labels: bytes, action: str = "a1", **changes: Any) -> Any:
        parent = changes.pop("parent", candidate)
        said = {"fixed": None, "reviewer": "ada", "session": "s", "action_id": action} | changes
        digest = said.pop("digest", store.candidates.get(parent).digest)
        return store.fixes.record(parent, digest, labels, **said)

    return save


def test_a_fix_is_a_new_candidate_drawn_from_the_old_one(
    store: Store, candidate: int, image: Image, fix: Callable[..., Any]
) -> None:
    before = store.candidates.get(candidate)
    kept = fix(drawn(), reason="the ear")
    new = store.candidates.get(kept.candidate_id)
    assert (new.parent_id, new.method, new.verdict) == (candidate, "fixed", "fix")
    assert kept.decision.mask_digest == new.digest
    assert kept.decision.reason == "the ear"
    old = store.candidates.get(candidate)
    assert old.digest == before.digest
    assert old.verdict == "reject"
    assert "replaced" in store.decisions.history(image.id)[0].reason
    assert store.candidates.row(candidate).fixed_id == new.id


def test_what_is_stored_is_what_was_drawn_to_the_last_id(
    store: Store, fix: Callable[..., Any]
) -> None:
    labels = np.random.default_rng(0).choice([0, 1, 2, 3, 255], (HEIGHT, WIDTH)).astype(np.uint8)
    kept = fix(encode_labels(labels))
    stored = read_labels(store.files.path(store.candidates.get(kept.candidate_id).digest))
    np.testing.assert_array_equal(stored, labels)


def test_a_fix_is_what_a_snapshot_trains_on(
    store: Store, candidate: int, fix: Callable[..., Any]
) -> None:
    store.decisions.record(
        candidate, store.candidates.get(candidate).digest, "accept",
        reviewer="ada", session="s", action_id="earlier",
    )  # fmt: skip
    kept = fix(drawn())
    snapshot = store.snapshots.freeze("after", "ada")
    text = snapshot.path.read_text()
    assert store.candidates.get(kept.candidate_id).digest in text
    assert store.candidates.get(candidate).digest not in text


def test_one_undo_takes_a_fix_back_whole(
    store: Store, candidate: int, fix: Callable[..., Any]
) -> None:
    kept = fix(drawn())
    store.decisions.undo("ada", "s", "u1")
    assert store.candidates.get(candidate).verdict == "undecided"
    assert store.candidates.get(kept.candidate_id).verdict == "undecided"
    assert store.candidates.row(candidate).fixed_id is None
    assert store.decisions.undo("ada", "s", "u2") is None


def test_the_same_act_sent_twice_is_one_version(store: Store, fix: Callable[..., Any]) -> None:
    first = fix(drawn())
    assert fix(drawn()) == first
    assert store.candidates.count() == 2
    assert store.decisions.count() == 2
    with pytest.raises(StoreError, match="recorded before"):
        fix(drawn(rows=1))
    assert store.candidates.count() == 2


def test_a_newer_version_is_not_overwritten_unseen(
    store: Store, candidate: int, fix: Callable[..., Any]
) -> None:
    theirs = fix(drawn(rows=3), "theirs", reviewer="ben")
    with pytest.raises(NewerMask, match="ben drew a newer mask") as refused:
        fix(drawn())
    assert refused.value.candidate == theirs.candidate_id
    assert store.candidates.count() == 2
    mine = fix(drawn(), "seen", fixed=theirs.candidate_id)
    assert store.candidates.get(theirs.candidate_id).verdict == "fix"
    assert store.candidates.row(candidate).fixed_id == mine.candidate_id
    # Whoever goes on from it has seen it, and has it as the parent.
    further = fix(drawn(rows=5), "further", parent=mine.candidate_id, fixed=mine.candidate_id)
    assert store.candidates.get(further.candidate_id).parent_id == mine.candidate_id
    assert store.candidates.get(mine.candidate_id).verdict == "reject"


def test_of_two_who_save_at_once_one_is_told_of_the_other(
    store: Store, fix: Callable[..., Any]
) -> None:
    came: list[Any] = []
    ready = threading.Barrier(8)

    def save(number: int) -> None:
        ready.wait()
        try:
            came.append(
                fix(drawn(rows=number + 1, class_id=3), f"n{number}", reviewer=f"r{number}")
            )
        except NewerMask as newer:
            came.append(newer)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(5)]
    ready = threading.Barrier(len(threads))
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    kept = [each for each in came if not isinstance(each, NewerMask)]
    assert len(came) == 5
    assert len(kept) == 1
    assert {each.candidate for each in came if isinstance(each, NewerMask)} == {
        kept[0].candidate_id
    }


def test_an_image_that_another_visit_edits_takes_no_fix(
    store: Store, image: Image, fix: Callable[..., Any]
) -> None:
    store.leases.hold(image.id, reviewer="ben", session="other")
    with pytest.raises(Conflict, match="ben is editing"):
        fix(drawn())
    assert store.candidates.count() == 1
    store.leases.release(image.id, reviewer="ben", session="other")
    fix(drawn())


def test_reviewers_who_judge_unhinted_do_not_hear_of_each_other(
    store: Store, candidate: int, fix: Callable[..., Any]
) -> None:
    store.assignments.share_out(["ada", "ben"], 1.0, made_by="lead", action_id="share")
    theirs = fix(drawn(rows=3), "theirs", reviewer="ben")
    mine = fix(drawn(), reviewer="ada")
    assert theirs.candidate_id != mine.candidate_id


@pytest.mark.parametrize(
    ("labels", "error", "sentence"),
    [
        (encode_labels(np.zeros((2, 2), np.uint8)), DataError, "must have its image's size"),
        (encode_labels(np.full((HEIGHT, WIDTH), 77, np.uint8)), DataError, "no class"),
        (b"no mask", DataError, "mask"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(
    store: Store, fix: Callable[..., Any], labels: bytes, error: type, sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        fix(labels)
    assert store.candidates.count() == 1


def test_a_mask_that_does_not_differ_is_no_version(
    store: Store, mask: Callable[..., bytes], fix: Callable[..., Any]
) -> None:
    with pytest.raises(StoreError, match="does not differ"):
        fix(mask())
    assert store.decisions.count() == 0


def test_a_fix_of_another_mask_than_the_candidates_leaves_nothing_behind(
    store: Store, fix: Callable[..., Any]
) -> None:
    with pytest.raises(StoreError, match="Look at it again"):
        fix(drawn(), digest="0" * 64)
    with sqlite3.connect(store.path) as database:
        assert database.execute("SELECT count(*) FROM candidates").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM decisions").fetchone() == (0,)


def test_a_fix_counts_once_in_the_pace(
    store: Store, candidate: int, fix: Callable[..., Any]
) -> None:
    kept = fix(drawn())
    assert store.decisions.times("ada") == [kept.decision.server_time]
    store.decisions.undo("ada", "s", "u")
    assert len(store.decisions.times("ada")) == 1
