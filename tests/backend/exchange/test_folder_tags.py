"""Tags from the names of folders."""

from collections.abc import Callable

import pytest

from backend.errors import DataError
from backend.exchange.sources import open_exchange


def test_the_first_folder_that_names_something_is_the_tag(make_files: Callable) -> None:
    root = make_files(
        {
            "train/cat/1.jpg": "photo",
            "train/Cat/deep/2.jpg": "photo",
            "val/traffic light/3.jpg": "photo",
            "4.jpg": "photo",
        }
    )
    source = open_exchange(root, by_folders=True)
    named = {
        item.name: [source.classes[tag].casefold() for tag in item.tags] for item in source.items
    }
    assert named == {
        "train_cat_1": ["cat"],
        "train_Cat_deep_2": ["cat"],
        "val_traffic_light_3": ["traffic light"],
        "4": [],
    }
    assert len(source.classes) == 2
    assert "1 of 4 images lie in no such folder" in source.notes[0]


def test_without_the_wish_folders_are_no_tags(make_files: Callable) -> None:
    root = make_files({"cat/1.jpg": "photo", "dog/2.jpg": "photo"})
    assert all(not item.tags for item in open_exchange(root).items)


def test_no_such_folder_is_a_sentence(make_files: Callable) -> None:
    root = make_files({"images/1.jpg": "photo", "2.jpg": "photo"})
    with pytest.raises(DataError, match="names what it shows"):
        open_exchange(root, by_folders=True)
