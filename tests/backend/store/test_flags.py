"""Flags: only ever added to, once by their name, and read where the queue is."""

import sqlite3

import pytest

from backend.errors import StoreError
from backend.store import Image, Store


def flag(store: Store, image: Image, flagged: bool, action: str, who: str = "ada") -> None:
    store.flags.set(image.id, flagged, reviewer=who, session="s", action_id=action)


def test_the_latest_flag_is_the_images(store: Store, image: Image, candidate: int) -> None:
    assert not store.candidates.row(candidate).flagged
    flag(store, image, True, "1")
    assert store.candidates.row(candidate).flagged
    assert store.flags.count() == 1
    assert [row.id for row in store.candidates.queue(flagged=True).rows] == [candidate]
    assert store.candidates.queue(flagged=False).total == 0
    flag(store, image, False, "2", "bob")
    assert not store.candidates.row(candidate).flagged
    told = [(each.flagged, each.reviewer) for each in store.flags.history(image.id)]
    assert told == [(True, "ada"), (False, "bob")]


def test_the_same_act_is_recorded_once_and_its_name_for_nothing_else(
    store: Store, image: Image
) -> None:
    flag(store, image, True, "1")
    flag(store, image, True, "1")
    assert len(store.flags.history(image.id)) == 1
    with pytest.raises(StoreError, match="recorded before for something else"):
        flag(store, image, False, "1")
    with pytest.raises(StoreError, match="recorded before for something else"):
        flag(store, image, True, "1", "bob")


def test_what_cannot_be_flagged_is_said(store: Store, image: Image) -> None:
    with pytest.raises(StoreError, match="no image 99"):
        store.flags.set(99, True, reviewer="ada", session="s", action_id="1")
    with pytest.raises(StoreError, match="reviewer's name"):
        flag(store, image, True, "1", "  ")


def test_no_row_is_ever_changed_or_deleted(store: Store, image: Image) -> None:
    flag(store, image, True, "1")
    with sqlite3.connect(store.path) as database:
        for act in ("UPDATE flags SET flagged = 0", "DELETE FROM flags"):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                database.execute(act)
