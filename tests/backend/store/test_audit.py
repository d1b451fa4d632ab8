"""The history of an image, and going back in it by adding to it."""

from collections.abc import Callable
from itertools import count

import pytest

from backend.errors import Conflict, StoreError
from backend.store import Filter, Image, Store
from backend.store.events import Event
from backend.store.tags import TagEdit

Mask = Callable[..., bytes]
Say = Callable[..., int]


@pytest.fixture
def say(store: Store) -> Say:
    """Decides on a candidate; the decision's id."""
    acts = count()

    def act(candidate: int, verdict: str, reviewer: str = "ada") -> int:
        digest = store.candidates.get(candidate).digest
        return store.decisions.record(
            candidate, digest, verdict, reviewer=reviewer, session="s", action_id=f"d{next(acts)}"
        ).id

    return act


def told(store: Store, image: Image, viewer: str | None = None) -> list[str]:
    return [f"{each.by} {each.says}" for each in store.audit.history(image.id, viewer)]


def current(store: Store, image: Image, kind: str) -> Event:
    events = store.audit.history(image.id)
    return next(each for each in events if each.current and each.kind == kind)


def revert(store: Store, image: Image, key: str, to: str, action: str = "r", **more: str) -> Event:
    events = {each.key: each for each in store.audit.history(image.id)}
    seen = next(e.key for e in events.values() if e.current and e.aspect == events[key].aspect)
    who = {"reviewer": "cyd", "session": "c", "seen": seen} | more
    return store.audit.revert(image.id, key, to, action_id=action, **who)


def test_the_history_tells_who_did_what_when_and_to_which_mask(
    store: Store, image: Image, candidate: int, say: Say
) -> None:
    say(candidate, "accept")
    say(candidate, "reject", "bob")
    store.decisions.undo("bob", "s", "u")
    store.tags.change(
        [TagEdit((image.id,), (2,), (1,))], reviewer="bob", session="s", action_id="t"
    )
    store.flags.set(image.id, True, reviewer="ada", session="s", action_id="f", note="blurred")
    assert told(store, image) == [
        "test brought one in",
        "test added the tag cat",
        "Inspect or import offered the mask of dcsp",
        "ada accepted the mask of dcsp",
        "bob rejected the mask of dcsp",
        "bob took back “reject” on the mask of dcsp: ada's “accept” counts again",
        "bob added the tag dog and removed the tag cat",
        "ada flagged the image",
    ]
    events = store.audit.history(image.id)
    assert events[-1].note == "blurred"
    assert events[3].mask_digest == store.candidates.get(candidate).digest
    assert [each.at for each in events] == sorted(each.at for each in events)
    assert [each.key for each in events if each.current] == ["decision:3", "tags:2", "flag:1"]


