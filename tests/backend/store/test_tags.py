"""Tags changed for many images at once, undone, and what is known of them."""

import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from sqlite_utils import Database

from backend.errors import StoreError
from backend.store import Store, TagEdit, TagView

Photo = Callable[[int], bytes]
CAT, DOG, BIRD = 1, 2, 3


@pytest.fixture
def four(store: Store, photo: Photo) -> list[int]:
    """Four images: a cat, a dog, both, and one without tags."""
    tags = ([CAT], [DOG], [CAT, DOG], [])
    return [
        store.images.add(f"im{n}", photo(n), source="import", tags=own).image.id
        for n, own in enumerate(tags)
    ]


def tags(store: Store, ids: list[int]) -> list[tuple[int, ...]]:
    return [store.images.get(id).tags for id in ids]


def give(store: Store, action: str, images: list[int], *add: int, by: str = "ada"):
    edit = TagEdit(tuple(images), add)
    return store.tags.change([edit], reviewer=by, session="s", action_id=action)


def take(store: Store, action: str, images: list[int], *remove: int, by: str = "ada"):
    edit = TagEdit(tuple(images), (), remove)
    return store.tags.change([edit], reviewer=by, session="s", action_id=action)


def suggest(store: Store, scores: dict[int, dict[int, float]]) -> None:
    store.suggestions.enter(scores, None)


def test_a_tag_is_given_to_all_and_only_changes_are_logged(store: Store, four: list[int]) -> None:
    act = give(store, "a", four, BIRD, CAT)
    assert tags(store, four) == [(1, 3), (1, 2, 3), (1, 2, 3), (1, 3)]
    assert (act.changed, act.images) == (4, tuple(four))
    again = give(store, "b", four, CAT)
    assert (again.changed, again.images) == (0, ())
    assert [len(store.images.tag_changes(id)) for id in four] == [2, 2, 2, 1]
    last = store.images.tag_changes(four[0])[-1]
    assert (last.before, last.after, last.by, last.action_id) == ((1,), (1, 3), "ada", "a")
    assert last.judged == (1, 3)


def test_several_edits_are_one_act_and_one_undo(store: Store, four: list[int]) -> None:
    edits = [TagEdit((four[0],), (DOG,)), TagEdit((four[1], four[2]), (), (DOG,))]
    store.tags.change(edits, reviewer="ada", session="s", action_id="a")
    assert tags(store, four) == [(1, 2), (), (1,), ()]
    undone = store.tags.undo("ada", "s", "u")
    assert undone is not None
    assert (undone.changed, undone.undoes) == (3, "a")
    assert tags(store, four) == [(1,), (2,), (1, 2), ()]


def test_any_number_of_acts_is_undone_the_latest_first(store: Store, four: list[int]) -> None:
    before = tags(store, four)
    give(store, "a", four, BIRD)
    take(store, "b", four[:2], CAT)
    give(store, "c", four[1:], CAT)
    for number in range(3):
        assert store.tags.undo("ada", "another visit", f"u{number}") is not None
    assert tags(store, four) == before
    assert store.tags.undo("ada", "s", "u3") is None
    assert store.tags.undo("bob", "s", "u4") is None


def test_an_act_and_an_undo_sent_twice_are_done_once(store: Store, four: list[int]) -> None:
    first = give(store, "a", four, BIRD)
    assert give(store, "a", four, BIRD) == first
    give(store, "b", four, DOG)
    undone = store.tags.undo("ada", "s", "u")
    assert store.tags.undo("ada", "s", "u") == undone
    assert tags(store, four) == [(1, 3), (2, 3), (1, 2, 3), (3,)]


def test_an_action_is_nobody_elses_and_nothing_elses(store: Store, four: list[int]) -> None:
    give(store, "a", four[:1], BIRD)
    store.tags.undo("ada", "s", "u")
    for call in (
        lambda: give(store, "a", four[:1], BIRD, by="bob"),
        lambda: store.tags.undo("ada", "s", "a"),
        lambda: give(store, "u", four[:1], BIRD),
    ):
        with pytest.raises(StoreError, match="recorded before for something else"):
            call()


def test_undo_leaves_what_somebody_else_said_since(store: Store, four: list[int]) -> None:
    give(store, "a", four[3:], CAT, DOG)
    take(store, "b", four[3:], CAT, by="bob")
    give(store, "c", four[3:], CAT, by="bob")
    store.tags.undo("ada", "s", "u")
    # The cat is bob's word now; the dog was ada's alone.
    assert tags(store, four)[3] == (CAT,)


def test_all_or_nothing_and_said_in_a_sentence(store: Store, four: list[int]) -> None:
    before = tags(store, four)
    for images, add, sentence in (
        ([*four, 99], (BIRD,), "1 of these images are not in this workspace"),
        (four, (BIRD, 40), "no class 40"),
    ):
        with pytest.raises(StoreError, match=sentence):
            give(store, "a", images, *add)
    edit = TagEdit(tuple(four), (CAT,), (CAT,))
    with pytest.raises(StoreError, match="given and taken in one act"):
        store.tags.change([edit], reviewer="ada", session="s", action_id="a")
    with pytest.raises(StoreError, match="needs the reviewer's name"):
        give(store, "a", four, BIRD, by=" ")
    with pytest.raises(StoreError, match="the most"):
        give(store, "a", list(range(1, 50_002)), BIRD)
    assert tags(store, four) == before
    assert all(len(store.images.tag_changes(id)) <= 1 for id in four)


def test_the_log_of_tags_cannot_be_rewritten(store: Store, four: list[int]) -> None:
    give(store, "a", four, BIRD)
    for statement in ("UPDATE tag_changes SET changed_by = 'eve'", "DELETE FROM tag_changes"):
        with pytest.raises(StoreError, match="only added to"):
            store.connections.write_together(partial(Database.execute, sql=statement))


