"""Boundary IoU, confusion tables and comparisons, against counting by hand."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.labels import write_labels
from training import measures, tables
from training.boundary_iou import boundary_counts, boundary_iou, near_outline
from training.cli import main
from training.errors import TrainingError
from training.evaluation import evaluate_predictions

CLASSES = {1: "cat", 2: "dog", 5: "traffic light"}


def square(side: int, value: int = 1, size: int = 20, at: int = 2) -> np.ndarray:
    labels = np.zeros((size, size), np.uint8)
    labels[at : at + side, at : at + side] = value
    return labels


def folder(path: Path, **maps: np.ndarray) -> Path:
    for name, labels in maps.items():
        write_labels(path / f"{name}.png", labels)
    return path


# --- boundary IoU ------------------------------------------------------------------------------


def test_near_an_outline_is_what_lies_within_the_distance_and_inside():
    mask = square(6) == 1
    assert near_outline(mask, 1).sum() == 36 - 16
    assert near_outline(mask, 2).sum() == 36 - 4
    assert near_outline(mask, 3).sum() == 36


def test_the_images_border_is_an_outline():
    assert near_outline(np.ones((5, 5), bool), 1).sum() == 25 - 9


def test_a_shift_costs_the_boundary_more_than_the_area():
    truth, prediction = square(10), square(10, at=3)
    pixels = max(1, round(0.02 * math.hypot(20, 20)))
    assert pixels == 1
    both, either, true = boundary_counts(prediction, truth, 2)[:, 1]
    # Two rings of 36 pixels, one of them moved by (1, 1): they cross in two corners and two sides.
    rings = [near_outline(mask == 1, 1) for mask in (prediction, truth)]
    assert (both, either, true) == ((rings[0] & rings[1]).sum(), (rings[0] | rings[1]).sum(), 36)
    assert boundary_iou(boundary_counts(prediction, truth, 2))[1] < 81 / 119


def test_the_distance_grows_with_the_image():
    large = np.zeros((300, 400), np.uint8)
    large[50:250, 50:250] = 1
    (both, either, true) = boundary_counts(large, large, 2)[:, 1]
    assert both == either == true == 200**2 - 180**2


def test_void_belongs_to_no_class_on_either_side():
    truth = square(10)
    truth[:, 8:] = 255
    prediction = square(10)
    counts = boundary_counts(prediction, truth, 2)
    assert (counts[0] == counts[1]).all()
    assert boundary_iou(counts).tolist() == [1, 1]


def test_a_predicted_255_is_background():
    truth, prediction = square(6), square(6, value=255)
    both, either, true = boundary_counts(prediction, truth, 2)[:, 1]
    assert (both, either, true) == (0, 20, 20)


LABELS = hnp.arrays(np.uint8, (9, 7), elements=st.sampled_from([0, 1, 2, 255]))


@given(LABELS, LABELS)
def test_a_wide_boundary_is_the_whole_mask(prediction: np.ndarray, truth: np.ndarray):
    both, either, true = boundary_counts(prediction, truth, 3, distance=5)
    filled = np.where(prediction == 255, 0, prediction)
    for value in range(3):
        found, wanted = (filled == value) & (truth != 255), truth == value
        assert both[value] == (found & wanted).sum()
        assert either[value] == (found | wanted).sum()
        assert true[value] == wanted.sum()


@given(LABELS)
def test_the_truth_itself_is_perfect(truth: np.ndarray):
    found = boundary_iou(boundary_counts(truth, truth, 3))
    assert all(np.isnan(value) or value == 1 for value in found)


def test_label_maps_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"must have one shape \(height, width\)"):
        boundary_counts(square(4), square(4, size=21), 2)


# --- measures over a set -------------------------------------------------------------------------


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions and truth of three images; one prediction is right, one half, one wrong."""
    truth = folder(tmp_path / "truth", a=square(10), b=square(10), c=square(10, value=2))
    half = square(10)
    half[2:7] = 0
    right = folder(tmp_path / "found", a=square(10), b=half, c=square(10, value=1))
    return right, truth


