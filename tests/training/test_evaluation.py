"""The measures against counting by hand, and the streamed sweep against one pass a threshold."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.labels import VOC_CLASSES, read_heat, read_labels, write_heat, write_labels
from backend.maps.attention import resize
from training.errors import TrainingError
from training.evaluation import (
    THRESHOLDS,
    class_iou,
    confusion,
    evaluate_maps,
    evaluate_predictions,
    format_table,
    miou,
    threshold_sweep,
)

CLASSES = {1: "cat", 2: "dog", 5: "traffic light"}
LABELS = hnp.arrays(np.uint8, (3, 4), elements=st.sampled_from([0, 1, 2, 255]))


def _labels(*rows):
    return np.array(rows, dtype=np.uint8)


# --- confusion and mIoU ------------------------------------------------------------------------


def test_rows_are_the_truth_and_columns_the_prediction():
    matrix = confusion(_labels([0, 1, 1, 2]), _labels([0, 0, 1, 1]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert matrix.dtype == np.int64


def test_a_predicted_255_counts_as_background_and_is_never_dropped():
    assert confusion(_labels([255, 255]), _labels([0, 1]), 2).tolist() == [[1, 0], [1, 0]]


def test_void_and_unknown_truth_is_left_out_whatever_was_predicted():
    matrix = confusion(_labels([1, 9, 1, 1]), _labels([255, 255, 2, 1]), 2)
    assert matrix.tolist() == [[0, 0], [0, 1]]


def test_another_ignore_index_can_be_given():
    matrix = confusion(_labels([9, 1, 1]), _labels([1, 9, 1]), 2, ignore=9)
    assert matrix.tolist() == [[0, 0], [1, 1]]


@given(LABELS, LABELS)
def test_every_pixel_with_a_true_class_is_counted_once(prediction, truth):
    matrix = confusion(prediction, truth, 3)
    expected = np.zeros((3, 3), dtype=int)
    for p, t in zip(prediction.flat, truth.flat, strict=True):
        if t != 255:
            expected[t, 0 if p == 255 else p] += 1
    np.testing.assert_array_equal(matrix, expected)


@pytest.mark.parametrize(
    ("prediction", "truth", "words"),
    [
        (_labels([0, 1]), _labels([0]), "must have one shape"),
        (_labels([3]), _labels([0]), "prediction must hold class ids 0..2 or 255"),
        (np.array([[-1]]), _labels([0]), "prediction must hold class ids 0..2 or 255"),
        (np.array([[0.0]]), _labels([0]), "prediction must hold integer class ids"),
        (_labels([0]), np.array([[True]]), "truth must hold integer class ids"),
    ],
)
def test_label_maps_that_cannot_be_compared_are_refused(prediction, truth, words):
    with pytest.raises(ValueError, match=words):
        confusion(prediction, truth, 3)


def test_iou_is_intersection_over_union_and_nothing_for_absent_classes():
    matrix = [[5, 1, 2], [1, 3, 0], [0, 0, 0]]
    np.testing.assert_allclose(class_iou(matrix), [5 / 9, 3 / 5, np.nan])


def test_the_mean_is_over_classes_in_the_truth_even_those_never_hit():
    # Class 1 is true but never predicted: 0. Class 2 is predicted but never true: left out.
    assert miou([[6, 0, 2], [2, 0, 0], [0, 0, 0]]) == pytest.approx((6 / 10 + 0) / 2)


def test_the_mean_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no pixel has a true class"):
        miou(np.zeros((3, 3)))


@given(LABELS)
def test_the_truth_itself_scores_one(truth):
    matrix = confusion(truth, truth, 3)
    if matrix.any():
        assert miou(matrix) == 1


@given(LABELS, LABELS, st.permutations([0, 1, 2]))
def test_renaming_the_classes_changes_no_mean(prediction, truth, names):
    prediction = np.where(prediction == 255, 0, prediction)
    renamed = np.array([*names, *[255] * 253], dtype=np.uint8)
    matrix = confusion(prediction, truth, 3)
    if matrix.any():
        other = confusion(renamed[prediction], renamed[truth], 3)
        assert miou(matrix) == pytest.approx(miou(other))


# --- the sweep ---------------------------------------------------------------------------------


def test_the_thresholds_are_twenty_steps_of_a_twentieth():
    assert tuple(i / 20 for i in range(20)) == THRESHOLDS


@st.composite
def images(draw):
    """A few images with maps of another size than their truth."""
    found = []
    for _ in range(draw(st.integers(0, 3))):
        ids = draw(st.permutations([1, 2, 3]))[: draw(st.integers(0, 3))]
        small = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
        eighths = st.integers(0, 20).map(lambda i: np.float32(i / 20))
        maps = draw(hnp.arrays(np.float32, (len(ids), *small), elements=eighths))
        shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
        found.append(
            (maps, ids, draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 255]))))
        )
    return found


@given(images())
def test_one_look_at_each_image_gives_what_one_pass_a_threshold_gives(found):
    sweep = threshold_sweep(iter(found), 4)
    assert sweep.shape == (20, 4, 4)
    for matrix, threshold in zip(sweep, THRESHOLDS, strict=True):
        expected = np.zeros((4, 4), dtype=np.int64)
        for maps, ids, truth in found:
            large = resize(maps, truth.shape)
            prediction = np.zeros(truth.shape, dtype=np.uint8)
            if len(ids):
                prediction = np.array(ids)[large.argmax(axis=0)]
                prediction[large.max(axis=0) < np.float32(threshold)] = 0
            expected += confusion(prediction, truth, 4)
        np.testing.assert_array_equal(matrix, expected)


def test_a_pixel_at_the_threshold_is_foreground():
    sweep = threshold_sweep([(np.array([[[0.5, 0.4]]]), [1], _labels([1, 1]))], 2, [0.4, 0.5, 0.51])
    assert sweep[:, 1].tolist() == [[0, 2], [1, 1], [2, 0]]


def test_at_threshold_zero_nothing_is_background_but_images_without_maps():
    found = [
        (np.zeros((1, 2, 2)), [1], _labels([0, 1], [1, 1])),
        (np.zeros((0, 1, 1)), [], _labels([0, 1])),
    ]
    sweep = threshold_sweep(found, 2)
    assert sweep[0].tolist() == [[1, 1], [1, 3]]
    assert sweep[1].tolist() == [[2, 0], [4, 0]]


@pytest.mark.parametrize(
    ("maps", "ids", "truth", "words"),
    [
        (np.zeros((1, 2, 2)), [1, 2], _labels([0]), "There are 1 maps but 2 class ids"),
        (np.zeros((1, 2, 2)), [0], _labels([0]), "class_ids must lie in 1..2"),
        (np.zeros((1, 2, 2)), [3], _labels([0]), "class_ids must lie in 1..2"),
        (np.zeros((2, 2)), [1], _labels([0]), "maps must have the shape"),
        (np.zeros((1, 2, 2)), [1], _labels([0])[0], "truth must have the shape"),
    ],
)
def test_images_that_do_not_fit_are_refused(maps, ids, truth, words):
    with pytest.raises(ValueError, match=words):
        threshold_sweep([(maps, ids, truth)], 3)


@pytest.mark.parametrize("thresholds", [[], [0.5, 0.5], [0.5, 0.4]])
def test_thresholds_must_ascend(thresholds):
    with pytest.raises(ValueError, match="thresholds must ascend"):
        threshold_sweep([], 3, thresholds)


# --- folders -----------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path):
    """Two images with truth, predictions and maps; the truth knows a third one."""
    for name in ("predictions", "truth", "maps"):
        (tmp_path / name).mkdir()
    write_labels(tmp_path / "truth" / "a.png", _labels([0, 1, 1, 255]))
    write_labels(tmp_path / "truth" / "b.v2.png", _labels([0, 0], [2, 2]))
    write_labels(tmp_path / "truth" / "other.png", _labels([5]))
    write_labels(tmp_path / "predictions" / "a.png", _labels([0, 1, 255, 1]))
    write_labels(tmp_path / "predictions" / "b.v2.png", _labels([0, 2], [2, 2]))
    for image, name, heat in (
        ("a", "cat", [[0.0, 0.8, 0.6, 1.0]]),
        ("a", "dog", [[0.2, 0.4, 0.2, 0.0]]),
        ("b.v2", "dog", [[0.0, 0.4], [0.8, 1.0]]),
    ):
        (tmp_path / "maps" / image).mkdir(exist_ok=True)
        write_heat(tmp_path / "maps" / image / f"{name}.png", np.array(heat))
    return tmp_path


def test_predictions_are_scored_over_the_whole_set(folders):
    result = evaluate_predictions(folders / "predictions", folders / "truth", CLASSES)
    # Background: 2 of 4; cat: 1 of 2; dog: 2 of 3. The third image was not predicted.
    expected = {"background": 50, "cat": 50, "dog": pytest.approx(200 / 3)}
    assert result["iou"] == expected
    assert result["miou"] == pytest.approx((50 + 50 + 200 / 3) / 3)
    assert (result["threshold"], result["sweep"], result["images"]) == (None, [], 2)
    json.dumps(result, allow_nan=False)


def test_maps_are_scored_at_every_threshold_and_at_the_best(folders):
    result = evaluate_maps(folders / "maps", folders / "truth", CLASSES)
    # Right everywhere while the threshold is over 0.4 (b's stray dog) and at most 0.6 (a's cat).
    assert result["miou"] == 100
    assert result["threshold"] == 0.45
    assert result["iou"] == {"background": 100, "cat": 100, "dog": 100}
    assert [threshold for threshold, _ in result["sweep"]] == list(THRESHOLDS)
    scores = dict(result["sweep"])
    assert [scores[t] == 100 for t in (0.4, 0.45, 0.5, 0.55, 0.6, 0.65)] == [0, 1, 1, 1, 1, 0]
    # At 0.4 the stray pixel is dog: background 2 of 3, cat all, dog 2 of 3.
    assert scores[0.4] == pytest.approx(100 * (2 / 3 + 1 + 2 / 3) / 3)
    assert result["images"] == 2
    json.dumps(result, allow_nan=False)


def test_only_the_named_images_are_scored(folders):
    one = evaluate_predictions(folders / "predictions", folders / "truth", CLASSES, ["b.v2"])
    assert set(one["iou"]) == {"background", "dog"}
    assert one["images"] == 1
    maps = evaluate_maps(folders / "maps", folders / "truth", CLASSES, ["b.v2", "other"])
    assert maps["iou"]["traffic light"] == 0
    assert maps["images"] == 2


def test_maps_are_compared_at_the_size_of_the_truth(folders):
    truth = np.zeros((9, 12), dtype=np.uint8)
    truth[3:, 4:] = 1
    write_labels(folders / "truth" / "a.png", truth)
    result = evaluate_maps(folders / "maps", folders / "truth", CLASSES, ["a"])
    heat = [read_heat(folders / "maps" / "a" / f"{name}.png") for name in ("cat", "dog")]
    matrices = threshold_sweep([(np.stack(heat), [1, 2], truth)], 6)
    assert result["miou"] == pytest.approx(100 * max(miou(matrix) for matrix in matrices))


def test_missing_images_are_named(folders):
    write_labels(folders / "predictions" / "lonely.png", _labels([0]))
    with pytest.raises(TrainingError, match=r"1 images have no true mask .*: lonely\."):
        evaluate_predictions(folders / "predictions", folders / "truth", CLASSES)
    with pytest.raises(TrainingError, match=r"1 images have no predicted label map .*: other\."):
        evaluate_predictions(folders / "predictions", folders / "truth", CLASSES, ["a", "other"])
    for number in range(7):
        (folders / "maps" / f"lost{number}").mkdir()
    with pytest.raises(
        TrainingError, match=r"7 images have no true mask .*: lost0, .*lost4, \.\.\."
    ):
        evaluate_maps(folders / "maps", folders / "truth", CLASSES)


@pytest.mark.parametrize("evaluate", [evaluate_predictions, evaluate_maps])
def test_missing_and_empty_folders_are_named(folders, evaluate):
    (folders / "empty").mkdir()
    with pytest.raises(TrainingError, match=r"nowhere does not exist"):
        evaluate(folders / "nowhere", folders / "truth", CLASSES)
    with pytest.raises(TrainingError, match=r"truth .*nowhere does not exist"):
        evaluate(folders / "maps", folders / "nowhere", CLASSES)
    with pytest.raises(TrainingError, match=r"There are no .*empty"):
        evaluate(folders / "empty", folders / "truth", CLASSES)


def test_a_prediction_of_another_size_is_named(folders):
    write_labels(folders / "predictions" / "a.png", _labels([0, 1]))
    with pytest.raises(TrainingError, match=r"The prediction for a is 2 x 1 .* mask is 4 x 1"):
        evaluate_predictions(folders / "predictions", folders / "truth", CLASSES)


def test_ids_that_are_no_class_are_named(folders):
    write_labels(folders / "predictions" / "a.png", _labels([0, 3, 9, 0]))
    with pytest.raises(TrainingError, match=r"The prediction for a holds the ids \[3, 9\]"):
        evaluate_predictions(folders / "predictions", folders / "truth", CLASSES)
    write_labels(folders / "truth" / "a.png", _labels([0, 4, 0, 0]))
    for evaluate, kind in ((evaluate_predictions, "predictions"), (evaluate_maps, "maps")):
        with pytest.raises(TrainingError, match=r"The true mask of a holds the ids \[4\]"):
            evaluate(folders / kind, folders / "truth", CLASSES)


def test_maps_of_unknown_classes_are_named(folders):
    write_heat(folders / "maps" / "a" / "zebra.png", np.zeros((1, 4)))
    with pytest.raises(TrainingError, match=r"classes that are not in the list: zebra\.png"):
        evaluate_maps(folders / "maps", folders / "truth", CLASSES)


def test_an_images_maps_must_have_one_size(folders):
    write_heat(folders / "maps" / "a" / "dog.png", np.zeros((2, 2)))
    with pytest.raises(TrainingError, match="differ in size"):
        evaluate_maps(folders / "maps", folders / "truth", CLASSES)


def test_a_truth_of_void_alone_is_a_sentence(folders):
    for name in ("a", "b.v2"):
        shape = (1, 4) if name == "a" else (2, 2)
        write_labels(folders / "truth" / f"{name}.png", np.full(shape, 255, dtype=np.uint8))
    for evaluate, kind in ((evaluate_predictions, "predictions"), (evaluate_maps, "maps")):
        with pytest.raises(TrainingError, match="only 255"):
            evaluate(folders / kind, folders / "truth", CLASSES)


def test_the_table_shows_every_class_the_mean_and_the_sweep(folders):
    predictions = evaluate_predictions(folders / "predictions", folders / "truth", CLASSES)
    assert format_table(predictions).splitlines() == [
        "background   50.0",
        "cat          50.0",
        "dog          66.7",
        "mIoU         55.6",
        "over 2 images",
    ]
    lines = format_table(evaluate_maps(folders / "maps", folders / "truth", CLASSES)).splitlines()
    assert "best threshold 0.45, over 2 images" in lines
    assert "     0.60  100.0" in lines
    assert len(lines) == 4 + 1 + 2 + 20


def test_true_masks_of_photographs_score_themselves_completely(shared_data):
    truth = shared_data / "msrc" / "SegmentationClass"
    names = sorted(path.stem for path in truth.glob("*.png"))[:12]
    classes = dict(enumerate(VOC_CLASSES, start=1))
    present = {int(i) for name in names for i in np.unique(read_labels(truth / f"{name}.png"))}
    result = evaluate_predictions(truth, truth, classes, names)
    assert result["miou"] == 100
    assert len(result["iou"]) == len(present - {255})
