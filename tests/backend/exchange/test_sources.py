"""backend.exchange.sources and items: finding out what a path holds, and asking for parts of it."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backend.errors import DataError
from backend.exchange.sources import Item, Source, open_source


def test_a_path_that_is_not_there_says_what_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none does not exist. Name a Pascal VOC devkit"):
        open_source(tmp_path / "none")


def test_a_file_that_is_no_manifest_says_what_is_read(make_files: Callable) -> None:
    root = make_files({"set.zip": b"PK", "a.jpg": "photo"})
    with pytest.raises(DataError, match=r"set\.zip is a file.*a zip must be imported first"):
        open_source(root / "set.zip")


def test_a_folder_around_the_data_is_entered(make_files: Callable) -> None:
    root = make_files(
        {"download/msrc/tags.csv": "image,tags\na,cat\n", "download/msrc/a.jpg": "photo"}
    )
    (root / "__MACOSX").mkdir()
    assert open_source(root).root == root / "download" / "msrc"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    with pytest.raises(DataError, match="may not be read by this user"):
        open_source(tmp_path / "shut")


def test_only_keeps_the_order_asked_for_and_drops_repetitions(make_files: Callable) -> None:
    source = open_source(make_files({f"{name}.jpg": "photo" for name in "abcd"}))
    assert [item.name for item in source.only(["d", "a", "d"]).items] == ["d", "a"]
    with pytest.raises(DataError, match=r"2 of the images asked for are not in .*: x, y"):
        source.only(["a", "x", "y"])


def test_only_names_what_was_probably_meant(make_files: Callable) -> None:
    source = open_source(make_files({"12_10_s.jpg": "photo"}))
    with pytest.raises(DataError, match=r"Nearest to 12_10s: 12_10_s\."):
        source.only(["12_10s"])


def test_a_true_mask_is_read_as_it_is(make_files: Callable, mask: Callable) -> None:
    root = make_files(
        {"tags.csv": "image,tags\na,cat\n", "a.jpg": "photo", "masks/a.png": mask(8, 0, 255)}
    )
    source = open_source(root)
    assert np.array_equal(source.truth(source.items[0]), mask(8, 0, 255))


def test_a_mask_of_another_size_names_the_image_and_both_sizes(make_files: Callable) -> None:
    root = make_files(
        {
            "tags.csv": "image,tags\na,cat\n",
            "a.jpg": "photo",
            "masks/a.png": np.zeros((12, 9), np.uint8),
        }
    )
    source = open_source(root)
    with pytest.raises(DataError, match="mask of a is 9x12 pixels, its image 12x9"):
        source.truth(source.items[0])


def test_a_mask_with_unknown_ids_names_image_and_ids(make_files: Callable, mask: Callable) -> None:
    root = make_files(
        {"tags.csv": "image,tags\na,cat\n", "a.jpg": "photo", "masks/a.png": mask(8, 0, 33, 77)}
    )
    source = open_source(root)
    with pytest.raises(
        DataError, match=r"mask of a holds the unknown class ids 33, 77. Known ids: 0 .*, 8, 255"
    ):
        source.truth(source.items[0])


def test_a_mask_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    item = Item("a", tmp_path / "a.jpg")
    source = Source("images", tmp_path, {}, [item])
    with pytest.raises(DataError, match="no true mask for a"):
        source.truth(item)
    with pytest.raises(DataError, match="no curated mask for a"):
        source.mask(item)
