"""COCO's JSON as others write it: polygons, run lengths, things over stuff, files elsewhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.errors import DataError
from backend.exchange.items import best_mask
from backend.exchange.sources import open_exchange

SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]


def told(**changes: Any) -> dict[str, Any]:
    image = {"id": 7, "file_name": "cow.jpg", "width": 12, "height": 9}
    region = {"id": 1, "image_id": 7, "category_id": 21, "segmentation": [SQUARE], "iscrowd": 0}
    return {
        "images": [image],
        "annotations": [region],
        "categories": [{"id": 21, "name": "cow"}, {"id": 17, "name": "cat"}],
        **changes,
    }


def region(segmentation: Any, category: int = 21, **more: Any) -> dict[str, Any]:
    return {"id": 2, "image_id": 7, "category_id": category, "segmentation": segmentation, **more}


@pytest.fixture
def opened(make_files: Callable) -> Callable:
    def open_them(content: Any, name: str = "annotations/instances_val.json", **files: Any) -> Any:
        root = make_files({"val/cow.jpg": "photo", name: json.dumps(content), **files})
        return open_exchange(root)

    return open_them


def test_polygons_are_drawn_with_cocos_ids(opened: Callable) -> None:
    source = opened(told())
    assert (source.kind, source.classes) == ("coco", {17: "cat", 21: "cow"})
    (item,) = source.items
    assert (item.name, item.tags) == ("cow", (21,))
    expected = np.zeros((9, 12), np.uint8)
    expected[1:3, 1:4] = 21
    labels = best_mask(item, source.classes)
    assert labels is not None
    assert (labels == expected).all()


def test_crowds_in_run_lengths_are_of_their_class(opened: Callable) -> None:
    counts = {"size": [9, 12], "counts": [0, 9, 99]}
    source = opened(told(annotations=[region(counts, iscrowd=1)]))
    labels = best_mask(source.items[0], source.classes)
    assert labels is not None
    assert (labels[:, 0] == 21).all()
    assert (labels[:, 1:] == 0).all()


def test_the_smaller_region_lies_over_the_larger(opened: Callable) -> None:
    whole = [0, 0, 12, 0, 12, 9, 0, 9]
    regions = [region([SQUARE], 17), region([whole], 21)]
    labels = best_mask(*_of(opened(told(annotations=regions))))
    assert labels is not None
    assert labels[2, 2] == 17
    assert labels[8, 8] == 21


def _of(source: Any) -> tuple[Any, Any]:
    return source.items[0], source.classes


def test_things_lie_over_stuff(opened: Callable, make_files: Callable) -> None:
    grass = {"size": [9, 12], "counts": [0, 108]}
    stuff = told(annotations=[region(grass, 124)], categories=[{"id": 124, "name": "grass"}])
    make_files({"annotations/stuff_val.json": json.dumps(stuff)})
    source = opened(told())
    assert source.classes == {17: "cat", 21: "cow", 124: "grass"}
    assert source.items[0].tags == (21, 124)
    labels = best_mask(*_of(source))
    assert labels is not None
    assert sorted(np.unique(labels).tolist()) == [21, 124]
    assert labels[2, 2] == 21


def test_ids_beyond_254_are_numbered_anew(opened: Callable) -> None:
    regions = [region([SQUARE], 1203)]
    many = [{"id": 1203, "name": "zebra"}, {"id": 900, "name": "yak"}]
    source = opened(told(annotations=regions, categories=many))
    assert source.classes == {1: "yak", 2: "zebra"}
    assert source.items[0].tags == (2,)


def test_names_that_cannot_be_class_names_are_changed_and_told(opened: Callable) -> None:
    source = opened(told(categories=[{"id": 21, "name": "cup/mug"}, {"id": 17, "name": "cat"}]))
    assert source.classes[21] == "cup_mug"
    assert "cup/mug to cup_mug" in source.notes[0]


def test_images_without_a_region_have_tags_but_no_mask(opened: Callable) -> None:
    assert opened(told(annotations=[])).items[0].drawn is None


def test_absent_images_are_told_and_none_is_an_error(opened: Callable) -> None:
    more = {"id": 8, "file_name": "gone.jpg", "width": 1, "height": 1}
    source = opened(told(images=[told()["images"][0], more]))
    assert "gone.jpg" in source.notes[0]
    with pytest.raises(DataError, match="--images"):
        opened(told(images=[more], annotations=[]))


@pytest.mark.parametrize(
    "named", ["/etc/passwd", "../../../../etc/passwd", "..\\cow2.jpg", "", "a\0b.jpg"]
)
def test_a_file_name_never_becomes_a_path(opened: Callable, named: str) -> None:
    image = {"id": 7, "file_name": named, "width": 12, "height": 9}
    with pytest.raises(DataError):
        opened(told(images=[image]))


@pytest.mark.parametrize(
    "content",
    [
        told(images=[{"id": 7}]),
        told(images={}),
        told(annotations=[{"image_id": 7}]),
        told(annotations=[region([SQUARE], 99)]),
        told(annotations=[region([SQUARE]) | {"image_id": [7]}]),
        told(categories=["cow"]),
        told(categories=[{"id": {}, "name": "cow"}]),
    ],
)
def test_what_lacks_its_keys_is_a_sentence(opened: Callable, content: Any) -> None:
    with pytest.raises(DataError, match=r"COCO|category"):
        opened(content)


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [9, 12], "counts": "zzzzzz"},
        {"size": [90000, 90000], "counts": [8_100_000_000]},
        {"size": [9, 12], "counts": [5]},
        [[0, 0, 1e12, 0, 1, 1]],
        [[1, 2]],
        "text",
    ],
)
def test_a_region_that_cannot_be_drawn_names_its_image(opened: Callable, segmentation: Any) -> None:
    source = opened(told(annotations=[region(segmentation)]))
    with pytest.raises(DataError, match=r"The mask of cow\.jpg .* cannot be drawn"):
        best_mask(*_of(source))


def test_a_giant_image_by_its_word_is_refused_before_memory_is_taken(opened: Callable) -> None:
    image = {"id": 7, "file_name": "cow.jpg", "width": 10**6, "height": 10**6}
    with pytest.raises(DataError, match="more than the"):
        best_mask(*_of(opened(told(images=[image]))))


def test_json_of_something_else_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match="neither COCO's nor Label Studio's"):
        open_exchange(tmp_path / "x.json")
    (tmp_path / "y.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="not readable JSON"):
        open_exchange(tmp_path / "y.json")
