"""`python -m training score`: a line for each image, whatever its mask, killed or not."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.images import read_image
from backend.labels import read_labels, write_labels
from backend.maps import scoring
from backend.mask_scorer import MaskScorer, card_of
from training.correlation import pearson
from training.recipes.score import methods_of

from .conftest import events_of, paint_voc
from .scoring import (
    CAT,
    DOG,
    NAMES,
    label_run,
    lines_of,
    said,
    saliency_maps,
    save_scorer,
    score,
    truth_of,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return paint_voc(tmp_path / "data", count=12)


@pytest.fixture
def labels(data: Path, tmp_path: Path) -> Path:
    return label_run(data, tmp_path / "labels")


@pytest.fixture
def maps(data: Path, tmp_path: Path) -> Path:
    return saliency_maps(data, tmp_path / "maps")


@pytest.fixture
def scorer(tmp_path: Path) -> Path:
    return save_scorer(tmp_path / "scorer.safetensors", 5)


def test_each_image_has_its_scores_and_its_reference(
    data: Path, labels: Path, maps: Path, scorer: Path, tmp_path: Path
):
    out = tmp_path / "out"
    assert score(data, labels, maps, out, "--scorer", str(scorer), "--batch", "5") == 0
    lines = lines_of(out)
    assert [line["image"] for line in lines] == NAMES
    network = MaskScorer(card_of(scorer))
    for line in lines:
        name = line["image"]
        content = (labels / "labels" / f"{name}.png").read_bytes()
        assert line["mask"] == hashlib.sha256(content).hexdigest()
        mask = read_labels(labels / "labels" / f"{name}.png")
        grey = cv2.imread(str(maps / f"{name}.png"), cv2.IMREAD_GRAYSCALE) / 255
        reference = grey > min(2 * grey.mean(), 0.9)
        kept = cv2.imread(str(out / "references" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(kept)) <= {0, 255}
        assert ((kept == 255) == reference).all()
        assert line["AC"] == pytest.approx(scoring.boundary_accuracy(mask, reference))
        tags = sorted(set(np.unique(truth_of(data, name)).tolist()) - {0})
        assert line["CD"] == pytest.approx(scoring.class_distribution(mask, tags))
        assert line["SC"] == pytest.approx(scoring.coarse_score(mask, reference, tags))
        image = read_image(data / "JPEGImages" / f"{name}.jpg")
        (p,) = network.scores([(image, mask)])
        assert line["P"] == pytest.approx(p, abs=1e-5)
        assert line["SF"] == pytest.approx(scoring.fine_score(p, mask, tags), abs=1e-5)
    assert lines[0]["method"] == "oaa.seenet · of a test"
    assert lines[1]["method"] == "fuse · labels"


def test_scores_are_compared_with_the_truth_where_there_is_one(
    data: Path, labels: Path, maps: Path, scorer: Path, tmp_path: Path
):
    out = tmp_path / "out"
    assert score(data, labels, maps, out, "--scorer", str(scorer)) == 0
    truth = []
    for name in NAMES:
        mask = read_labels(labels / "labels" / f"{name}.png")
        truth.append(scoring.boundary_accuracy(mask, truth_of(data, name) > 0))
    metrics = events_of(out)[-1]["metrics"]
    for score_name in ("AC", "SC", "P", "SF"):
        found = [line[score_name] for line in lines_of(out)]
        assert metrics[f"pearson_{score_name}"] == pytest.approx(pearson(found, truth))
        assert metrics[score_name] == pytest.approx(np.mean(found))
    assert metrics["true_AC"] == pytest.approx(np.mean(truth))
    told = json.loads((out / "calibration.json").read_text())
    assert set(told["scores"]) == {"SC", "SF"}
    assert "Correlation with the true AC over 12 masks: SC 0." in said(out)


def test_without_a_scorer_there_are_the_coarse_scores_alone(
    data: Path, labels: Path, maps: Path, tmp_path: Path
):
    out = tmp_path / "out"
    assert score(data, labels, maps, out) == 0
    assert list(lines_of(out)[0]) == ["image", "mask", "method", "AC", "CD", "SC"]
    assert "SF" not in events_of(out)[-1]["metrics"]


def test_options_of_the_score_are_those_of_the_formula(
    data: Path, labels: Path, maps: Path, tmp_path: Path
):
    more = ["--form", "printed", "--objectness", "edges", "--objectness-weight", "0.5"]
    assert score(data, labels, maps, tmp_path / "out", *more) == 0
    from backend.maps.objectness import objectness

    line = lines_of(tmp_path / "out")[5]
    mask = read_labels(labels / "labels" / "im5.png")
    image = read_image(data / "JPEGImages" / "im5.jpg")
    reference = cv2.imread(str(tmp_path / "out" / "references" / "im5.png"), 0) > 0
    wanted = scoring.boundary_accuracy(mask, reference, objectness("edges", image), 0.5, "printed")
    assert 0 < wanted < 1
    assert line["AC"] == pytest.approx(wanted)


def test_each_class_by_itself(data: Path, labels: Path, maps: Path, scorer: Path, tmp_path: Path):
    write_labels(
        labels / "labels" / "im2.png",
        np.where(truth_of(data, "im2") == CAT, CAT, 0).astype(np.uint8),
    )
    out = tmp_path / "out"
    assert score(data, labels, maps, out, "--per-class", "--scorer", str(scorer)) == 0
    apart = {line["image"]: line["classes"] for line in lines_of(out, "classes.jsonl")}
    whole = {line["image"]: line for line in lines_of(out)}
    assert list(apart) == NAMES
    assert set(apart["im0"]) == {"cat"}
    assert apart["im2"]["dog"] == {"AC": 0, "P": 0}
    assert apart["im2"]["cat"]["AC"] > 0
    for name in ("im0", "im2", "im5"):
        for key in ("AC", "P"):
            mean = np.mean([each[key] for each in apart[name].values()])
            assert whole[name][key] == pytest.approx(mean)
    assert "im2 is tagged dog, but no pixel of it is." in said(out)


def test_masks_and_references_that_leave_nothing_to_compare_score_zero(
    data: Path, labels: Path, maps: Path, scorer: Path, tmp_path: Path
):
    nothing = np.zeros((48, 48), np.uint8)
    write_labels(labels / "labels" / "im0.png", nothing)
    write_labels(labels / "labels" / "im1.png", np.full_like(nothing, DOG))
    write_labels(labels / "labels" / "im2.png", np.full_like(nothing, 255))
    cv2.imwrite(str(maps / "im3.png"), nothing)
    out = tmp_path / "out"
    assert score(data, labels, maps, out, "--scorer", str(scorer)) == 0
    lines = {line["image"]: line for line in lines_of(out)}
    for name in ("im0", "im2"):
        assert [lines[name][each] for each in ("AC", "CD", "SC", "SF")] == [0, 0, 0, 0]
    assert 0 < lines["im1"]["AC"] < 0.5
    assert lines["im1"]["CD"] == 1
    assert (lines["im3"]["AC"], lines["im3"]["SC"]) == (0, 0)
    text = said(out)
    assert "im0 has no pixel of a class; its scores are 0." in text
    assert "im2 has no pixel of a class; its scores are 0." in text
    assert "The mask of im1 covers all of it." in text
    assert "Nothing is salient in im3: its reference is empty, so AC is 0." in text


def test_what_cannot_be_scored_is_named_and_the_rest_is_scored(
    data: Path, labels: Path, maps: Path, tmp_path: Path
):
    (labels / "labels" / "im0.png").unlink()
    write_labels(labels / "labels" / "im1.png", np.ones((48, 40), np.uint8))
    (labels / "labels" / "im2.png").write_bytes(b"no png")
    (maps / "im4.png").unlink()
    photograph = data / "JPEGImages" / "im5.jpg"
    photograph.write_bytes(photograph.read_bytes()[:-400])
    # Labels of another class list are scored; only tags can be wrong in them.
    write_labels(
        labels / "labels" / "im6.png", np.where(truth_of(data, "im6") > 0, 77, 0).astype(np.uint8)
    )
    out = tmp_path / "out"
    assert score(data, labels, maps, out) == 0
    lines = {line["image"]: line for line in lines_of(out)}
    assert sorted(lines) == sorted(set(NAMES) - {"im0", "im1", "im2", "im4", "im5"})
    assert lines["im6"]["AC"] > 0.5
    assert lines["im6"]["CD"] == 0
    text = said(out)
    assert "1 of 12 images have no labels in labels and are not scored: im0" in text
    assert "im1 is left out: its labels are 40x48 pixels, the image 48x48" in text
    assert "im2 is left out:" in text
    assert "1 of 11 images have no saliency map in" in text
    assert "im5 is left out:" in text


def test_no_more_images_than_a_few_batches_are_held(
    data: Path, labels: Path, maps: Path, scorer: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """A line is on the disk long before the last image is read."""
    from training import mask_scoring

    read: list[str] = []
    written: list[int] = []

    def noting(path: Path) -> np.ndarray:
        read.append(Path(path).stem)
        written.append(len(lines_of(tmp_path / "out")))
        return read_image(path)

    monkeypatch.setattr(mask_scoring, "read_image", noting)
    more = ["--scorer", str(scorer), "--batch", "2", "--threads", "1"]
    assert score(data, labels, maps, tmp_path / "out", *more) == 0
    assert read == NAMES
    # Two images a thread are under way or wait, two wait for the network.
    assert all(number - count <= 5 for number, count in enumerate(written))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--from", ""], "--from is missing"),
        (["--scorer", "/nowhere"], "There are no weights at /nowhere"),
        (["--objectness", "bing"], "--objectness is 'bing'; it can be none, edges, contrast"),
    ],
)
def test_mistakes_are_sentences(
    data: Path, labels: Path, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    more: list[str], sentence: str,
):  # fmt: skip
    assert score(data, labels, maps, tmp_path / "out", *more) == 2
    assert f"tagmask: {sentence}" in capsys.readouterr().err


def test_a_run_folder_named_after_its_recipe_is_named_once(tmp_path: Path) -> None:
    for name, called in (("dsrg", "dsrg"), ("third", "dsrg · third")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text('{"format": 1, "recipe": "dsrg", "settings": {}}')
        assert methods_of(folder) == ({}, called)