def test_the_measures_agree_with_those_of_the_benchmark(sets: tuple[Path, Path]):
    found = measures.result(measures.measure(*sets, CLASSES, ["a", "b", "c"]), CLASSES)
    expected = evaluate_predictions(*sets, CLASSES)
    assert {name: found[name] for name in expected} == expected
    # cat: 150 of 200 true pixels found, and 100 that are dogs; dog: none of 100.
    assert found["iou"] == pytest.approx({"background": 100 * 900 / 950, "cat": 50, "dog": 0})
    assert found["confusion"] == {
        "classes": ["background", "cat", "dog"],
        "pixels": [[900, 0, 0], [50, 150, 0], [0, 100, 0]],
    }
    assert json.loads(json.dumps(found)) == found


def test_a_class_that_is_predicted_and_never_true_has_a_column_and_no_iou(tmp_path: Path):
    truth = folder(tmp_path / "truth", a=square(10))
    found = folder(tmp_path / "found", a=square(10, value=5))
    told = measures.result(measures.measure(found, truth, CLASSES, ["a"]), CLASSES)
    assert list(told["iou"]) == ["background", "cat"]
    assert told["confusion"]["classes"] == ["background", "cat", "traffic light"]
    assert told["confusion"]["pixels"][1] == [0, 0, 100]


def test_missing_predictions_are_named_or_count_as_background(sets: tuple[Path, Path]):
    found, truth = sets
    (found / "a.png").unlink()
    with pytest.raises(
        TrainingError, match=r"1 images have no prediction .*: a\..*--allow-missing"
    ):
        measures.measure(found, truth, CLASSES, ["a", "b", "c"])
    told = measures.measure(found, truth, CLASSES, ["a", "b", "c"], allow_missing=True)
    assert told.missing == ["a"]
    assert told.matrix[1].tolist() == [150, 50, 0, 0, 0, 0]
    assert told.images["a"] == pytest.approx(0.5 * 300 / 400)


@pytest.mark.parametrize(
    ("where", "labels", "words"),
    [
        (1, np.full((20, 20), 77, np.uint8), r"true mask of a holds the ids \[77\]"),
        (0, np.full((20, 20), 77, np.uint8), r"prediction for a holds the ids \[77\]"),
        (0, square(4, size=21), "prediction for a is 21 x 21 but its true mask is 20 x 20"),
    ],
)
def test_masks_that_cannot_be_compared_are_sentences(
    sets: tuple[Path, Path], where: int, labels: np.ndarray, words: str
):
    write_labels(sets[where] / "a.png", labels)
    with pytest.raises(TrainingError, match=words):
        measures.measure(*sets, CLASSES, ["a", "b", "c"])


def test_two_sets_are_compared_over_all_and_their_images_put_in_order(
    sets: tuple[Path, Path], tmp_path: Path
):
    found, truth = sets
    other = folder(tmp_path / "other", a=np.zeros((20, 20), np.uint8), b=square(10), c=square(10))
    names = ["a", "b", "c"]
    first, second = (measures.measure(one, truth, CLASSES, names) for one in (other, found))
    told = measures.compare(first, second, CLASSES)
    assert [name for name, *_ in told["images"]] == ["a", "c", "b"]
    assert told["images"][0][1:] == pytest.approx([37.5, 100])
    assert told["images"][1][1] == told["images"][1][2]
    totals = [measures.result(one, CLASSES)["miou"] for one in (first, second)]
    assert told["miou"] == pytest.approx(totals[1] - totals[0])
    text = tables.comparison(told)
    assert "1 images are better, 1 worse, 1 the same" in text
    assert text.index("most improved") < text.index("most worsened")


