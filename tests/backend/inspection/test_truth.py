"""The true mask beside what is made here: IoU, error codes, and an image without one."""

import numpy as np
import pytest

from backend.errors import StoreError
from backend.inspection import Caches, Settings, Truth
from backend.inspection.truth import (
    FALSE_ALARM,
    HIT,
    MISSED,
    RIGHT_BACKGROUND,
    UNKNOWN,
    WRONG_CLASS,
    error_shares,
    errors,
    overlap,
    strongest,
)

from .conftest import CAT, DOG, Counted, Make, by_stage

NAMES = {8: "cat", 12: "dog", 10: "cow"}


def true(labels: np.ndarray, names: dict[int, str] = NAMES) -> Truth:
    return Truth("digest", lambda: labels, names)


@pytest.fixture
def labels() -> np.ndarray:
    """48 x 64: cat on the left half, a strip of it unknown, a cow below on the right."""
    made = np.zeros((48, 64), np.uint8)
    made[:, :32] = 8
    made[:, 30:32] = 255
    made[40:, 48:] = 10
    return made


def test_iou_is_hits_over_the_union_of_known_pixels() -> None:
    truth = np.array([[8, 8, 8, 0], [0, 0, 12, 255]], np.uint8)
    said = np.array([[8, 8, 0, 8], [0, 255, 12, 12]], np.uint8)
    found = overlap(said, truth, {0: "background", **NAMES})
    # cat: 2 of 4; dog: 1 of 1; background: 2 (one of them ignored) of 4
    assert found["iou"] == {"background": 0.5, "cat": 0.5, "dog": 1.0}
    assert found["miou"] == pytest.approx(2 / 3)


def test_a_class_that_is_not_there_has_no_iou_but_zero_and_does_not_count_in_the_mean() -> None:
    truth, said = np.array([[8, 0]], np.uint8), np.array([[8, 12]], np.uint8)
    found = overlap(said, truth, {0: "background", **NAMES})
    assert found["iou"] == {"background": 0, "cat": 1, "dog": 0}
    assert found["miou"] == 0.5


def test_a_truth_that_knows_nothing_measures_nothing() -> None:
    assert overlap(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8), {}) == {}


def test_the_mean_is_that_of_the_training_evaluation(labels: np.ndarray) -> None:
    from training.evaluation import confusion, miou

    said = np.random.default_rng(0).choice([0, 8, 10, 255], labels.shape).astype(np.uint8)
    found = overlap(said, labels, {0: "background", **NAMES})
    assert found["miou"] == pytest.approx(miou(confusion(said, labels, 13)))


def test_every_outcome_has_its_code() -> None:
    truth = np.array([[0, 8, 8, 8, 0, 255, 8]], np.uint8)
    said = np.array([[0, 8, 0, 12, 8, 8, 255]], np.uint8)
    expected = [RIGHT_BACKGROUND, HIT, MISSED, WRONG_CLASS, FALSE_ALARM, UNKNOWN, MISSED]
    codes = errors(said, truth)
    assert codes.tolist() == [expected]
    shares = error_shares(codes)
    assert shares["missed"] == pytest.approx(2 / 6)
    assert sum(shares.values()) == pytest.approx(1)


def test_attention_becomes_the_strongest_tag_where_it_reaches_the_threshold() -> None:
    attention = np.array([[[0.1, 0.5, 0.9]], [[0.2, 0.6, 0.3]]], np.float32)
    assert strongest(attention, (8, 12), 0.5).tolist() == [[0, 12, 8]]


def test_classes_are_matched_with_tags_by_name_and_never_share_a_number() -> None:
    labels = np.array([[0, 8, 12, 10, 255]], np.uint8)
    # an ImageNet classifier's tags: numbered for this image alone, one of them on a true id
    numbered, names = true(labels).numbered([(1, "Dog"), (8, "tabby")])
    assert numbered[0, 2] == 1
    assert (numbered[0, 0], numbered[0, 4]) == (0, 255)
    assert len({*numbered[0].tolist()}) == 5
    assert names[int(numbered[0, 1])] == "cat"
    assert names[8] == "tabby"
    assert names[int(numbered[0, 3])] == "cow"


def test_without_a_truth_nothing_is_said_of_it(make: Make, image) -> None:
    made = by_stage(make("cam").inspect(image, [CAT]))
    assert not [stage for stage in made if stage.startswith("truth")]
    assert made["fusion.dcsp"].details == {}


def test_every_mask_is_measured_and_the_chosen_one_has_its_errors_shown(
    make: Make, image, labels: np.ndarray
) -> None:
    chosen = Settings(fusion="seenet", truth_threshold=0.5)
    made = by_stage(make("cam").inspect(image, [CAT, DOG], chosen, truth=true(labels)))
    assert list(made)[-3:] == ["truth", "truth.attention", "truth.error"]
    assert np.array_equal(made["truth"].array, labels)
    names = {0: "background", **NAMES}
    for rule in ("seenet", "dcsp", "oaa"):
        one = made[f"fusion.{rule}"]
        assert one.details == overlap(one.array, labels, names)
        assert f"mIoU {one.details['miou']:.2f}" in one.caption
    error = made["truth.error"]
    mask = made["fusion.seenet"].array
    assert error.kind == "errors"
    assert np.array_equal(error.array, errors(mask, labels))
    assert error.details["mask"] == "fusion.seenet"
    assert error.details["iou"] == made["fusion.seenet"].details["iou"]
    heats = np.stack([made["cam:cat"].array, made["cam:dog"].array])
    by_threshold = strongest(heats, (8, 12), 0.5)
    assert np.array_equal(made["truth.attention"].array, errors(by_threshold, labels))
    assert made["truth.attention"].numbers["miou"] == pytest.approx(
        overlap(by_threshold, labels, names)["miou"]
    )


def test_a_moved_truth_threshold_runs_no_network_and_remakes_one_picture(
    make: Make, image, labels: np.ndarray
) -> None:
    bench, caches = make("seenet"), Caches()
    count = Counted(trunk=bench.network.backbone, b=bench.network.head_b)
    list(bench.inspect(image, [CAT], caches=caches, truth=true(labels)))
    count.clear()
    moved = Settings(truth_threshold=0.7)
    made = list(bench.inspect(image, [CAT], moved, "truth_threshold", caches, truth=true(labels)))
    assert [one.stage for one in made] == ["truth.attention"]
    assert count.runs == {"trunk": 0, "b": 0}


def test_a_truth_of_another_size_keeps_its_numbers(make: Make, image, labels: np.ndarray) -> None:
    large = np.kron(labels, np.ones((2, 2), np.uint8))
    made = by_stage(make("cam").inspect(image, [CAT], truth=true(large)))
    assert np.array_equal(made["truth"].array, labels)


def test_a_truth_that_cannot_be_read_is_said_and_the_masks_come_all_the_same(
    make: Make, image
) -> None:
    def gone() -> np.ndarray:
        raise StoreError("The file is gone.")

    made = by_stage(make("cam").inspect(image, [CAT], truth=Truth("digest", gone, NAMES)))
    assert made["truth"].kind == "note"
    assert "The file is gone." in made["truth"].caption
    assert made["fusion.dcsp"].kind == "labels"
    assert made["fusion.dcsp"].details == {}


def test_without_tags_the_truth_is_shown_and_the_comparison_says_why_not(
    make: Make, image, labels: np.ndarray
) -> None:
    made = by_stage(make("cam").inspect(image, [], truth=true(labels)))
    assert made["truth"].kind == "labels"
    assert made["truth.error"].kind == "note"
    assert made["truth.attention"].kind == "note"
