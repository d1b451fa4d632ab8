"""backend.exchange.folder: folders of images, with tags and without."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import DataError
from backend.exchange.sources import open_source


def test_images_beside_a_tags_csv(make_files: Callable, mask: Callable) -> None:
    root = make_files(
        {
            "tags.csv": "image,tags\ncat one.jpg,cat\nb,dog person\n",
            "cat one.jpg": "photo",
            "b.PNG": "photo",
            "c.webp": "photo",
            "notes.md": "not an image",
            "masks/b.png": mask(0, 12),
        }
    )
    source = open_source(root)
    assert source.kind == "tagged"
    assert source.classes == {8: "cat", 12: "dog", 15: "person"}
    assert [(item.name, item.tags) for item in source.items] == [
        ("b", (12, 15)),
        ("c", ()),
        ("cat_one", (8,)),
    ]
    assert source.items[0].truth == root / "masks" / "b.png"
    assert source.notes == ("1 of 3 images have no tags.",)
    assert [item.name for item in source.tagged().items] == ["b", "cat_one"]


def test_images_in_a_folder_of_their_own_and_below(make_files: Callable, mask: Callable) -> None:
    root = make_files(
        {
            "tags.csv": "image,tags\nday/a.jpg,tram\nnight/a,lamp tram\n",
            "classes.txt": "lamp\ntram\n",
            "images/day/a.jpg": "photo",
            "images/night/a.jpg": "photo",
            "SegmentationClass/night/a.png": mask(1),
        }
    )
    source = open_source(root)
    assert [(item.name, item.tags) for item in source.items] == [
        ("day_a", (2,)),
        ("night_a", (1, 2)),
    ]
    assert source.items[1].truth == root / "SegmentationClass" / "night" / "a.png"


def test_images_named_in_tags_csv_and_missing_are_counted_and_named(make_files: Callable) -> None:
    root = make_files({"tags.csv": "image,tags\na,cat\nb,cat\nc,dog\n", "a.jpg": "photo"})
    with pytest.raises(DataError, match=r"tags\.csv names 2 images not to be found: b, c"):
        open_source(root)


def test_a_tags_csv_without_any_image_is_refused(make_files: Callable) -> None:
    root = make_files({"tags.csv": "image,tags\n"})
    with pytest.raises(DataError, match=r"holds a tags.csv but no images"):
        open_source(root)


def test_a_plain_folder_of_images_has_no_tags(make_files: Callable, mask: Callable) -> None:
    root = make_files(
        {
            "b.jpg": "photo",
            "a.jpg": "photo",
            ".hidden.jpg": "photo",
            ".trash/c.jpg": "photo",
            "__MACOSX/d.jpg": "photo",
            "masks/a.png": mask(1),
        }
    )
    source = open_source(root)
    assert (source.kind, source.classes) == ("images", {})
    assert [item.name for item in source.items] == ["a", "b"]
    with pytest.raises(DataError, match=r"None of the 2 images of .* has a tag. Add a tags\.csv"):
        source.tagged()


def test_two_files_of_one_name_are_refused(make_files: Callable) -> None:
    root = make_files({"a.jpg": "photo", "a.png": "photo"})
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png would both be the image a. Rename"):
        open_source(root)


def test_names_that_would_escape_are_made_safe(make_files: Callable) -> None:
    root = make_files({"..hidden..jpg": "photo", "a\\..\\b.jpg": "photo", "c d.jpg": "photo"})
    names = [item.name for item in open_source(root).items]
    assert names == ["a_._b", "c_d"]


def test_a_loop_of_links_ends(make_files: Callable) -> None:
    root = make_files({"a.jpg": "photo"})
    (root / "loop").symlink_to(root)
    assert [item.name for item in open_source(root).items] == ["a"]


def test_a_folder_without_images_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no JPEGImages, no tags\.csv, no manifest\.json, no imag"):
        open_source(tmp_path)


def test_a_split_is_asked_for_in_vain_where_there_are_none(make_files: Callable) -> None:
    root = make_files({"a.jpg": "photo"})
    assert len(open_source(root, "all").items) == 1
    with pytest.raises(DataError, match="has no split val: splits are lists in ImageSets"):
        open_source(root, "val")
