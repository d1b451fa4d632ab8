"""A snapshot says whose tags changed since the one before, and the trainer hears of it."""

import json
from collections.abc import Callable

import pytest

from backend.exchange.sources import open_source
from backend.store import Store, TagEdit


@pytest.fixture
def three(store: Store, photo: Callable[[int], bytes]) -> list[int]:
    """Two cats and an image without tags."""
    tags = ([1], [1], [])
    return [
        store.images.add(f"im{n}", photo(n), source="import", tags=own).image.id
        for n, own in enumerate(tags)
    ]


def told(store: Store, name: str, include: str = "tagged"):
    path = store.snapshots.freeze(name, "ada", include=include).path
    return json.loads(path.read_bytes())["tags_since"], open_source(path, "all").notes


def change(store: Store, action: str, image: int, *add: int, take: tuple[int, ...] = ()) -> None:
    edit = TagEdit((image,), add, take)
    store.tags.change([edit], reviewer="ada", session="s", action_id=action)


def test_the_first_snapshot_has_none_before_it(store: Store, three: list[int]) -> None:
    assert told(store, "one") == (None, ())


def test_a_later_one_names_every_image_whose_tags_changed(store: Store, three: list[int]) -> None:
    one = store.snapshots.freeze("one", "ada", include="tagged")
    change(store, "a", three[1], 2, take=(1,))
    change(store, "b", three[2], 3)
    store.snapshots.freeze("to look at", "ada", include="all")
    since, notes = told(store, "two")
    assert since == {
        "snapshot": one.digest,
        "name": "one",
        "first_tags": 1,
        "changed": [{"image": "im1", "before": [1], "after": [2]}],
        "untagged": [],
    }
    assert notes == (
        "Since the snapshot 'one', the tags of 1 image changed (im1) and 1 image got tags for the "
        "first time.",
    )


def test_an_image_that_lost_all_its_tags_is_named_though_it_is_in_the_set_no_more(
    store: Store, three: list[int]
) -> None:
    told(store, "one")
    change(store, "a", three[0], take=(1,))
    change(store, "b", three[1], 2)
    change(store, "c", three[2], 3)
    since, notes = told(store, "two")
    assert since["untagged"] == ["im0"]
    assert [each["image"] for each in since["changed"]] == ["im1"]
    assert notes == (
        "Since the snapshot 'one', the tags of 1 image changed (im1), 1 image got tags for the "
        "first time and 1 image lost all tags (im0).",
    )


def test_it_says_the_same_when_the_same_set_is_frozen_again(store: Store, three: list[int]) -> None:
    store.snapshots.freeze("one", "ada", include="tagged")
    change(store, "a", three[1], 2)
    second = told(store, "two")
    store.tags.undo("ada", "s", "u")
    change(store, "b", three[2], 3)
    told(store, "three")
    store.tags.undo("ada", "s", "u2")
    change(store, "c", three[1], 2)
    assert told(store, "two again") == second


def test_a_snapshot_of_all_images_has_those_without_tags(store: Store, three: list[int]) -> None:
    made = store.snapshots.freeze("all", "ada", include="all")
    assert made.count == 3
    assert [item.tags for item in open_source(made.path, "all").items] == [(1,), (1,), ()]
    store.snapshots.verify(made.digest)


def test_a_snapshot_of_an_older_tagmask_is_read_by_its_time(store: Store, three: list[int]) -> None:
    old = store.snapshots.freeze("old", "ada", include="tagged")
    with store.connections.write() as database:
        # As format 2 had it: no word of which changes were seen.
        database.execute("DROP TRIGGER snapshots_are_never_changed")
        database.execute("UPDATE snapshots SET tags_seen = NULL, kind = ''")
    change(store, "a", three[1], 2)
    since = store.tags.since(old.digest)
    assert since is not None
    assert [each.image for each in store.tags.changed(since)] == ["im1"]
