"""What a run's folder says of its maps, labels and predictions, against `evaluate` on the same."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from backend.labels import read_labels, write_labels
from training import evaluations, measures
from training.cli import main
from training.evaluation import evaluate_maps
from training.run import Run

from .conftest import paint_voc

CLASSES = {8: "cat", 12: "dog"}


def told(run: Path, name: str) -> dict:
    return json.loads((run / "evaluation" / f"{name}.json").read_text())


def rows(run: Path, name: str) -> list[list[str]]:
    return list(csv.reader((run / "evaluation" / f"{name}.csv").read_text().splitlines()))


@pytest.fixture
def labelled(tiny_voc: Path, tmp_path: Path) -> Run:
    """A run whose labels are the true masks with a strip wrong in one and one missing."""
    run = Run("labels", tmp_path / "run", data=tiny_voc, split="train")
    for number, path in enumerate(sorted((tiny_voc / "SegmentationClass").glob("*.png"))):
        labels = read_labels(path).copy()
        if number == 0:
            labels[:4] = 12
        if number != 1:
            write_labels(run.folder / "labels" / path.name, labels)
    return run


def test_a_training_leaves_the_sweep_of_its_maps_as_evaluate_finds_it(
    trained: Path, tiny_voc: Path
):
    found = told(trained, "maps")
    names = (tiny_voc / "ImageSets/Segmentation/train.txt").read_text().split()
    other = evaluate_maps(trained / "maps", tiny_voc / "SegmentationClass", found_classes(), names)
    assert {name: found[name] for name in other} == json.loads(json.dumps(other))
    assert found["of"] == "train"
    table = rows(trained, "maps")
    assert table[0] == ["threshold", "miou"]
    assert len(table) == 1 + len(found["sweep"])
    assert max(float(row[1]) for row in table[1:]) == pytest.approx(found["miou"])


def found_classes() -> dict[int, str]:
    from backend.exchange.classes import VOC_IDS

    return dict(VOC_IDS)


def test_labels_are_measured_and_one_that_is_missing_counts_as_background(
    labelled: Run, tiny_voc: Path
):
    evaluations.evaluate_run(labelled)
    found = told(labelled.folder, "labels")
    names = sorted(found["by_image"])
    assert len(names) == found["images"]
    assert len(found["missing"]) == 1
    alone = measures.measure(
        labelled.folder / "labels",
        tiny_voc / "SegmentationClass",
        found_classes(),
        names,
        allow_missing=True,
    )
    assert found["miou"] == pytest.approx(measures.result(alone, found_classes())["miou"])
    perfect = [name for name, value in found["by_image"].items() if value == 100]
    assert len(perfect) == len(names) - 2
    assert rows(labelled.folder, "labels")[0][:3] == ["class", "iou", "boundary_iou"]


def weighed(run: Run, rules: dict[str, str]) -> None:
    lines = [{"image": name, "rule": rule, "weight": 1.0} for name, rule in rules.items()]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (run.folder / "weights.jsonl").write_text(text)


def test_labels_of_images_that_a_person_or_the_truth_has_taught_are_not_measured(labelled: Run):
    evaluations.evaluate_run(labelled)
    whole = told(labelled.folder, "labels")
    assert (whole["of"], whole["images"]) == ("train", 8)
    rules = ("accepted", "fixed", "true", "above", "below", "rejected", "unscored", "all")
    weighed(labelled, {f"im{number}": rule for number, rule in enumerate(rules)})
    evaluations.evaluate_run(labelled)
    found = told(labelled.folder, "labels")
    assert found["of"] == "train, without 3 decided images"
    assert sorted(found["by_image"]) == [f"im{number}" for number in range(3, 8)]
    # The two that were not right are among those which are left out.
    assert found["miou"] == 100 > whole["miou"]
    weighed(labelled, {"im0": "true"})
    evaluations.evaluate_run(labelled)
    assert told(labelled.folder, "labels")["of"] == "train, without 1 decided image"


def test_where_every_image_was_decided_no_evaluation_is_kept(
    labelled: Run, capsys: pytest.CaptureFixture[str]
):
    evaluations.evaluate_run(labelled)
    weighed(labelled, {f"im{number}": "accepted" for number in range(8)})
    evaluations.evaluate_run(labelled)
    assert list((labelled.folder / "evaluation").iterdir()) == []
    assert "The labels are not measured: all 8 images" in capsys.readouterr().err


def test_truth_that_cannot_be_used_is_said_and_the_run_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = paint_voc(tmp_path / "data")
    path = sorted((data / "SegmentationClass").glob("*.png"))[0]
    labels = read_labels(path).copy()
    labels[0] = 77
    write_labels(path, labels)
    run = Run("labels", tmp_path / "run", data=data, split="train")
    write_labels(run.folder / "labels" / path.name, np.zeros_like(labels))
    evaluations.evaluate_run(run)
    assert "is not measured" in capsys.readouterr().err
    assert not (run.folder / "evaluation").exists()


def test_a_stage_of_a_pipeline_leaves_that_to_the_pipeline(labelled: Run):
    (labelled.folder / "stage.json").write_text("{}")
    evaluations.evaluate_run(labelled)
    assert not (labelled.folder / "evaluation").exists()


def test_the_sweep_of_maps_is_written_as_csv(trained: Path, tiny_voc: Path, tmp_path: Path):
    file = tmp_path / "sweep.csv"
    words = ["--maps", str(trained / "maps"), "--truth", str(tiny_voc / "SegmentationClass")]
    assert main(["evaluate", *words, "--csv", str(file)]) == 0
    assert file.read_text().startswith("threshold,miou\n0.0,")
