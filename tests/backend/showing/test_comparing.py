"""Two sides compared: what is counted of them, and what all images say together."""

import numpy as np
import pytest

from backend.errors import DataError
from backend.labels import encode_labels
from backend.showing.comparing import Measured, measured, pairs, summary
from backend.showing.measuring import Measuring, count
from backend.showing.sides import masks_of, sides
from backend.workspace import Workspace
from training.evaluation import class_iou, confusion, miou

A, B = "run:1", "run:2"


def all_of(workspace: Workspace, a: str = A, b: str = B) -> list[Measured]:
    found, _, _ = pairs(workspace.store, a, b)
    batches = list(measured(Measuring(workspace.store.files), found))
    rows = [each for some in batches for each in some]
    assert all(isinstance(each, Measured) for each in rows), rows
    return rows


def test_runs_are_sides_and_a_method_of_one_run_alone_is_not_listed_twice(
    workspace: Workspace,
) -> None:
    assert [(each.id, each.count) for each in sides(workspace.store)] == [(B, 5), (A, 6)]
    image = workspace.store.images.by_name("image0")
    assert image is not None
    mask = encode_labels(np.ones((40, 60), np.uint8))
    offered = workspace.store.candidates.add(image.id, None, "cam.dcsp", mask)
    digest = workspace.store.candidates.get(offered).digest
    workspace.store.decisions.record(
        offered, digest, "accept", reviewer="ada", session="s", action_id="1"
    )
    assert [each.id for each in sides(workspace.store)] == [B, A, "method:cam.dcsp", "accepted"]
    # Of the method it is the newest, of the run its own.
    assert masks_of(workspace.store, "method:cam.dcsp")[image.id].candidate == offered
    assert masks_of(workspace.store, A)[image.id].candidate != offered
    assert list(masks_of(workspace.store, "accepted")) == [image.id]


def test_only_images_with_a_mask_on_both_sides_are_compared(workspace: Workspace) -> None:
    found, a_alone, b_alone = pairs(workspace.store, A, B)
    assert [each.name for each in found] == ["image0", "image1", "image2", "image3", "image5"]
    assert (a_alone, b_alone) == (1, 0)


def test_each_image_is_measured_against_its_truth(workspace: Workspace) -> None:
    rows = {each.pair.name: each.as_json() for each in all_of(workspace)}
    # 10 of 20 columns over 20 rows: 200 of 400 pixels; the background gains those 200 falsely.
    background, cat = 2000 / 2200, 200 / 400
    assert rows["image0"]["a"]["iou"] == pytest.approx((background + cat) / 2, abs=1e-5)
    assert rows["image0"]["classes"] == [
        [0, pytest.approx(background, abs=1e-5), pytest.approx(background, abs=1e-5)],
        [1, 0.5, 0.5],
    ]
    # Image 3: 16 of 20 columns.
    assert rows["image3"]["classes"][1] == [2, 0.5, pytest.approx(0.8)]
    # Without a truth, how far both agree: B has 10 columns more than A's 10.
    assert rows["image5"]["a"]["iou"] is None
    assert rows["image5"]["between"][1] == [2, pytest.approx(0.5)]


def test_the_whole_set_is_counted_as_an_evaluation_counts_it(workspace: Workspace) -> None:
    rows = all_of(workspace)
    told = summary(rows)["truth"]
    assert told["images"] == 4
    assert (told["better"], told["worse"], told["same"]) == (3, 0, 1)
    matrices = []
    for side in ("a", "b"):
        matrix = np.zeros((3, 3), np.int64)
        for number in range(4):
            tag = 1 + number % 2
            truth = np.zeros((40, 60), np.uint8)
            truth[10:30, 20:40] = tag
            mask = np.zeros_like(truth)
            mask[10:30, 20 : 30 if side == "a" else 30 + 2 * number] = tag
            matrix += confusion(mask, truth, 3)
        matrices.append(matrix)
        assert told[side]["miou"] == pytest.approx(miou(matrix), abs=1e-4)
        expected = {str(id): iou for id, iou in enumerate(class_iou(matrix))}
        assert told[side]["iou"] == pytest.approx(expected, abs=1e-4)
    change = miou(matrices[1]) - miou(matrices[0])
    assert told["change"] == pytest.approx(change, abs=1e-4)
    low, high = told["interval"]
    assert 0 <= low < change < high
    assert summary(rows) == summary(rows)


def test_ignored_pixels_are_background_in_a_mask_and_nothing_in_a_truth() -> None:
    truth = np.array([[1, 1, 0, 255]], np.uint8)
    mask = np.array([[1, 255, 0, 1]], np.uint8)
    assert count(mask, truth).iou() == {0: 0.5, 1: 0.5}
    assert count(truth, np.full_like(truth, 255)).mean_iou() is None


def test_a_side_that_is_not_there_is_refused_with_those_that_are(workspace: Workspace) -> None:
    for wrong in ("run:9", "run:x", "../files", "method:", ""):
        with pytest.raises(DataError, match="run:2"):
            pairs(workspace.store, wrong, B)


def test_a_mask_whose_file_is_gone_is_a_sentence_and_the_others_are_measured(
    workspace: Workspace,
) -> None:
    image = workspace.store.images.by_name("image3")
    assert image is not None
    mask = masks_of(workspace.store, B)[image.id]
    workspace.files.path(mask.digest).unlink()
    found, _, _ = pairs(workspace.store, A, B)
    rows = [row for some in measured(Measuring(workspace.files), found) for row in some]
    said = [each for each in rows if isinstance(each, str)]
    assert len(said) == 1
    assert said[0].startswith("image3: ")
    assert len(rows) == 5


def test_what_was_counted_once_is_not_read_again(workspace: Workspace) -> None:
    measuring = Measuring(workspace.files)
    found, _, _ = pairs(workspace.store, A, B)
    before = [row for some in measured(measuring, found) for row in some]
    for digest in {pair.a.digest for pair in found}:
        workspace.files.path(digest).unlink()
    assert [row for some in measured(measuring, found) for row in some] == before
