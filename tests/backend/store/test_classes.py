"""Classes."""

import pytest

from backend.errors import DataError, StoreError
from backend.store import Store


def test_classes_are_numbered_from_one(store: Store) -> None:
    assert [(each.id, each.name) for each in store.classes.all()] == [
        (1, "cat"),
        (2, "dog"),
        (3, "bird"),
    ]


def test_a_class_is_found_in_any_case_and_not_doubled(store: Store) -> None:
    assert store.classes.add("CAT") == store.classes.by_name()["cat"]
    assert len(store.classes.all()) == 3


def test_an_id_is_kept_where_it_is_free(store: Store) -> None:
    assert store.classes.add("sheep", 17).id == 17
    assert store.classes.add("cow", 17).id == 4
    assert store.classes.add("horse", 255).id == 5


def test_neighbouring_classes_have_colours_of_their_own(store: Store) -> None:
    for number in range(30):
        store.classes.add(f"class {number}")
    colours = [each.colour for each in store.classes.all()]
    assert len(set(colours)) == 33
    assert all(len(colour) == 7 and int(colour[1:], 16) >= 0 for colour in colours)


def test_the_background_is_no_class(store: Store) -> None:
    with pytest.raises(StoreError, match="background"):
        store.classes.add("Background")


@pytest.mark.parametrize("name", ["", "../up", "a,b", "x" * 200, ".hidden"])
def test_a_name_that_cannot_name_a_file_is_refused(store: Store, name: str) -> None:
    with pytest.raises(DataError, match="class name"):
        store.classes.add(name)


def test_at_most_254_classes_fit_into_a_mask(store: Store) -> None:
    for number in range(254 - 3):
        store.classes.add(f"class {number}")
    with pytest.raises(StoreError, match="254"):
        store.classes.add("one more")


def test_an_absent_class_is_explained(store: Store) -> None:
    assert store.classes.get(2).name == "dog"
    with pytest.raises(StoreError, match="no class 9"):
        store.classes.get(9)