def test_a_log_keeps_its_order_where_the_clock_was_set_back(
    store: Store, image: Image, candidate: int, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(candidate, "accept")
    monkeypatch.setattr("backend.store.decisions.now", lambda: 5.0)
    say(candidate, "reject", "bob")
    assert told(store, image)[-2:] == [
        "ada accepted the mask of dcsp",
        "bob rejected the mask of dcsp",
    ]


def test_going_back_to_a_verdict_adds_a_row_and_names_whose_it_was(
    store: Store, image: Image, candidate: int, say: Say
) -> None:
    first = say(candidate, "accept")
    say(candidate, "reject", "bob")
    event = revert(store, image, f"decision:{first}", "after")
    assert f"{event.by} {event.says}" == "cyd brought back ada's “accept” on the mask of dcsp"
    assert store.candidates.get(candidate).verdict == "accept"
    assert store.decisions.count() == 3
    assert store.check() == []
    # Whoever went back can take that back by undo, as any act of theirs.
    store.decisions.undo("cyd", "c", "u")
    assert store.candidates.get(candidate).verdict == "reject"


def test_taking_the_first_verdict_back_leaves_the_mask_undecided(
    store: Store, image: Image, candidate: int, say: Say
) -> None:
    first = say(candidate, "accept")
    event = revert(store, image, f"decision:{first}", "before")
    assert event.says == "set the mask of dcsp back to undecided"
    assert store.candidates.get(candidate).verdict == "undecided"
    again = revert(store, image, event.key, "before", action="r2")
    assert again.says == "brought back ada's “accept” on the mask of dcsp"
    assert store.candidates.get(candidate).verdict == "accept"


def test_tags_go_back_to_what_an_event_made_them(store: Store, image: Image) -> None:
    for number, edit in enumerate((((2,), ()), ((3,), (1, 2)))):
        store.tags.change(
            [TagEdit((image.id,), *edit)], reviewer="ada", session="s", action_id=f"t{number}"
        )
    assert store.images.get(image.id).tags == (3,)
    revert(store, image, "tags:2", "after")
    assert store.images.get(image.id).tags == (1, 2)
    revert(store, image, current(store, image, "tags").key, "before", action="r2")
    assert store.images.get(image.id).tags == (3,)
    assert len(store.images.tag_changes(image.id)) == 5


def test_a_flag_goes_back(store: Store, image: Image) -> None:
    store.flags.set(image.id, True, reviewer="ada", session="s", action_id="f")
    revert(store, image, "flag:1", "before")
    assert told(store, image)[-1] == "cyd took the flag away"
    assert store.flags.count() == 0


def test_a_fix_goes_back_as_a_whole(
    store: Store, image: Image, candidate: int, mask: Mask, say: Say
) -> None:
    """Its two rows, the new mask and the old one's reject, are one act."""
    say(candidate, "accept", "bob")
    digest = store.candidates.get(candidate).digest
    fixed = store.fixes.record(
        candidate, digest, mask(4), fixed=None, reviewer="ada", session="s", action_id="x"
    ).candidate_id
    fix = next(e for e in store.audit.history(image.id) if e.verdict == "fix")
    assert fix.says == "fixed the mask of dcsp by drawing a new one"
    revert(store, image, fix.key, "before")
    verdicts = [store.candidates.get(id).verdict for id in (candidate, fixed)]
    assert verdicts == ["accept", "undecided"]
    revert(store, image, fix.key, "after", action="r2")
    verdicts = [store.candidates.get(id).verdict for id in (candidate, fixed)]
    assert verdicts == ["reject", "fix"]
    # One undo takes the whole of it back, too.
    store.decisions.undo("cyd", "c", "u")
    verdicts = [store.candidates.get(id).verdict for id in (candidate, fixed)]
    assert verdicts == ["accept", "undecided"]
    assert store.check() == []


def test_a_batch_goes_back_for_this_image_alone(
    store: Store, image: Image, candidate: int, photo: Callable[[int], bytes], mask: Mask
) -> None:
    other = store.images.add("two", photo(2), source="test").image
    elsewhere = store.candidates.add(other.id, None, "dcsp", mask(3))
    seen = store.decisions.filtered(Filter()).digest
    store.decisions.record_all(
        Filter(), "accept", digest=seen, reviewer="ada", session="s", action_id="b"
    )
    revert(store, image, current(store, image, "decision").key, "before")
    assert store.candidates.get(candidate).verdict == "undecided"
    assert store.candidates.get(elsewhere).verdict == "accept"


def test_a_revert_sent_twice_is_one_row(
    store: Store, image: Image, candidate: int, say: Say
) -> None:
    first = say(candidate, "accept")
    event = revert(store, image, f"decision:{first}", "before")
    again = store.audit.revert(
        image.id, f"decision:{first}", "before", seen=f"decision:{first}",
        reviewer="cyd", session="c", action_id="r",
    )  # fmt: skip
    assert again == event
    assert store.decisions.count() == 2


def test_whoever_looked_at_an_older_history_is_told_and_nothing_changes(
    store: Store, image: Image, candidate: int, say: Say
) -> None:
    first = say(candidate, "accept")
    second = say(candidate, "reject")
    say(candidate, "skip", "bob")
    with pytest.raises(Conflict, match="bob skipped the mask of dcsp since you looked") as refused:
        revert(store, image, f"decision:{first}", "after", seen=f"decision:{second}")
    assert refused.value.there == {"current": "decision:3"}
    assert store.decisions.count() == 3


def test_a_revert_that_changes_nothing_or_is_not_there_is_refused(
    store: Store, image: Image, candidate: int, say: Say
) -> None:
    first, second = say(candidate, "accept"), say(candidate, "reject")
    with pytest.raises(StoreError, match="would change nothing"):
        revert(store, image, f"decision:{second}", "after")
    with pytest.raises(StoreError, match="Other things were done since"):
        revert(store, image, f"decision:{first}", "before")
    seen = {"seen": f"decision:{second}", "reviewer": "cyd", "session": "c"}
    with pytest.raises(StoreError, match="no 'decision:77'"):
        store.audit.revert(image.id, "decision:77", "after", action_id="r", **seen)
    with pytest.raises(StoreError, match="recorded before for something else"):
        store.audit.revert(image.id, f"decision:{first}", "after", action_id="d0", **seen)
    with pytest.raises(StoreError, match="no image 99"):
        store.audit.history(99)
    assert store.decisions.count() == 2


def test_who_shares_an_image_sees_what_the_other_said_only_after_judging_it(
    store: Store, image: Image, candidate: int, say: Say
) -> None:
    store.assignments.share_out(["ada", "bob"], 1.0, made_by="lead", action_id="a")
    say(candidate, "reject")
    assert store.audit.withheld(image.id, "bob") == ["ada"]
    assert "ada rejected the mask of dcsp" not in told(store, image, "bob")
    assert "ada rejected the mask of dcsp" in told(store, image, "ada")
    assert "ada rejected the mask of dcsp" in told(store, image, "lead")
    say(candidate, "accept", "bob")
    assert store.audit.withheld(image.id, "bob") == []
    assert "ada rejected the mask of dcsp" in told(store, image, "bob")
    assert told(store, image)[-4:-2] == [
        "lead gave it to ada to judge",
        "lead gave it to bob to judge",
    ]