def test_the_table_and_the_file_show_every_class(sets: tuple[Path, Path]):
    told = measures.result(measures.measure(*sets, CLASSES, ["a", "b", "c"]), CLASSES)
    lines = tables.text(told).splitlines()
    assert lines[0].split() == ["IoU", "boundary", "IoU"]
    assert lines[2].split()[:2] == ["cat", "50.0"]
    assert lines[4].split()[0] == "mIoU"
    assert lines[-2].split() == ["cat", "25.0", "75.0", "."]
    rows = list(csv.reader(io.StringIO(tables.to_csv(told))))
    assert rows[0] == [
        "class",
        "iou",
        "boundary_iou",
        "pixels",
        "as background",
        "as cat",
        "as dog",
    ]
    assert rows[2][:2] == ["cat", "50.0"]
    assert rows[2][3:] == ["200", "50", "150", "0"]


# --- the command line --------------------------------------------------------------------------


def evaluate(found: Path, truth: Path, *more: str) -> int:
    return main(["evaluate", "--predictions", str(found), "--truth", str(truth), *more])


@pytest.fixture
def voc(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions of the list val, and the truth of a devkit with lists."""
    truth = tmp_path / "voc" / "SegmentationClass"
    names = ["a", "b", "c", "d"]
    folder(truth, **{name: square(10) for name in names})
    lists = tmp_path / "voc" / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("c\nd\n")
    (lists / "trainval.txt").write_text("\n".join(names) + "\n")
    return folder(tmp_path / "found", c=square(10), d=square(10)), truth


def test_the_list_that_predictions_belong_to_is_found(
    voc: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    assert evaluate(*voc) == 0
    assert "of the list val, 2 images" in capsys.readouterr().out
    (voc[0] / "d.png").unlink()
    assert evaluate(*voc) == 2
    assert "1 images have no prediction" in capsys.readouterr().err


def test_without_lists_every_true_mask_wants_a_prediction(
    sets: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    (sets[0] / "b.png").unlink()
    assert evaluate(*sets) == 2
    assert "1 images have no prediction in" in capsys.readouterr().err
    assert evaluate(*sets, "--allow-missing") == 0
    assert "1 of them without a prediction: counted as background" in capsys.readouterr().out


def test_predictions_without_a_true_mask_are_named(
    sets: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    folder(sets[0], stranger=square(10))
    assert evaluate(*sets) == 2
    assert "1 images have no true mask" in capsys.readouterr().err


def test_the_result_is_written_as_json_and_csv(
    voc: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    other = folder(tmp_path / "other", c=square(10), d=square(10, at=5))
    files = [tmp_path / "result.json", tmp_path / "result.csv"]
    more = ["--json", str(files[0]), "--csv", str(files[1]), "--against", str(other)]
    assert evaluate(*voc, *more) == 0
    told = json.loads(files[0].read_text())
    assert (told["miou"], told["threshold"], told["sweep"]) == (100, None, [])
    assert told["iou"] == {"background": 100, "aeroplane": 100}
    assert told["boundary"]["miou"] == 100
    assert [each[0] for each in told["against"]["images"]] == ["d", "c"]
    assert told["against"]["miou"] > 0
    assert files[1].read_text().startswith("class,iou,boundary_iou")
    assert "1 images are better, 0 worse, 1 the same" in capsys.readouterr().out


def test_a_named_list_is_measured_whether_it_is_there_or_not(
    voc: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    """--split reads a data set; this one has no images beside its lists."""
    assert evaluate(*voc, "--split", "val") == 2
    assert "tagmask: " in capsys.readouterr().err


def test_what_is_about_label_maps_is_refused_with_attention_maps(
    voc: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["evaluate", "--maps", str(tmp_path), "--truth", str(voc[1]), "--against", "x"]
    assert main(words) == 2
    assert "--against is about label maps" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "inside"), [("--maps", "maps"), ("--predictions", "labels")])
def test_a_runs_folder_in_the_place_of_what_it_made_is_said(
    voc: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flag: str,
    inside: str,
):
    run = tmp_path / "run"
    (run / inside / "a").mkdir(parents=True)
    (run / "config.json").write_text("{}")
    assert main(["evaluate", flag, str(run), "--truth", str(voc[1])]) == 2
    assert f"{run} is a run's folder; give {run / inside}." in capsys.readouterr().err
