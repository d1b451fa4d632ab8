"""Label Studio's JSON as it exports it: people, models, uploads, percentages."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backend.errors import DataError
from backend.exchange.brush import encode_brush
from backend.exchange.items import best_mask
from backend.exchange.sources import open_exchange

SIZE = {"original_width": 12, "original_height": 9, "image_rotation": 0}


def brush(label: str, rows: slice) -> dict[str, Any]:
    covered = np.zeros((9, 12), bool)
    covered[rows] = True
    value = {"format": "rle", "rle": encode_brush(covered), "brushlabels": [label]}
    return {"type": "brushlabels", "value": value, **SIZE}


def task(
    *annotations: dict[str, Any], image: str = "/data/upload/3/0a1b2c3d-cow.jpg", **more: Any
) -> dict[str, Any]:
    return {"id": 1, "data": {"image": image}, "annotations": [*annotations], **more}


def mark(*results: dict[str, Any], at: str = "2024-01-01", **more: Any) -> dict[str, Any]:
    return {"result": [*results], "updated_at": at, "completed_by": 3, **more}


@pytest.fixture
def opened(make_files: Callable) -> Callable:
    def open_it(*tasks: Any) -> Any:
        return open_exchange(
            make_files({"project.json": json.dumps([*tasks]), "images/cow.jpg": "photo"})
        )

    return open_it


def drawn(source: Any) -> np.ndarray:
    labels = best_mask(source.items[0], source.classes)
    assert labels is not None
    return labels


def test_brush_strokes_and_polygons_in_percent(opened: Callable) -> None:
    points = [[0, 0], [50, 0], [50, 100], [0, 100]]
    polygon = {"type": "polygonlabels", "value": {"points": points, "polygonlabels": ["cat"]}}
    source = opened(task(mark(brush("cow", slice(0, 3)), polygon | SIZE)))
    labels = drawn(source)
    ids = {name: number for number, name in source.classes.items()}
    assert (labels[:, :6] == ids["cat"]).all()
    assert (labels[:3, 6:] == ids["cow"]).all()
    assert (labels[3:, 6:] == 0).all()
    assert source.items[0].name == "cow"


@pytest.mark.parametrize(
    "image",
    [
        "/data/upload/3/0a1b2c3d-cow.jpg",
        "/data/local-files/?d=images/cow.jpg",
        "s3://bucket/some/cow.jpg",
        "https://example.org/cow.jpg?size=3",
        "cow.jpg",
    ],
)
def test_an_image_is_found_by_its_last_name_and_nothing_is_fetched(
    opened: Callable, image: str
) -> None:
    source = opened(task(mark(brush("cow", slice(0, 3))), image=image))
    assert source.items[0].image.name == "cow.jpg"


def test_the_newest_counts_and_the_others_are_offers(opened: Callable) -> None:
    older = mark(brush("cow", slice(0, 2)), at="2024-01-01", completed_by={"email": "ada@x.org"})
    newer = mark(brush("cow", slice(0, 5)), at="2024-02-01")
    skipped = mark(at="2024-03-01", was_cancelled=True)
    guess = {"result": [brush("cow", slice(0, 1))], "model_version": "unet 3", "score": 0.75}
    source = opened(task(newer, older, skipped, predictions=[guess]))
    assert (drawn(source) > 0).sum() == 5 * 12
    offers = {offer.by: offer for offer in source.items[0].offers}
    assert set(offers) == {"ada@x.org", "unet 3"}
    assert (offers["ada@x.org"].draw() > 0).sum() == 2 * 12
    assert offers["unet 3"].scores == {"score": 0.75}


def test_the_ground_truth_wins(opened: Callable) -> None:
    truth = mark(brush("cow", slice(0, 2)), at="2023-01-01", ground_truth=True)
    source = opened(task(mark(brush("cow", slice(0, 5))), truth))
    assert (drawn(source) > 0).sum() == 2 * 12


def test_choices_are_tags_and_boxes_are_no_masks(opened: Callable) -> None:
    choice = {"type": "choices", "value": {"choices": ["cat"]}}
    box = {"type": "rectanglelabels", "value": {"x": 1, "y": 1, "rectanglelabels": ["cow"]}}
    source = opened(task(mark(choice, box)))
    assert len(source.items[0].tags) == 2
    assert source.items[0].drawn is None
    assert "rectanglelabels" in source.notes[0]


@pytest.mark.parametrize(
    "result",
    [
        brush("cow", slice(0, 3)) | {"original_width": 13},
        brush("cow", slice(0, 3)) | {"original_width": 10**6, "original_height": 10**6},
        brush("cow", slice(0, 3)) | {"image_rotation": 90},
        {**brush("cow", slice(0, 3)), "value": {"rle": [0, 0, 0], "brushlabels": ["cow"]}},
        {**brush("cow", slice(0, 3)), "value": {"rle": "abc", "brushlabels": ["cow"]}},
        {**SIZE, "value": {"points": [[1, 2], [3]], "polygonlabels": ["cow"]}},
        {**SIZE, "value": {"points": [[1e9, 2], [3, 4], [5, 6]], "polygonlabels": ["cow"]}},
    ],
)
def test_a_result_that_cannot_be_drawn_names_its_image(opened: Callable, result: Any) -> None:
    with pytest.raises(DataError, match="The mask of cow cannot be drawn"):
        drawn(opened(task(mark(result))))


@pytest.mark.parametrize(
    "tasks",
    [
        [task(mark(), image="no picture")],
        [task(mark(), image="../../etc/passwd")],
        [task({"result": "x"})],
        [task(mark(brush("cow", slice(0, 3)))), task(mark(brush("cow", slice(0, 3))))],
    ],
)
def test_other_files_are_sentences(opened: Callable, tasks: list) -> None:
    with pytest.raises(DataError):
        opened(*tasks)


def test_the_short_export_is_refused_by_its_name(make_files: Callable) -> None:
    root = make_files({"min.json": '[{"image": "cow.jpg", "tag": "cow"}]', "cow.jpg": "photo"})
    with pytest.raises(DataError, match="neither COCO's nor Label Studio's"):
        open_exchange(root / "min.json")