def test_acts_of_many_at_once_all_count(store: Store, four: list[int]) -> None:
    """Eight people give and take at once; the tags are what the log says, row upon row."""

    def work(person: int) -> None:
        for number in range(5):
            change = give if (person + number) % 2 else take
            change(store, f"{person}-{number}", four, 1 + person % 3, by=f"p{person}")

    threads = [threading.Thread(target=work, args=(person,)) for person in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for id in four:
        changes = store.images.tag_changes(id)
        assert all(a.after == b.before for a, b in pairwise(changes))
        assert store.images.get(id).tags == (changes[-1].after if changes else ())


def test_suggestions_are_shown_and_tag_nothing(store: Store, four: list[int]) -> None:
    before = tags(store, four)
    suggest(store, {four[0]: {CAT: 0.9, DOG: 0.8, BIRD: 0.01}, four[1]: {DOG: 0.1, CAT: 0.6}})
    assert tags(store, four) == before
    assert store.tags.listed(TagView("suggested")) == [four[0], four[1]]
    assert store.tags.listed(TagView("suggested", tag=CAT)) == [four[1]]
    assert store.tags.listed(TagView("suggested", least=0.7)) == [four[0]]
    assert store.tags.listed(TagView("doubted")) == [four[1]]
    said = store.suggestions.of(four)
    assert [(s.class_id, s.score) for s in said[four[0]]] == [(CAT, 0.9), (DOG, 0.8)]
    asked = store.suggestions.questions()
    assert (asked.suggested, asked.doubted) == ({DOG: 1, CAT: 1}, {DOG: 1})


def test_what_a_person_has_answered_is_asked_no_more(store: Store, four: list[int]) -> None:
    scores = {four[0]: {CAT: 0.1, DOG: 0.9}, four[3]: {BIRD: 0.7}}
    suggest(store, scores)
    take(store, "no-dog", [four[0]], DOG)  # it has none: the suggestion is refused
    give(store, "is-cat", [four[0]], CAT)  # it has it: the doubt is answered
    assert tags(store, four)[0] == (CAT,)
    assert store.tags.listed(TagView("suggested")) == [four[3]]
    assert store.tags.listed(TagView("doubted")) == []
    # A later classifier does not ask again, a suggestion of what nobody judged is new.
    suggest(store, {four[0]: {CAT: 0.05, DOG: 0.95, BIRD: 0.8}})
    assert store.tags.listed(TagView("suggested", tag=DOG)) == []
    assert store.tags.listed(TagView("doubted")) == []
    assert store.tags.listed(TagView("suggested")) == [four[0], four[3]]
    # Taken back, the question stands again.
    store.tags.undo("ada", "s", "u1")
    assert store.tags.listed(TagView("doubted")) == [four[0]]
    store.tags.undo("ada", "s", "u2")
    assert store.tags.listed(TagView("suggested", tag=DOG)) == [four[0]]


def test_lists_find_by_tag_and_name(store: Store, four: list[int]) -> None:
    assert store.tags.listed(TagView()) == four
    assert store.tags.listed(TagView(tag=DOG)) == [four[1], four[2]]
    assert store.tags.listed(TagView("untagged")) == [four[3]]
    assert store.tags.listed(TagView(query="m2")) == [four[2]]
    assert store.tags.listed(TagView(query="%")) == []
    with pytest.raises(StoreError, match="'everything' is none"):
        store.tags.listed(TagView("everything"))


def test_what_changed_since_the_last_training_is_known(store: Store, four: list[int]) -> None:
    assert store.tags.since() is None
    assert store.tags.listed(TagView("changed")) == []
    trained = store.snapshots.freeze("one", "ada", include="tagged")
    job = store.jobs.submit("classify", [], snapshot=trained.digest, by="ada")
    store.jobs.update(job.id, started_at=1.0)
    give(store, "a", [four[0], four[3]], BIRD)
    take(store, "b", [four[1]], DOG)
    give(store, "c", [four[1]], DOG)  # and back: no change
    # Looking is no training, and a snapshot of all images no set to learn from.
    looked = store.snapshots.freeze("all", "ada", include="all")
    look = store.jobs.submit("suggest", [], snapshot=looked.digest, by="ada")
    store.jobs.update(look.id, started_at=2.0)
    # Neither is one that did not come to its end.
    later = store.snapshots.freeze("two", "ada", include="tagged")
    for state in ("failed", "lost"):
        broken = store.jobs.submit("classify", [], snapshot=later.digest, by="ada")
        store.jobs.update(broken.id, started_at=3.0, state="running")
        store.jobs.update(broken.id, state=state)
    since = store.tags.since()
    assert since is not None
    assert (since.digest, since.job, since.recipe) == (trained.digest, job.id, "classify")
    changed = store.tags.changed(since)
    assert [(each.image, each.before, each.after, each.first) for each in changed] == [
        ("im0", (CAT,), (CAT, BIRD), False),
        ("im3", (), (BIRD,), True),
    ]
    assert store.tags.listed(TagView("changed")) == [four[0], four[3]]
    assert store.tags.listed(TagView("changed", query="3")) == [four[3]]


def test_losses_stand_with_their_images(store: Store, four: list[int]) -> None:
    run = store.runs.add("losses 1", "losses", "runs/1")
    store.images.set_losses([(four[0], 0.5), (four[1], 2.25)], run)
    with store.connections.read() as database:
        rows = database.execute("SELECT loss, loss_run FROM images ORDER BY id").fetchall()
    assert rows == [(0.5, run), (2.25, run), (None, None), (None, None)]
